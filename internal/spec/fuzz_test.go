package spec

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"gaggle/internal/fleet"
)

// placed holds what every error of this package promises: a place inside the file, a message, a bounded number.
func placed(t *testing.T, err error, data []byte) {
	var all *Errors
	if !errors.As(err, &all) || len(all.List) == 0 || len(all.List) > maxProblems {
		t.Fatalf("not Errors: %v", err)
	}
	lines := strings.Split(string(data), "\n")
	for _, e := range all.List {
		if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(lines[e.Line-1])+1 {
			t.Errorf("%v is outside of the file", e)
		}
		if e.Code != fleet.CodeInvalid || e.Message == "" || len(e.Error()) > 4000 || strings.ContainsAny(e.Error(), "\x00\x1b") {
			t.Errorf("not a message for people: %q", e.Error())
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "../../examples/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(minimal))
	p := Parser{Files: fstest.MapFS{"licence-headers.sh": {Data: []byte("x")}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := p.Parse("f.yaml", data)
		if err != nil {
			if c != nil {
				t.Error("a campaign and an error")
			}
			placed(t, err, data)
			return
		}
		if again := roundTrip(t, c); !reflect.DeepEqual(c, again) || c.ChangeHash() != again.ChangeHash() {
			t.Errorf("%+v\ndoes not survive JSON:\n%+v", c, again)
		}
		again, err := p.Parse("f.yaml", data)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("a second reading differs: %v", err)
		}
		if checkName(c.Metadata.Name) != nil || len(c.Rollout.Waves) == 0 || len(c.Change.Paths) == 0 || c.Limits.Cost <= 0 || c.Limits.CampaignCost <= 0 ||
			c.PullRequest.Title == "" || c.Change.Agent == AgentScript != (len(c.Change.Script.Content) > 0) {
			t.Errorf("not sound: %+v", c)
		}
	})
}

func FuzzParseRepository(f *testing.F) {
	f.Add([]byte(settings))
	f.Add([]byte("optOut: true"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseRepository(RepoFile, data)
		if err != nil {
			placed(t, err, data)
			return
		}
		c.For(".").Refuses("x")
	})
}

func FuzzCompileWhere(f *testing.F) {
	for _, expr := range []string{`component.languages.exists(l, l == "Go")`, `component.labels[?"a"].orValue("b") == "c"`, "a +", "repository.name.matches('(')", "\n\tcomponent\n.x"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		w, err := CompileWhere(expr)
		if err != nil {
			var all *Errors
			if !errors.As(err, &all) {
				t.Fatal(err)
			}
			return
		}
		first, err := w.Match(fleet.Component{Tags: []string{"a"}, Labels: map[string]string{"a": "b"}}, fleet.Repository{})
		second, again := w.Match(fleet.Component{Tags: []string{"a"}, Labels: map[string]string{"a": "b"}}, fleet.Repository{})
		if first != second || (err == nil) != (again == nil) {
			t.Errorf("%s is %v and %v", expr, first, second)
		}
	})
}

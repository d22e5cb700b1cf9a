//go:build full

package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"

	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/github"
	"gaggle/internal/forge/simulator"
)

// Every document that the driver sends fits GitHub's published schema, with its variables, and what the simulator answers lacks
// nothing that was asked for and is always there.
func TestConformanceToTheSchema(t *testing.T) {
	text := published(t, "@octokit/graphql-schema@15.25.0", "package/schema.graphql")
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	check := func(x simulator.Exchange) {
		if x.Path != "/api/graphql" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		var in struct {
			Query     string
			Variables map[string]any
		}
		var out struct {
			Data   map[string]any
			Errors []any
		}
		if err := errors.Join(json.Unmarshal(x.Request, &in), json.Unmarshal(x.Reply, &out)); err != nil {
			t.Error(err)
			return
		}
		doc, err := gqlparser.LoadQueryWithRules(schema, in.Query, nil)
		if err != nil {
			t.Errorf("%v in %s", err, in.Query)
			return
		}
		op := doc.Operations[0]
		seen[op.Name]++
		if _, err := validator.VariableValues(schema, op, in.Variables); err != nil {
			t.Errorf("%s: %v", op.Name, err)
		}
		for _, wrong := range differs(op.SelectionSet, out.Data, op.Name, len(out.Errors) > 0 || op.Name == "Dress") {
			t.Error(wrong)
		}
	}
	harness := func(t *testing.T) (*simulator.Host, *github.Forge, forgetest.Harness) {
		host, h := simulator.Harness(t, 0, simulator.Faults{})
		at := simulator.GitHub(t, host, check)
		f, err := github.New(github.Config{URL: at, Credential: forge.Fixed("token")})
		if err != nil {
			t.Fatal(err)
		}
		h.Forge, h.Repo.URL = f, at+"/"+simulator.Slug+".git"
		return host, f, h
	}
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		_, _, h := harness(t)
		return h
	})
	forgetest.ExerciseQueue(t, func(t *testing.T) forgetest.Harness {
		host, _, h := harness(t)
		host.With(simulator.Slug, func(r *simulator.Repo) { r.Queue = true })
		return h
	})
	_, f, h := harness(t)
	h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	s := h.Spec("gaggle/a")
	s.Labels, s.Reviewers = []string{"fleet", "cleanup"}, []string{"ann", "acme/payments", "bob"}
	p, err := f.Open(t.Context(), s)
	if err != nil || fmt.Sprint(p.Labels, p.Reviewers) != "[fleet cleanup] [ann bob team/payments]" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, err := range f.Discover(t.Context(), forge.Scope{Owner: "acme"}) {
		if err != nil {
			t.Error(err)
		}
	}
	for _, err := range f.Follow(t.Context(), []forge.PullRef{{Repo: h.Repo, Number: 1}, {Repo: h.Repo, Number: 9}}, time.Time{}) {
		_ = err // #9 is not there
	}
	if got := slices.Sorted(maps.Keys(seen)); strings.Join(got, " ") != "Dress Enqueue Find Follow Make Own Queued Repositories" {
		t.Errorf("saw %v", got)
	}
}

// differs compares an answer with what was asked for. partly: something was refused, and so may be missing.
func differs(asked ast.SelectionSet, got any, at string, partly bool) (wrong []string) {
	switch got := got.(type) {
	case nil:
		return nil
	case []any:
		for i, x := range got {
			wrong = append(wrong, differs(asked, x, fmt.Sprintf("%s[%d]", at, i), partly)...)
		}
		return wrong
	case map[string]any:
		fields := map[string]*ast.Field{}
		optional := map[string]bool{}
		var collect func(ast.SelectionSet, bool)
		collect = func(set ast.SelectionSet, inline bool) {
			for _, s := range set {
				switch s := s.(type) {
				case *ast.Field:
					fields[s.Alias], optional[s.Alias] = s, inline
				case *ast.InlineFragment:
					collect(s.SelectionSet, true)
				}
			}
		}
		collect(asked, false)
		for name, f := range fields {
			if _, ok := got[name]; !ok && !partly && !optional[name] && f.Definition.Type.NonNull {
				wrong = append(wrong, at+" lacks "+name)
			}
		}
		for name, x := range got {
			if f := fields[name]; f != nil && len(f.SelectionSet) > 0 {
				wrong = append(wrong, differs(f.SelectionSet, x, at+"."+name, partly)...)
			}
		}
	}
	return wrong
}

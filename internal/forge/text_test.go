package forge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

func TestWhole(t *testing.T) {
	s := forge.PullSpec{Repo: fleet.Repository{DefaultBranch: "main"}, HeadBranch: "a", Title: " " + strings.Repeat("é", 20) + " ", Body: strings.Repeat("b", 200)}
	got, err := s.Whole(0, 0)
	if err != nil || got.BaseBranch != "main" || got.Title != strings.Repeat("é", 20) || got.Body != s.Body {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = s.Whole(10, 100)
	if err != nil || got.Title != strings.Repeat("é", 9)+"…" || len(got.Body) != 100 || !strings.HasPrefix(got.Body, "bbb") {
		t.Errorf("%+v, %v", got, err)
	}
	for _, change := range []func(*forge.PullSpec){
		func(s *forge.PullSpec) { s.Title = " \n" },
		func(s *forge.PullSpec) { s.HeadBranch = "" },
		func(s *forge.PullSpec) { s.HeadBranch = "main" },
		func(s *forge.PullSpec) { s.Repo.DefaultBranch = "" },
	} {
		bad := s
		change(&bad)
		if _, err := bad.Whole(10, 100); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestIndex(t *testing.T) {
	ref := func(name string, n int) forge.PullRef {
		return forge.PullRef{Repo: fleet.Repository{Name: name}, Number: n}
	}
	key := func(r forge.PullRef) (string, error) {
		if r.Repo.Name == "bad" {
			return "", fleet.Errorf(fleet.CodeInvalid, "no")
		}
		return fmt.Sprint(r.Repo.Name, r.Number), nil
	}
	var bad []int
	refs, order, ok := forge.Index([]forge.PullRef{ref("b", 1), ref("bad", 7), ref("a", 2), ref("b", 1)}, key, func(p forge.Pull, err error) bool {
		bad = append(bad, p.Number)
		return err != nil
	})
	if !ok || len(refs) != 2 || !slices.Equal(order, []string{"b1", "a2"}) || !slices.Equal(bad, []int{7}) {
		t.Error(refs, order, bad, ok)
	}
	if _, _, ok := forge.Index([]forge.PullRef{ref("bad", 7)}, key, func(forge.Pull, error) bool { return false }); ok {
		t.Error("it went on")
	}
}

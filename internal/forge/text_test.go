package forge_test

import (
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

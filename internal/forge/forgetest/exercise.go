package forgetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Exercise runs the suite. make returns a fresh harness each time.
func Exercise(t *testing.T, make func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"open and read", (*suite).openAndRead},
		{"open twice adopts", (*suite).openTwice},
		{"open needs commits", (*suite).openNeedsCommits},
		{"open at once makes one", (*suite).openAtOnce},
		{"odd texts", (*suite).oddTexts},
		{"not found", (*suite).notFound},
		{"close", (*suite).closing},
		{"open after close", (*suite).openAfterClose},
		{"head moves", (*suite).headMoves},
		{"merge", func(s *suite) { s.merge(forge.MethodMerge) }},
		{"squash", func(s *suite) { s.merge(forge.MethodSquash) }},
		{"rebase", func(s *suite) { s.merge(forge.MethodRebase) }},
		{"merge conflict", (*suite).conflict},
		{"merge guards", (*suite).mergeGuards},
		{"merge at once", (*suite).mergeAtOnce},
		{"merge against a push", (*suite).mergeAgainstPush},
		{"merge again after a push", (*suite).mergeAgain},
		{"list", (*suite).list},
		{"comments", (*suite).comments},
		{"conflicts are told", (*suite).tellsConflicts},
		{"checks are told", (*suite).tellsChecks},
		{"checks run again", (*suite).reruns},
		{"reviews", (*suite).reviews},
		{"branch is deleted", (*suite).branchGoes},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&suite{T: t, Harness: make(t)})
		})
	}
}

type suite struct {
	*testing.T
	Harness
}

// try repeats a call for as long as it fails in a way that is worth it.
func (s *suite) try(do func() error) error {
	for range 50 {
		err := do()
		if err == nil || s.Transient == nil || !s.Transient(err) {
			return err
		}
	}
	return fmt.Errorf("50 tries were not enough")
}

func (s *suite) must(do func() error) {
	s.Helper()
	if err := s.try(do); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) want(code fleet.Code, do func() error) {
	s.Helper()
	if err := s.try(do); err == nil || fleet.CodeOf(err) != code {
		s.Fatalf("error %v (%s), want code %s", err, fleet.CodeOf(err), code)
	}
}

func (s *suite) open(spec forge.PullSpec) (p forge.Pull) {
	s.Helper()
	s.must(func() (err error) { p, err = s.Forge.Open(s.Context(), spec); return err })
	return p
}

// get reads several times and believes the newest, since a host may answer from a moment ago.
func (s *suite) get(number int) forge.Pull {
	s.Helper()
	return s.newest(func() (forge.Pull, error) { return s.Forge.Get(s.Context(), s.Repo, number) })
}

func (s *suite) find(branch string) forge.Pull {
	s.Helper()
	return s.newest(func() (forge.Pull, error) { return s.Forge.Find(s.Context(), s.Repo, branch) })
}

func (s *suite) newest(read func() (forge.Pull, error)) (newest forge.Pull) {
	s.Helper()
	readings := 1
	if s.Transient != nil {
		readings = 8
	}
	for range readings {
		var p forge.Pull
		s.must(func() (err error) { p, err = read(); return err })
		if !p.UpdatedAt.Before(newest.UpdatedAt) {
			newest = p
		}
	}
	return newest
}

func (s *suite) state(number int, want forge.State) forge.Pull {
	s.Helper()
	p := s.get(number)
	if p.State != want {
		s.Fatalf("pull request #%d is %s, want %s", number, p.State, want)
	}
	return p
}

// labelled compares labels, where there are any, in whatever order.
func (s *suite) labelled(p forge.Pull, labels ...string) bool {
	if s.NoLabels {
		labels = nil
	}
	return slices.Equal(slices.Sorted(slices.Values(p.Labels)), slices.Sorted(slices.Values(labels)))
}

func (s *suite) openAndRead() {
	sha := s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p := s.open(s.Spec("gaggle/a"))
	if p.Number < 1 || p.URL == "" || p.Repository != s.Repo.Name || p.Title != "Change gaggle/a" || p.Body != "Because." || p.State != forge.StateOpen || p.Draft ||
		p.HeadBranch != "gaggle/a" || p.HeadSHA != sha || p.BaseBranch != "main" || p.CreatedAt.IsZero() || p.Author == "" ||
		!s.labelled(p, "fleet") || !slices.Equal(p.Reviewers, []string{"ann"}) {
		s.Fatalf("opened %+v", p)
	}
	for _, again := range []forge.Pull{s.get(p.Number), s.find("gaggle/a")} {
		if again.Number != p.Number || again.Title != p.Title || again.HeadSHA != sha || again.State != forge.StateOpen || again.URL != p.URL {
			s.Fatalf("read %+v", again)
		}
	}
}

func (s *suite) openTwice() {
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	spec := s.Spec("gaggle/a")
	first := s.open(spec)
	if same := s.open(spec); same.Number != first.Number {
		s.Fatalf("a second pull request #%d beside #%d", same.Number, first.Number)
	}
	spec.Title, spec.Body, spec.Labels, spec.Reviewers = "Better", "More", []string{"fleet", "cleanup"}, []string{"bob"}
	s.open(spec)
	p := s.get(first.Number)
	if p.Title != "Better" || p.Body != "More" || !s.labelled(p, "fleet", "cleanup") || !slices.Equal(p.Reviewers, []string{"ann", "bob"}) {
		s.Fatalf("after the update: %+v", p)
	}
	s.Push(s.T, "gaggle/b", map[string]string{"b.txt": "b\n"})
	if other := s.open(s.Spec("gaggle/b")); other.Number == first.Number {
		s.Fatal("two branches share a pull request")
	}
}

func (s *suite) openNeedsCommits() {
	s.want(fleet.CodeNotFound, func() error {
		_, err := s.Forge.Open(s.Context(), s.Spec("gaggle/none"))
		return err
	})
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p := s.open(s.Spec("gaggle/a"))
	s.must(func() error {
		return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{Method: forge.MethodMerge})
	})
	s.want(fleet.CodeForge, func() error { // everything on the branch is in the base
		_, err := s.Forge.Open(s.Context(), s.Spec("gaggle/a"))
		return err
	})
	untitled := s.Spec("gaggle/a")
	untitled.Title = " "
	s.want(fleet.CodeInvalid, func() error {
		_, err := s.Forge.Open(s.Context(), untitled)
		return err
	})
}

func (s *suite) openAtOnce() {
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	numbers := make([]int, 8)
	errs := make([]error, len(numbers))
	var wg sync.WaitGroup
	for i := range numbers {
		wg.Go(func() {
			errs[i] = s.try(func() error {
				p, err := s.Forge.Open(s.Context(), s.Spec("gaggle/a"))
				numbers[i] = p.Number
				return err
			})
		})
	}
	wg.Wait()
	for i := range numbers {
		if errs[i] != nil || numbers[i] != numbers[0] {
			s.Fatalf("numbers %v, errors %v", numbers, errs)
		}
	}
}

func (s *suite) oddTexts() {
	s.Push(s.T, "gaggle/ünï/cödé", map[string]string{"a.txt": "a\n"})
	spec := s.Spec("gaggle/ünï/cödé")
	spec.Title = `Use "quotes", <tags> & ` + "\u202e" + ` emoji 🪿`
	spec.Body = "line one\r\nline two\n\n```\n$(rm -rf /)\n```\n" + strings.Repeat("long ", 5000)
	p := s.open(spec)
	if s.MostBody > 0 {
		spec.Body = forge.Clip(spec.Body, s.MostBody)
	}
	if got := s.get(p.Number); got.Title != spec.Title || got.Body != spec.Body {
		s.Fatalf("title %q, body of %d bytes", got.Title, len(got.Body))
	}
}

func (s *suite) notFound() {
	for _, do := range []func() error{
		func() error { _, err := s.Forge.Get(s.Context(), s.Repo, 999); return err },
		func() error { _, err := s.Forge.Find(s.Context(), s.Repo, "gaggle/none"); return err },
		func() error { return s.Forge.Close(s.Context(), s.Repo, 999, "") },
		func() error { return s.Forge.Merge(s.Context(), s.Repo, 999, forge.MergeSpec{}) },
	} {
		s.want(fleet.CodeNotFound, do)
	}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.Forge.Get(ctx, s.Repo, 1); err == nil {
		s.Fatal("no error after the end of the context")
	}
}

func (s *suite) closing() {
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p := s.open(s.Spec("gaggle/a"))
	for range 2 {
		s.must(func() error { return s.Forge.Close(s.Context(), s.Repo, p.Number, "superseded") })
	}
	s.state(p.Number, forge.StateClosed)
	if c, ok := s.Forge.(forge.Commenter); ok {
		var list []forge.Comment
		s.must(func() (err error) { list, err = c.Comments(s.Context(), s.Repo, p.Number); return err })
		if len(list) != 1 || list[0].Body != "superseded" {
			s.Fatalf("comments %+v", list)
		}
	}
	s.want(fleet.CodeConflict, func() error { return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{}) })
}

func (s *suite) openAfterClose() {
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	first := s.open(s.Spec("gaggle/a"))
	s.must(func() error { return s.Forge.Close(s.Context(), s.Repo, first.Number, "") })
	second := s.open(s.Spec("gaggle/a"))
	if second.Number == first.Number || second.State != forge.StateOpen {
		s.Fatalf("after closing #%d: %+v", first.Number, second)
	}
	if found := s.find("gaggle/a"); found.Number != second.Number {
		s.Fatalf("found #%d, want the newest, #%d", found.Number, second.Number)
	}
	s.state(first.Number, forge.StateClosed)
}

func (s *suite) headMoves() {
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p := s.open(s.Spec("gaggle/a"))
	sha := s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "b\n"})
	if got := s.state(p.Number, forge.StateOpen); got.HeadSHA != sha {
		s.Fatalf("head %s, want %s", got.HeadSHA, sha)
	}
	s.want(fleet.CodeConflict, func() error {
		return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{ExpectHead: p.HeadSHA})
	})
	s.state(p.Number, forge.StateOpen)
}

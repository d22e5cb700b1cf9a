package forgetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

func (s *suite) merge(method forge.Method) {
	s.Push(s.T, "gaggle/a", map[string]string{File: strings.Replace(Content, "two", "TWO", 1)})
	head := s.Push(s.T, "gaggle/a", map[string]string{"new/file.txt": "new\n"})
	p := s.open(s.Spec("gaggle/a"))
	s.Push(s.T, "main", map[string]string{File: strings.Replace(Content, "eight", "EIGHT", 1)}) // the base moves, elsewhere in the same file
	before := len(s.Log(s.T, "main"))
	for range 2 {
		err := s.try(func() error {
			return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{Method: method, ExpectHead: head})
		})
		if method != forge.MethodMerge && errors.Is(err, forge.ErrUnsupported) {
			s.state(p.Number, forge.StateOpen)
			s.Skip("this forge does not merge by " + method)
		}
		if err != nil {
			s.Fatal(err)
		}
	}
	got := s.state(p.Number, forge.StateMerged)
	if got.MergeSHA == "" || got.MergeSHA != s.Tip(s.T, "main") || got.HeadSHA != head {
		s.Fatalf("merged %+v, main stands at %s", got, s.Tip(s.T, "main"))
	}
	content, _ := s.Read(s.T, "main", File)
	added, ok := s.Read(s.T, "main", "new/file.txt")
	if want := strings.NewReplacer("two", "TWO", "eight", "EIGHT").Replace(Content); content != want || !ok || added != "new\n" {
		s.Fatalf("main holds %q and %q", content, added)
	}
	commits := map[forge.Method]int{forge.MethodMerge: 1, forge.MethodSquash: 1, forge.MethodRebase: 2}[method]
	if log := s.Log(s.T, "main"); len(log) != before+commits {
		s.Fatalf("%s left the history %q", method, log)
	}
	if s.Tip(s.T, "gaggle/a") != head {
		s.Fatal("the merge moved the head branch")
	}
	s.must(func() error { return s.Forge.Close(s.Context(), s.Repo, p.Number, "") })
	s.state(p.Number, forge.StateMerged)
}

func (s *suite) conflict() {
	s.Push(s.T, "gaggle/a", map[string]string{File: strings.Replace(Content, "two", "TWO", 1)})
	p := s.open(s.Spec("gaggle/a"))
	base := s.Push(s.T, "main", map[string]string{File: strings.Replace(Content, "two", "2", 1)})
	for _, method := range []forge.Method{forge.MethodMerge, forge.MethodSquash, forge.MethodRebase} {
		s.want(fleet.CodeMergeConflict, func() error {
			err := s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{Method: method})
			if method != forge.MethodMerge && errors.Is(err, forge.ErrUnsupported) {
				err = &fleet.Error{Code: fleet.CodeMergeConflict} // nothing to ask
			}
			return err
		})
	}
	s.state(p.Number, forge.StateOpen)
	if s.Tip(s.T, "main") != base {
		s.Fatal("a conflict moved the base")
	}
}

func (s *suite) mergeGuards() {
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	spec := s.Spec("gaggle/a")
	spec.Draft = true
	p := s.open(spec)
	if !p.Draft {
		s.Fatal("the draft is not one")
	}
	base := s.Tip(s.T, "main")
	s.want(fleet.CodeForge, func() error { return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{}) })
	s.Push(s.T, "gaggle/b", map[string]string{"b.txt": "b\n"})
	p = s.open(s.Spec("gaggle/b"))
	s.want(fleet.CodeInvalid, func() error {
		return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{Method: "octopus"})
	})
	if s.Tip(s.T, "main") != base {
		s.Fatal("a refused merge moved the base")
	}
}

// mergeAgainstPush has a person push while a merge is under way that expects another head.
func (s *suite) mergeAgainstPush() {
	for i := range 6 {
		branch, file := fmt.Sprintf("gaggle/%d", i), fmt.Sprintf("person%d.txt", i)
		ours := s.Push(s.T, branch, map[string]string{fmt.Sprintf("f%d.txt", i): "x\n"})
		p := s.open(s.Spec(branch))
		var wg sync.WaitGroup
		if i%3 == 0 || s.LooseHead { // before, or at once
			s.Push(s.T, branch, map[string]string{file: "mine\n"})
		} else {
			wg.Go(func() { s.Push(s.T, branch, map[string]string{file: "mine\n"}) })
		}
		err := s.try(func() error {
			return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{Method: forge.MethodSquash, ExpectHead: ours})
		})
		wg.Wait()
		if _, took := s.Read(s.T, "main", file); took {
			s.Fatalf("a person's push to #%d was merged with what was expected: %v", p.Number, err)
		}
		switch _, merged := s.Read(s.T, "main", fmt.Sprintf("f%d.txt", i)); {
		case merged && err != nil, !merged && fleet.CodeOf(err) != fleet.CodeConflict, merged && (i%3 == 0 || s.LooseHead):
			s.Fatalf("#%d is merged: %t, and the merge ended with %v", p.Number, merged, err)
		}
	}
}

// mergeAgain has a caller who lost the answer ask again, after a person has used the branch once more.
func (s *suite) mergeAgain() {
	ours := s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p := s.open(s.Spec("gaggle/a"))
	merge := func() error {
		return s.Forge.Merge(s.Context(), s.Repo, p.Number, forge.MergeSpec{ExpectHead: ours})
	}
	s.must(merge)
	main := s.Tip(s.T, "main")
	s.Push(s.T, "gaggle/a", map[string]string{"person.txt": "mine\n"})
	s.must(merge)
	if s.Tip(s.T, "main") != main {
		s.Fatal("it was merged twice")
	}
	s.state(p.Number, forge.StateMerged)
}

func (s *suite) mergeAtOnce() {
	const n = 6
	numbers := make([]int, n)
	for i := range n {
		branch := fmt.Sprintf("gaggle/%d", i)
		s.Push(s.T, branch, map[string]string{fmt.Sprintf("f%d.txt", i): "x\n"})
		numbers[i] = s.open(s.Spec(branch)).Number
	}
	errs := make([]error, 2*n)
	var wg sync.WaitGroup
	for i := range 2 * n { // each twice
		wg.Go(func() {
			errs[i] = s.try(func() error {
				err := s.Forge.Merge(s.Context(), s.Repo, numbers[i%n], forge.MergeSpec{Method: forge.MethodSquash})
				if fleet.CodeOf(err) == fleet.CodeConflict { // the base moved under it: hosts say so, and callers try again
					err = s.Forge.Merge(s.Context(), s.Repo, numbers[i%n], forge.MergeSpec{Method: forge.MethodSquash})
				}
				return err
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			s.Fatalf("merge of #%d: %v", numbers[i%n], err)
		}
	}
	if log := s.Log(s.T, "main"); len(log) != n+1 {
		s.Fatalf("%d merges left the history %q", n, log)
	}
	for i := range n {
		s.state(numbers[i], forge.StateMerged)
		if _, ok := s.Read(s.T, "main", fmt.Sprintf("f%d.txt", i)); !ok {
			s.Fatalf("the file of #%d is lost", numbers[i])
		}
	}
}

func (s *suite) list() {
	l, ok := s.Forge.(forge.Lister)
	if !ok {
		s.Skip("this forge lists nothing")
	}
	const n = 12 // more than a page, where the harness sets a small one
	want := make([]int, 0, n)
	for i := range n {
		branch := fmt.Sprintf("gaggle/%02d", i)
		s.Push(s.T, branch, map[string]string{"a.txt": branch + "\n"})
		want = append(want, s.open(s.Spec(branch)).Number)
	}
	slices.Reverse(want)
	s.must(func() error { return s.Forge.Close(s.Context(), s.Repo, want[0], "") })
	collect := func(repo *fleet.Repository, states ...forge.State) (numbers []int) {
		s.must(func() error {
			numbers = nil
			for p, err := range l.List(s.Context(), repo, states...) {
				if err != nil {
					return err
				}
				numbers = append(numbers, p.Number)
			}
			return nil
		})
		return numbers
	}
	if got := collect(&s.Repo); !slices.Equal(got, want) {
		s.Fatalf("listed %v, want %v", got, want)
	}
	if got := collect(&s.Repo, forge.StateOpen); !slices.Equal(got, want[1:]) {
		s.Fatalf("open are %v", got)
	}
	if got := collect(nil, forge.StateClosed, forge.StateMerged); !slices.Equal(got, want[:1]) {
		s.Fatalf("closed are %v", got)
	}
}

func (s *suite) comments() {
	c, ok := s.Forge.(forge.Commenter)
	if !ok {
		s.Skip("this forge has no comments")
	}
	s.Push(s.T, "gaggle/a", map[string]string{"a.txt": "a\n"})
	p := s.open(s.Spec("gaggle/a"))
	list := func() (all []forge.Comment) {
		s.must(func() (err error) { all, err = c.Comments(s.Context(), s.Repo, p.Number); return err })
		return all
	}
	for i, body := range []string{"first", "second\nline"} {
		s.must(func() error { // adding is not idempotent, so a retry looks first
			if len(list()) > i {
				return nil
			}
			return c.AddComment(s.Context(), s.Repo, p.Number, body)
		})
	}
	if got := list(); len(got) != 2 || got[0].Body != "first" || got[1].Body != "second\nline" || got[0].Author == "" {
		s.Fatalf("comments %+v", got)
	}
}

package publish_test

import (
	"errors"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/publish"
)

func TestPublishAdoptsAndNeverDoubles(t *testing.T) {
	everywhere(t, func(s *stage) {
		first := s.publish()
		if first.Pull.State != forge.StateOpen || first.Head != first.Pull.HeadSHA || s.content(branch) != "ONE" {
			s.Fatalf("published %+v", first)
		}
		s.in.Campaign.PullRequest.Body = "Other words."
		for _, recorded := range []bool{false, true} { // killed before anything was recorded, and after
			if recorded {
				s.record(first)
			}
			again := s.publish()
			if again.Head != first.Head || again.Pull.Number != first.Pull.Number || !strings.HasPrefix(again.Pull.Body, "Other words.") {
				s.Errorf("again %s and #%d, first %s and #%d", again.Head, again.Pull.Number, first.Head, first.Pull.Number)
			}
		}
		if n := s.pulls(); n != 1 {
			s.Errorf("%d pull requests", n)
		}
	})
}

func TestPublishAfterACrash(t *testing.T) {
	everywhere(t, func(s *stage) {
		for _, after := range []bool{false, true} { // the push is done; then the pull request is open, too
			s.trip = func(_ string, applied bool) error {
				if applied == after {
					return errCrash
				}
				return nil
			}
			if _, err := s.pub.Publish(s.Context(), s.in); !errors.Is(err, errCrash) {
				s.Fatal(err)
			}
		}
		s.trip = nil
		pushed, err := s.Forge.Find(s.Context(), s.Repo, branch)
		if err != nil {
			s.Fatal(err)
		}
		if out := s.publish(); out.Head != pushed.HeadSHA || out.Pull.Number != pushed.Number || s.pulls() != 1 {
			s.Errorf("%+v, %d pull requests", out, s.pulls())
		}
	})
}

func TestAPersonsPushIsNeverOverwritten(t *testing.T) {
	everywhere(t, func(s *stage) {
		taken := func(what, theirs string) {
			s.Helper()
			if _, err := s.pub.Publish(s.Context(), s.in); fleet.CodeOf(err) != fleet.CodeBranchTaken || fleet.HintOf(err) == "" {
				s.Errorf("%s: %v", what, err)
			}
			if at := s.Tip(s.T, branch); at != theirs {
				s.Errorf("%s: the branch stands at %s, not %s", what, at, theirs)
			}
		}
		// The branch was somebody's before Gaggle came.
		theirs := s.Push(s.T, branch, map[string]string{"mine.txt": "mine\n"})
		taken("a branch of others", theirs)

		s.in.Target.Branch = branch + "2"
		out := s.publish()
		s.record(out)
		theirs = s.Push(s.T, branch+"2", map[string]string{"mine.txt": "mine\n"})
		s.in.Diff, s.in.Revision, s.in.Onto = edit("one", "UNO"), true, out.Head
		if _, err := s.pub.Publish(s.Context(), s.in); fleet.CodeOf(err) != fleet.CodeBranchTaken || s.Tip(s.T, branch+"2") != theirs {
			s.Errorf("a revision: %v", err)
		}
		s.in.Onto = ""
		if _, err := s.pub.Publish(s.Context(), s.in); fleet.CodeOf(err) != fleet.CodeBranchTaken || s.Tip(s.T, branch+"2") != theirs {
			s.Errorf("a rebase: %v", err)
		}
	})
}

func TestARevisionIsAChildOfWhatReviewersHaveSeen(t *testing.T) {
	everywhere(t, func(s *stage) {
		first := s.publish()
		s.record(first)
		s.in.Diff, s.in.Revision, s.in.Onto = edit("one", "UNO"), true, first.Head
		second := s.publish()
		if second.Pull.Number != first.Pull.Number || second.Head == first.Head {
			s.Fatalf("%+v after %+v", second, first)
		}
		if log := s.Log(s.T, branch); len(log) != 3 || s.content(branch) != "UNO" || s.content(branch+"~1") != "ONE" {
			s.Errorf("history %q, content %q over %q", log, s.content(branch), s.content(branch+"~1"))
		}
		if again := s.publish(); again.Head != second.Head { // killed before it was recorded
			s.Errorf("pushed again as %s, not %s", again.Head, second.Head)
		}
		// The base moved: made again on it, in place of what was there.
		s.record(second)
		base := s.Push(s.T, "main", map[string]string{"other.txt": "x\n"})
		if _, err := s.git.Refresh(s.Context(), s.Repo, 1); err != nil {
			s.Fatal(err)
		}
		s.in.Target.BaseCommit, s.in.Target.BaseTree, s.in.Onto = base, "", ""
		if third := s.publish(); third.Pull.Number != first.Pull.Number || len(s.Log(s.T, branch)) != 3 || s.content(branch) != "UNO" {
			s.Errorf("%+v, history %q", third, s.Log(s.T, branch))
		}
	})
}

func TestAnEndedPullRequestStaysEnded(t *testing.T) {
	everywhere(t, func(s *stage) {
		first := s.publish()
		if err := s.Forge.Close(s.Context(), s.Repo, first.Pull.Number, "no"); err != nil {
			s.Fatal(err)
		}
		ended := func(what string) {
			s.Helper()
			out := s.publish()
			if out.Pull.State != forge.StateClosed || out.Pull.Number != first.Pull.Number || s.pulls() != 1 || s.content(branch) != "ONE" {
				s.Errorf("%s: %+v, %d pull requests", what, out, s.pulls())
			}
		}
		ended("killed before it was recorded, and closed by a person")
		s.record(first)
		s.in.Revision, s.in.Onto, s.in.Diff = true, first.Head, edit("one", "UNO")
		ended("closed while it was revised")

		// A person asked for a retry: that opens another one.
		s.in.Revision, s.in.Onto = false, ""
		if out := s.publish(); out.Pull.State != forge.StateOpen || out.Pull.Number == first.Pull.Number || s.content(branch) != "UNO" {
			s.Errorf("retried: %+v", out)
		}
	})
}

func TestQueuedAgainAfterAMergeWhoseBranchIsGone(t *testing.T) {
	everywhere(t, func(s *stage) {
		first := s.publish()
		s.record(first)
		if err := s.Forge.Merge(s.Context(), s.Repo, first.Pull.Number, forge.MergeSpec{}); err != nil {
			s.Fatal(err)
		}
		if err := s.Forge.(forge.BranchDeleter).DeleteBranch(s.Context(), s.Repo, branch, first.Head); err != nil {
			s.Fatal(err)
		}
		head, err := s.git.Refresh(s.Context(), s.Repo, 1)
		if err != nil {
			s.Fatal(err)
		}
		s.in.Target.BaseCommit, s.in.Target.BaseTree, s.in.Diff = head.Commit, head.Tree, edit("ONE", "UNO")
		again := s.publish()
		if again.Pull.State != forge.StateOpen || again.Pull.Number == first.Pull.Number || s.content(branch) != "UNO" {
			s.Errorf("%+v", again)
		}
		// Somebody uses the name meanwhile: theirs stays.
		s.record(again)
		if err := s.Forge.Close(s.Context(), s.Repo, again.Pull.Number, ""); err != nil {
			s.Fatal(err)
		}
		theirs := s.Push(s.T, branch, map[string]string{"mine.txt": "mine\n"})
		s.in.Diff = edit("ONE", "EINS")
		if _, err := s.pub.Publish(s.Context(), s.in); fleet.CodeOf(err) != fleet.CodeBranchTaken || s.Tip(s.T, branch) != theirs {
			s.Errorf("a branch that is somebody's now: %v", err)
		}
	})
}

func TestWithdrawLeavesOthersCommits(t *testing.T) {
	everywhere(t, func(s *stage) {
		out := s.publish()
		w := publish.Withdrawal{Repository: s.Repo, Number: out.Pull.Number, Branch: branch, Head: out.Head, Comment: "Over."}
		theirs := s.Push(s.T, branch, map[string]string{"mine.txt": "mine\n"})
		got, err := s.pub.Withdraw(s.Context(), w)
		if err != nil || fleet.CodeOf(got.Kept) != fleet.CodeBranchTaken || s.Tip(s.T, branch) != theirs {
			s.Fatalf("%+v, %v", got, err)
		}
		if p, err := s.Forge.Get(s.Context(), s.Repo, out.Pull.Number); err != nil || p.State != forge.StateClosed {
			s.Errorf("%+v, %v", p, err)
		}
		s.in.Target.Branch = branch + "2"
		out = s.publish()
		w.Number, w.Branch, w.Head = out.Pull.Number, branch+"2", out.Head
		for range 2 { // again after a kill
			if got, err = s.pub.Withdraw(s.Context(), w); err != nil || got.Kept != nil {
				s.Errorf("%+v, %v", got, err)
			}
		}
		if s.Tip(s.T, branch+"2") != "" || got.Pull.State != forge.StateClosed {
			s.Errorf("the branch is left at %q, found %+v", s.Tip(s.T, branch+"2"), got.Pull)
		}
		if c, ok := s.Forge.(forge.Commenter); ok {
			if said, err := c.Comments(s.Context(), s.Repo, out.Pull.Number); err != nil || len(said) != 1 {
				s.Errorf("said %+v, %v", said, err)
			}
		}
	})
}

// Publishing goes on where it was for as long as the host fails, and ends with one pull request.
func TestPublishUnderFaults(t *testing.T) {
	for vendor := range vendors {
		if vendor == "local" {
			continue
		}
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, vendor, simulator.Faults{Limit: .1, Before: .15, After: .2, Cut: .1})
			try := func(do func() error) {
				t.Helper()
				for range 60 {
					err := do()
					if err == nil {
						return
					}
					if !forge.Passing(err) {
						t.Fatal(err)
					}
				}
				t.Fatal("60 tries were not enough")
			}
			var first, second publish.Published
			try(func() (err error) { first, err = s.pub.Publish(t.Context(), s.in); return err })
			s.record(first)
			s.in.Revision, s.in.Onto, s.in.Diff = true, first.Head, edit("one", "UNO")
			try(func() (err error) { second, err = s.pub.Publish(t.Context(), s.in); return err })
			if second.Pull.Number != first.Pull.Number || first.Pull.Number != 1 || s.content(branch) != "UNO" {
				t.Errorf("%+v after %+v", second, first)
			}
			w := publish.Withdrawal{Repository: s.Repo, Number: 1, Branch: branch, Head: second.Head, Comment: "Over."}
			try(func() error { _, err := s.pub.Withdraw(t.Context(), w); return err })
			if s.Tip(t, branch) != "" {
				t.Error("the branch is left")
			}
		})
	}
}

func TestReviewersLabelsAndIssue(t *testing.T) {
	t.Parallel()
	s := newStage(t, "github", simulator.Faults{})
	s.in.Campaign.PullRequest.Reviewers, s.in.Campaign.PullRequest.Labels = []string{"ann"}, []string{"fleet"}
	s.in.Campaign.PullRequest.Issue, s.in.Campaign.PullRequest.Draft = "PLAT-12", true
	for _, c := range []struct {
		owner string
		ask   bool
		want  string
	}{
		{"group:default/payments", false, "ann"}, {"group:default/payments", true, "ann team/payments"}, {"user:default/bob", true, "ann bob"}, {"user:default/ann", true, "ann"}, {"", true, "ann"},
	} {
		var asked forge.PullSpec
		pub := publish.New(publish.Config{Git: s.git, Forge: func(string) (forge.Forge, error) { return &noting{s.Forge, &asked}, nil }})
		s.in.Component.Owner, s.in.Campaign.PullRequest.AskOwner = c.owner, c.ask
		if _, err := pub.Publish(t.Context(), s.in); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(asked.Reviewers, " "); got != c.want {
			t.Errorf("owner %q, asked %v: reviewers %q, want %q", c.owner, c.ask, got, c.want)
		}
		if len(asked.Labels) != 1 || !asked.Draft || !strings.Contains(asked.Body, "Issue: PLAT-12") || asked.Title != "Say one more" {
			t.Errorf("%+v", asked)
		}
	}
	if message := commit(t, s, branch); !strings.Contains(message, "\nRefs: PLAT-12\n") || !strings.Contains(message, "\nGaggle-Campaign: c\nGaggle-Component: component:default/billing\n") {
		t.Errorf("message %q", message)
	}
}

// A commit that was pushed before a crash is known again by all but its words: another version of Gaggle, or another signature of
// the same commit, would make it anew.
func TestThePushBeforeACrashIsKnownAgain(t *testing.T) {
	everywhere(t, func(s *stage) {
		s.trip = func(string, bool) error { return errCrash }
		if _, err := s.pub.Publish(s.Context(), s.in); !errors.Is(err, errCrash) {
			s.Fatal(err)
		}
		s.trip = nil
		pushed := s.Tip(s.T, branch)
		s.in.Campaign.PullRequest.Title = "Other words"
		if out := s.publish(); out.Head != pushed || out.Pull.HeadSHA != pushed || s.Tip(s.T, branch) != pushed {
			s.Errorf("%+v, pushed %s", out, pushed)
		}
		// The same content by somebody else is not Gaggle's.
		s.in.Target.Branch = branch + "2"
		s.Push(s.T, branch+"2", map[string]string{forgetest.File: strings.Replace(forgetest.Content, "one", "ONE", 1)})
		if _, err := s.pub.Publish(s.Context(), s.in); fleet.CodeOf(err) != fleet.CodeBranchTaken {
			s.Error(err)
		}
	})
}

// The commit and the pull request name how the change came about by the same digest, each revision its own.
func TestProvenanceIsNamed(t *testing.T) {
	everywhere(t, func(s *stage) {
		named := func(out publish.Published) string {
			s.Helper()
			digest := out.Provenance.Digest
			if got := strings.TrimSpace(s.plain("log", "-1", "--format=%(trailers:key=Gaggle-Provenance,valueonly)", out.Head)); got != digest || !strings.Contains(out.Pull.Body, "`"+digest+"`") {
				s.Errorf("trailer %q, digest %q, body %q", got, digest, out.Pull.Body)
			}
			return string(out.Provenance.Statement)
		}
		first := s.publish()
		statement := named(first)
		if again := s.publish(); again.Provenance.Digest != first.Provenance.Digest || again.Provenance.Envelope != nil {
			s.Errorf("again %+v", again.Provenance)
		}
		s.record(first)
		s.in.Revision, s.in.Onto, s.in.Diff, s.in.Attempt.Number = true, first.Head, edit("one", "UNO"), 2
		if revised := named(s.publish()); revised == statement || !strings.Contains(revised, first.Head) {
			s.Errorf("revised: %s", revised)
		}
	})
}

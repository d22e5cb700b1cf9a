package publish_test

import (
	"errors"
	"strings"
	"testing"

	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/publish"
)

// beside adds a change of another component and campaign to the proposal.
func (s *stage) beside(id int64, from, to string) {
	other := s.in
	c := *s.in.Campaign
	c.Metadata.Name, c.Metadata.Description, c.PullRequest.Title = "d", "Say another", "Say another"
	c.PullRequest.Labels, c.PullRequest.Reviewers = []string{"d"}, []string{"bob"}
	other.Campaign, other.With = &c, nil
	other.Target.ID, other.Target.Campaign, other.Target.Component, other.Target.Branch = id, "d", "component:default/ledger", "gaggle/d/ledger"
	other.Component.Ref, other.Component.Name = "component:default/ledger", "ledger"
	other.Attempt.ID = id
	other.Diff = []byte("diff --git a/README.md b/README.md\n--- a/README.md\n+++ b/README.md\n@@ -5,4 +5,4 @@\n five\n six\n seven\n-" + from + "\n+" + to + "\n")
	s.in.With = append(s.in.With, other)
}

// Several changes are one pull request with a commit each, also after a crash, and give way to one alone on the same branch.
func TestSeveralChangesInOnePullRequest(t *testing.T) {
	everywhere(t, func(s *stage) {
		s.beside(2, "eight", "EIGHT")
		s.trip = func(string, bool) error { return errCrash }
		if _, err := s.pub.Publish(s.Context(), s.in); !errors.Is(err, errCrash) {
			s.Fatal(err)
		}
		pushed := s.Tip(s.T, branch)
		s.trip = nil
		out := s.publish()
		if out.Head != pushed || len(out.With) != 1 {
			s.Fatalf("%+v, pushed %s", out, pushed)
		}
		if got, _ := s.Read(s.T, branch, forgetest.File); got != "ONE\ntwo\nthree\nfour\nfive\nsix\nseven\nEIGHT\n" {
			s.Errorf("%q", got)
		}
		if log := s.plain("log", "--reverse", "--format=%s", "main.."+branch); log != "Say one more\nSay another\n" {
			s.Errorf("log %q", log)
		}
		if message := commit(s.T, s, branch); !strings.Contains(message, "\nGaggle-Campaign: d\nGaggle-Component: component:default/ledger\nGaggle-Provenance: "+out.With[0].Digest) {
			s.Errorf("message %q", message)
		}
		s.record(out)
		s.in.With, s.in.Revision = nil, true
		if alone := s.publish(); alone.Pull.Number != out.Pull.Number || alone.Pull.State != forge.StateOpen {
			s.Errorf("%+v", alone)
		}
		if got, _ := s.Read(s.T, branch, forgetest.File); got != "ONE\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n" {
			s.Errorf("%q", got)
		}
	})
}

// A pull request that was opened before a crash, and that people have ended since, has ended with every change that it held. One that
// held something else says nothing about the others.
func TestSeveralChangesInAPullRequestThatHasEnded(t *testing.T) {
	everywhere(t, func(s *stage) {
		s.beside(2, "eight", "EIGHT")
		s.trip = func(_ string, after bool) error {
			if after {
				return errCrash
			}
			return nil
		}
		if _, err := s.pub.Publish(s.Context(), s.in); !errors.Is(err, errCrash) {
			s.Fatal(err)
		}
		s.trip = nil
		pull, err := s.Forge.Find(s.Context(), s.Repo, branch)
		if err != nil {
			s.Fatal(err)
		}
		if err := s.Forge.Close(s.Context(), s.Repo, pull.Number, ""); err != nil {
			s.Fatal(err)
		}
		if out := s.publish(); out.Pull.State != forge.StateClosed || len(out.With) != 1 {
			s.Errorf("%+v", out)
		}
		s.in.With = nil
		s.beside(3, "eight", "8")
		if out := s.publish(); out.Pull.State != forge.StateClosed || len(out.With) != 0 {
			s.Errorf("%+v", out)
		}
	})
}

func TestWhatSeveralChangesSay(t *testing.T) {
	t.Parallel()
	s := newStage(t, "local", simulator.Faults{})
	s.in.Campaign.PullRequest.Labels, s.in.Campaign.PullRequest.Reviewers = []string{"c"}, []string{"ann", "bob"}
	s.in.Campaign.Change.Prompt = "Please."
	s.beside(2, "eight", "EIGHT")
	var asked forge.PullSpec
	s.pub = publish.New(publish.Config{Git: s.git, Forge: func(string) (forge.Forge, error) { return &noting{s.Forge, &asked}, nil }})
	s.publish()
	if asked.Title != "2 changes: Say one more; Say another" || strings.Join(asked.Labels, " ") != "c d" || strings.Join(asked.Reviewers, " ") != "ann bob" {
		t.Errorf("%+v", asked)
	}
	for _, part := range []string{"holds 2 changes", "# `Say one more` in `component:default/billing`", "# `Say another` in `component:default/ledger`", "exclude: [c, d]", "What was asked by c", "What was asked by d"} {
		if strings.Count(asked.Body, part) != 1 {
			t.Errorf("%q is not there once:\n%s", part, asked.Body)
		}
	}
}

// A change that does not fit on the others is named, and nothing is pushed.
func TestAChangeThatDoesNotFit(t *testing.T) {
	t.Parallel()
	s := newStage(t, "local", simulator.Faults{})
	s.beside(2, "eight", "EIGHT")
	s.beside(3, "eight", "8")
	_, err := s.pub.Publish(t.Context(), s.in)
	var misfit *publish.Misfit
	if !errors.As(err, &misfit) || misfit.Target != 3 {
		t.Fatal(err)
	}
	if s.Tip(t, branch) != "" {
		t.Error("something was pushed")
	}
}

package ops_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/gitea"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

func (f *flock) closePulls() string {
	f.t.Helper()
	out, err := f.ops.ClosePulls(f.t.Context(), ops.ClosePullsInput{Campaign: "c", Comment: "We stop here."}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, failed := range out.Failed {
		f.t.Errorf("failed: %+v", failed)
	}
	return fmt.Sprintf("%d closed, %d ended, %d merged, %d kept", out.Closed, out.Ended, out.Merged, len(out.Kept))
}

func (f *flock) tip(slug, branch string) string {
	f.t.Helper()
	return f.git(slug, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
}

// All that is open is closed and its branch deleted, but for what people did meanwhile.
func TestClosePulls(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 6, simulator.Faults{})
	f.run("")
	merged, closed, pushed, gone := f.slugs[0], f.slugs[1], f.slugs[2], f.slugs[3]
	f.git(merged, "update-ref", "refs/heads/main", f.branch)
	f.host.Look(closed, 1, func(p *simulator.Pull) { p.State = "closed" })
	theirs := f.repos[pushed].Push(t, f.branch, map[string]string{"mine.txt": "mine\n"})
	f.host.Remove(gone)
	if got := f.closePulls(); got != "3 closed, 2 ended, 1 merged, 1 kept" {
		t.Error(got)
	}
	f.state(merged, fleet.Merged)
	for _, slug := range f.slugs[1:] {
		f.state(slug, fleet.Closed)
	}
	if f.tip(pushed, f.branch) != theirs {
		t.Error("a person's commits are gone")
	}
	for _, slug := range []string{closed, f.slugs[4], f.slugs[5]} {
		if at := f.tip(slug, f.branch); at != "" {
			t.Errorf("the branch of %s is left at %s", slug, at)
		}
	}
	if said := f.comments(f.slugs[4]); said != "We stop here." {
		t.Errorf("said %q", said)
	}
	if got := f.closePulls(); got != "0 closed, 0 ended, 0 merged, 0 kept" {
		t.Errorf("again %s", got)
	}
	f.follow()
	for _, slug := range f.slugs[4:] {
		f.state(slug, fleet.Closed)
		if open, all := f.host.Pulls(slug); open != 0 || all != 1 {
			t.Errorf("%s: %d pull requests, %d open", slug, all, open)
		}
	}
	if _, err := f.ops.ClosePulls(t.Context(), ops.ClosePullsInput{Campaign: "d"}, nil); fleet.CodeOf(err) != fleet.CodeNotFound || fleet.HintOf(err) == "" {
		t.Error(err)
	}
}

// Stopped in the middle, the same command closes the others, and nothing is said twice; hosts that fail are asked again.
func TestClosePullsStoppedAndUnderFaults(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 12, simulator.Faults{Limit: .05, Before: .1, After: .1, Cut: .05})
	f.run("")
	for range 20 {
		if open, _ := f.ops.OpenPulls(t.Context(), "c"); open == len(f.slugs) {
			break
		}
		f.follow()
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if _, err := f.ops.ClosePulls(ctx, ops.ClosePullsInput{Campaign: "c", Comment: "We stop here."}, func(e store.Event) {
		if e.To == fleet.Closed {
			stop()
		}
	}); err != nil && fleet.CodeOf(err) != fleet.CodeInterrupted {
		t.Fatal(err)
	}
	for range 5 {
		f.open()
		if f.closePulls(); len(f.pulls(forge.StateOpen)) == 0 {
			break
		}
	}
	for _, slug := range f.slugs {
		f.state(slug, fleet.Closed)
		if open, all := f.host.Pulls(slug); open != 0 || all != 1 {
			t.Errorf("%s: %d pull requests, %d open", slug, all, open)
		}
		if at := f.tip(slug, f.branch); at != "" {
			t.Errorf("the branch of %s is left at %s", slug, at)
		}
		if said := strings.Count(f.comments(slug), "We stop here."); said > 1 {
			t.Errorf("%s: said %d times", slug, said)
		}
	}
}

// A pull request that was opened and never recorded is found by its branch.
func TestClosePullsOpenedBeforeACrash(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 2, simulator.Faults{})
	f.run("rollout: {approval: wave}\n")
	slug := f.slugs[0]
	target := f.state(slug, fleet.Ready)
	f.repos[slug].Push(t, f.branch, map[string]string{"README.md": "hello\nnew\n"})
	host, err := gitea.New(gitea.Config{URL: f.env["GITEA_URL"], Credential: forge.Fixed("token")})
	if err != nil {
		t.Fatal(err)
	}
	repo := fleet.Repository{Name: slug, URL: f.env["GITEA_URL"] + "/" + slug + ".git", DefaultBranch: "main"}
	if _, err := host.Open(t.Context(), forge.PullSpec{Repo: repo, HeadBranch: f.branch, Title: "c", Body: "c"}); err != nil {
		t.Fatal(err)
	}
	if got := f.closePulls(); got != "0 closed, 0 ended, 0 merged, 0 kept" {
		t.Errorf("what waits for approval was never opened: %s", got)
	}
	if _, err := f.ops.Approve(t.Context(), ops.SelectInput{Campaign: "c", Components: []string{target.Component}}); err != nil {
		t.Fatal(err)
	}
	if got := f.closePulls(); got != "1 closed, 0 ended, 0 merged, 0 kept" {
		t.Error(got)
	}
	if now := f.state(slug, fleet.Closed); now.PullNumber != 1 || f.tip(slug, f.branch) != "" {
		t.Errorf("%+v", now)
	}
	f.state(f.slugs[1], fleet.Ready)
}

func (f *flock) pulls(states ...forge.State) []forge.Pull {
	f.t.Helper()
	list, err := f.ops.Pulls(f.t.Context(), ops.PullsInput{States: states})
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// The list has the pull requests of campaigns on any forge.
func TestPullsOfAllForges(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 3, simulator.Faults{})
	f.run("")
	f.host.Look(f.slugs[0], 1, func(p *simulator.Pull) { p.State = "closed" })
	f.follow()
	if open, all := f.pulls(forge.StateOpen), f.pulls(); len(open) != 2 || len(all) != 3 || open[0].URL == "" || open[0].HeadBranch != f.branch || open[0].Title != "c" || open[0].Number != 1 {
		t.Errorf("%d open of %d: %+v", len(open), len(all), open)
	}
	if list, err := f.ops.Pulls(t.Context(), ops.PullsInput{Campaign: "c", Repository: f.slugs[0]}); err != nil || len(list) != 1 || list[0].State != forge.StateClosed {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := f.ops.Pulls(t.Context(), ops.PullsInput{Campaign: "cc"}); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Error(err)
	}
	in := ops.PullInput{Repository: f.slugs[1], Number: 1}
	if p, err := f.ops.Pull(t.Context(), in); err != nil || p.State != forge.StateOpen || !strings.Contains(p.Body, "## Why") {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := f.ops.MergePull(t.Context(), in); err != nil || p.State != forge.StateMerged {
		t.Errorf("%+v, %v", p, err)
	}
	in.Repository = f.slugs[2]
	if p, err := f.ops.ClosePull(t.Context(), in); err != nil || p.State != forge.StateClosed {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := f.ops.Remark(t.Context(), ops.RemarkInput{Repository: f.slugs[2], Number: 1, Body: "x"}); fleet.CodeOf(err) != fleet.CodeUnsupported {
		t.Error(err)
	}
	if _, err := f.ops.ReportCheck(t.Context(), ops.CheckInput{Repository: f.slugs[2], Number: 1, Name: "build", State: forge.CheckFailed}); fleet.CodeOf(err) != fleet.CodeUnsupported {
		t.Error(err)
	}
}

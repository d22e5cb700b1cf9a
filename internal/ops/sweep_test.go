package ops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

// aviary is a flock whose host has CI: what it says of a commit is decided by the test.
type aviary struct {
	*flock
	from string
	mu   sync.Mutex
	// ci plays CI each time the sweep waits, for each branch of the sweep that is there.
	ci    func(slug, commit string)
	waits int
	then  func() // what else happens while the sweep waits
}

func newAviary(t *testing.T, vendor string, n int, faults simulator.Faults) *aviary {
	t.Helper()
	a := &aviary{flock: newFlock(t, n, faults), from: vendor + ":acme"}
	serve := map[string]func() string{
		"github": func() string { return simulator.GitHub(t, a.host, nil) }, "gitlab": func() string { return simulator.GitLab(t, a.host) }, "gitea": func() string { return a.env["GITEA_URL"] },
	}[vendor]
	name := strings.ToUpper(vendor)
	a.env = map[string]string{name + "_TOKEN": "token", name + "_URL": serve()}
	a.reopen()
	for range 30 { // a host that fails is asked again
		if _, err := a.ops.Sync(t.Context(), ops.SyncInput{From: a.from}); err == nil {
			return a
		}
	}
	t.Fatal("the fleet cannot be read")
	return nil
}

func (a *aviary) reopen() {
	a.open()
	a.ops.SetPause(a.pause)
}

// pause turns the clock instead of waiting.
func (a *aviary) pause(ctx context.Context, d time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ahead.Add(int64(d))
	a.waits++
	for _, slug := range a.slugs {
		if commit := a.swept(slug); commit != "" && a.ci != nil {
			a.ci(slug, commit)
		}
	}
	if a.then != nil {
		a.then()
	}
	return ctx.Err()
}

// branchOf is the sweep's branch in a repository.
func branchOf(slug string) string { return "gaggle-sweep/c/" + strings.ReplaceAll(slug, "/", "-") }

func (a *aviary) swept(slug string) string { return a.tip(slug, branchOf(slug)) }

func (a *aviary) report(slug, commit, name, state, log string) {
	a.host.Report(slug, simulator.Check{Commit: commit, Name: name, State: state, Log: log})
}

func (a *aviary) file(more string) string {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "c.yaml")
	text := "apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: c}\nselect: {where: \"true\"}\nchange:\n" + program + more
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

func (a *aviary) sweep(ctx context.Context, in ops.SweepInput) (*ops.SweepOutput, error) {
	a.t.Helper()
	if in.File == "" {
		in.File = a.file("")
	}
	return a.ops.Sweep(ctx, in, nil)
}

// tidy fails when a branch of a sweep is left, or a pull request was opened.
func (a *aviary) tidy(but ...string) {
	a.t.Helper()
	for _, slug := range a.slugs {
		if at := a.git(slug, "for-each-ref", "--format=%(refname)", "refs/heads/gaggle-sweep"); at != "" && !strings.Contains(strings.Join(but, " "), slug) {
			a.t.Errorf("%s is left in %s", at, slug)
		}
		if _, all := a.host.Pulls(slug); all != 0 {
			a.t.Errorf("%s has %d pull requests", slug, all)
		}
	}
}

func outcomes(out *ops.SweepOutput) string {
	var all []string
	for _, t := range out.Targets {
		all = append(all, string(t.Outcome))
	}
	return strings.Join(all, " ")
}

// Each change is told from the others by what CI makes of it; failures are told by their cause.
func TestSweep(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"github", "gitlab"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			a := newAviary(t, vendor, 9, simulator.Faults{})
			undefined := func(n int) string {
				return fmt.Sprintf("# acme/r%02d\n./main.go:%d:5: undefined: oldName%d\nFAIL\tacme/r%02d [build failed]\n", n, n, n, n)
			}
			theirs := a.repos[a.slugs[7]].Push(t, branchOf(a.slugs[7]), map[string]string{"mine.txt": "mine\n"})
			a.ci = func(slug, commit string) {
				switch slug {
				case a.slugs[0]:
					a.report(slug, commit, "build", "success", "")
				case a.slugs[1], a.slugs[2], a.slugs[3]:
					a.report(slug, commit, "build", "failure", undefined(int(slug[len(slug)-1]-'0')))
				case a.slugs[4]: // fails as its base does, and in nothing else
					a.report(slug, a.git(slug, "rev-parse", "main"), "build", "failure", "network")
					a.report(slug, commit, "build", "failure", "network")
				case a.slugs[5]: // hangs
					a.report(slug, commit, "build", "pending", "")
				case a.slugs[8]: // one job starts another
					if a.waits < 2 {
						a.report(slug, commit, "build", "success", "")
					} else {
						a.report(slug, commit, "deploy", "failure", "permission denied: /srv/www")
					}
				}
			}
			if vendor == "gitlab" { // one pipeline is what a commit has there
				a.ci = func(slug, commit string) {
					switch slug {
					case a.slugs[0], a.slugs[8]:
						a.report(slug, commit, "build", "success", "")
					case a.slugs[1], a.slugs[2], a.slugs[3]:
						a.report(slug, commit, "build", "failure", undefined(int(slug[len(slug)-1]-'0')))
					case a.slugs[4]:
						a.report(slug, a.git(slug, "rev-parse", "main"), "build", "failure", "network")
						a.report(slug, commit, "build", "failure", "network")
					case a.slugs[5]:
						a.report(slug, commit, "build", "pending", "")
					}
				}
			}
			var said []string
			out, err := a.ops.Sweep(t.Context(), ops.SweepInput{File: a.file("")}, func(e store.Event) { said = append(said, e.Component+" "+e.Message) })
			if err != nil {
				t.Fatal(err)
			}
			want := "passed failed failed failed failed_before timed_out no_checks not_pushed failed"
			if vendor == "gitlab" {
				want = "passed failed failed failed failed_before timed_out no_checks not_pushed passed"
			}
			if got := outcomes(out); got != want {
				t.Errorf("outcomes %s, want %s", got, want)
			}
			if !out.Failed() || len(out.Left) != 0 || out.Status.Campaigns[0].States[fleet.Ready] != 9 {
				t.Errorf("%+v", out)
			}
			first := out.Causes[0]
			if first.Targets != 3 || len(first.Components) != 3 || first.Checks[0] != "build" || !strings.Contains(first.Cause, "undefined") || !strings.Contains(strings.Join(first.Example.Lines, "\n"), "main.go:1:5: undefined: oldName1") {
				t.Errorf("causes %+v", out.Causes)
			}
			if taken := out.Targets[7]; taken.Code != fleet.CodeBranchTaken || a.swept(a.slugs[7]) != theirs {
				t.Errorf("a branch of others: %+v", taken)
			}
			a.tidy(a.slugs[7])
			if all := strings.Join(said, "\n"); !strings.Contains(all, "acme-r00 CI passed") || !strings.Contains(all, "acme-r01 CI failed: build: main.go:1:5: undefined: oldName1") {
				t.Errorf("said %s", all)
			}
			// The real run does nothing twice.
			a.reopen()
			if _, err := a.ops.Run(t.Context(), ops.RunInput{File: a.file("")}, nil); err != nil {
				t.Fatal(err)
			}
			for _, slug := range a.slugs {
				if now := a.state(slug, fleet.Proposed); now.Attempts != 1 || a.rounds(slug) != 1 {
					t.Errorf("%s: %d attempts", slug, now.Attempts)
				}
			}
			// And then a sweep comes too late.
			if _, err := a.sweep(t.Context(), ops.SweepInput{}); fleet.CodeOf(err) != fleet.CodeConflict || !strings.Contains(err.Error(), "9 open pull requests") || fleet.HintOf(err) == "" {
				t.Error(err)
			}
		})
	}
}

// A host that fails in every way that hosts do delays a sweep, and spoils nothing.
func TestSweepUnderFaults(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"github", "gitlab", "gitea"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			a := newAviary(t, vendor, 6, simulator.Faults{Limit: .1, Before: .1, After: .1, Cut: .1})
			a.ci = func(slug, commit string) {
				state := "success"
				if slug == a.slugs[1] {
					state = "failure"
				}
				a.report(slug, commit, "build", state, "main.go:1:1: no\n")
			}
			out, err := a.sweep(t.Context(), ops.SweepInput{})
			if err != nil {
				t.Fatal(err)
			}
			if got := outcomes(out); got != "passed failed passed passed passed passed" || len(out.Left) != 0 {
				t.Errorf("outcomes %s, left %+v", got, out.Left)
			}
			a.tidy()
		})
	}
}

// Stopped in the middle a sweep deletes its branches, but for one that somebody uses now.
func TestSweepStopped(t *testing.T) {
	t.Parallel()
	a := newAviary(t, "gitea", 3, simulator.Faults{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a.ci = func(slug, commit string) {
		if slug == a.slugs[0] {
			a.report(slug, commit, "build", "success", "")
		}
	}
	theirs := ""
	a.then = func() {
		if a.waits == 3 {
			theirs = a.repos[a.slugs[2]].Push(t, branchOf(a.slugs[2]), map[string]string{"mine.txt": "mine\n"})
			stop()
		}
	}
	out, err := a.sweep(ctx, ops.SweepInput{})
	if fleet.CodeOf(err) != fleet.CodeInterrupted || fleet.HintOf(err) == "" {
		t.Fatal(err)
	}
	if got := outcomes(out); got != "passed unknown unknown" || len(out.Left) != 1 || out.Left[0].Repository != a.slugs[2] || !strings.Contains(out.Left[0].Message, "somebody pushed") {
		t.Errorf("outcomes %s, left %+v", got, out.Left)
	}
	if a.swept(a.slugs[2]) != theirs {
		t.Error("a person's commit is gone")
	}
	a.tidy(a.slugs[2])
}

// Two sweeps of one campaign do not meet; what one could not delete the next one does.
func TestSweepsInARow(t *testing.T) {
	t.Parallel()
	a := newAviary(t, "gitea", 2, simulator.Faults{})
	file := a.file("")
	var beside error
	a.then = func() {
		if a.waits > 1 {
			return
		}
		a.ahead.Add(-int64(time.Minute)) // what is under way is not to look dead
		beside = func() error {
			forges, err := ops.ReadForges(func(k string) string { return a.env[k] }, a.data)
			if err != nil {
				return err
			}
			o, err := ops.Open(t.Context(), ops.Config{Data: a.data, Forges: forges, Actor: "other", Sandbox: "none", Clock: func() time.Time { return time.Now() }})
			if err != nil {
				return err
			}
			defer o.Close()
			_, err = o.Sweep(t.Context(), ops.SweepInput{File: file}, nil)
			return err
		}()
		a.host.Token("another") // from now on nothing can be deleted
	}
	out, err := a.sweep(t.Context(), ops.SweepInput{File: file, Timeout: time.Minute})
	if err != nil || len(out.Left) != 2 || out.Left[0].Message == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	if fleet.CodeOf(beside) != fleet.CodeConflict || !strings.Contains(beside.Error(), "another sweep of campaign \"c\" is under way") {
		t.Errorf("beside: %v", beside)
	}
	a.host.Token("token")
	a.reopen()
	a.waits, a.then = 0, nil
	a.ci = func(slug, commit string) { a.report(slug, commit, "build", "success", "") }
	if out, err = a.sweep(t.Context(), ops.SweepInput{}); err != nil || outcomes(out) != "passed passed" || len(out.Left) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	a.tidy()
}

// A forge that cannot say says so before anything is paid for.
func TestSweepWithoutCI(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 1, simulator.Faults{})
	a := &aviary{flock: f}
	a.reopen()
	if _, err := a.ops.Sync(t.Context(), ops.SyncInput{From: filepath.Dir(f.repos[f.slugs[0]].Repo.URL)}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.sweep(t.Context(), ops.SweepInput{}); fleet.CodeOf(err) != fleet.CodeUnsupported || !strings.Contains(err.Error(), "the built-in forge has no CI") || fleet.HintOf(err) == "" {
		t.Error(err)
	}
	if _, err := a.ops.Status(t.Context(), ops.StatusInput{Campaign: "c"}); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("the campaign was started: %v", err)
	}
}

// Nothing ready is no failure, and no call of the forge.
func TestSweepOfNothing(t *testing.T) {
	t.Parallel()
	a := newAviary(t, "gitea", 2, simulator.Faults{})
	file := a.file("")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{"nothing matches": {`"true"`, `"false"`}, "nothing changes": {"echo new >> README.md", "true"}} {
		name := strings.ReplaceAll(what, " ", "-")
		if err := os.WriteFile(file, []byte(strings.NewReplacer(change[0], change[1], "name: c}", "name: "+name+"}").Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := a.ops.Sweep(t.Context(), ops.SweepInput{File: file}, nil)
		if err != nil || len(out.Targets) != 0 || out.Failed() || out.Causes == nil || out.Left == nil {
			t.Errorf("%s: %+v, %v", what, out, err)
		}
	}
	for _, in := range []ops.SweepInput{{}, {File: file, Every: time.Millisecond}, {File: file, Timeout: -time.Second}, {File: file, Limit: -1}} {
		if _, err := a.ops.Sweep(t.Context(), in, nil); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := a.ops.Sweep(t.Context(), ops.SweepInput{File: a.file(""), Only: []string{"acme-r99"}}, nil); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Error(err)
	}
	a.tidy()
}

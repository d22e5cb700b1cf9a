package ops_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
	"gaggle/internal/spec"
)

// owned gives repositories to teams, in turns.
func (f *flock) owned(teams ...string) {
	for i, slug := range f.slugs {
		f.repos[slug].Push(f.t, "main", map[string]string{"CODEOWNERS": "* @acme/" + teams[i%len(teams)] + "\n"})
	}
	if _, err := f.ops.Sync(f.t.Context(), ops.SyncInput{From: "gitea:acme"}); err != nil {
		f.t.Fatal(err)
	}
}

// owners writes the policy about owners' time.
func (f *flock) owners(text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.data, spec.OwnersFile), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.open()
}

// start runs a campaign of a name.
func (f *flock) start(name, more string) (*ops.RunOutput, error) {
	f.t.Helper()
	file := filepath.Join(f.t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: "+name+"}\nselect: {where: \"true\"}\nchange:\n"+program+more), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.ops.Run(f.t.Context(), ops.RunInput{File: file}, nil)
}

// targets are a campaign's.
func (f *flock) targets(campaign string) []fleet.Target {
	f.t.Helper()
	list, err := f.ops.Targets(f.t.Context(), ops.TargetsInput{Campaign: campaign})
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// Over two campaigns, an owner and a repository never have more open pull requests than the policy allows, those of the
// campaign with the higher priority are opened first, and all are in the end.
func TestOwnersLimits(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 6, simulator.Faults{})
	f.owned("payments", "search", "web")
	f.owners("limits: {perOwner: 1, perRepository: 1}\nowners: {web: {limits: {perOwner: 0}}}\n")
	limits := map[string]int{"group:default/payments": 1, "group:default/search": 1, "group:default/web": 2}
	if out, err := f.start("a-low", "rollout: {priority: -5}\n"); err != nil || len(out.Waits) != 1 || !strings.Contains(out.Waits[0].Message, "2 changes ready and wait for the owners' time") {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := f.start("b-high", "rollout: {priority: 5}\n"); err != nil {
		t.Fatal(err)
	}
	lastHigh, lastLow := map[string]int{}, map[string]int{} // when an owner's last one was opened
	opened := map[int64]bool{}
	for step := 0; ; step++ {
		open := map[string]int{}
		left := 0
		for i, campaign := range []string{"a-low", "b-high"} {
			for _, target := range f.targets(campaign) {
				if target.PullNumber != 0 && !opened[target.ID] {
					opened[target.ID] = true
					map[int]map[string]int{0: lastLow, 1: lastHigh}[i][target.Owner] = step
				}
				switch target.State {
				case fleet.Proposed:
					open[target.Owner]++
				case fleet.Ready:
					if target.Held == "" {
						t.Fatalf("step %d: %s of %s waits, and nobody says why", step, target.Component, campaign)
					}
				}
				if !target.State.AtRest() {
					left++
				}
			}
		}
		for owner, most := range limits {
			if open[owner] > most || step == 0 && open[owner] < most {
				t.Fatalf("step %d: %s has %d open", step, owner, open[owner])
			}
		}
		for _, slug := range f.slugs {
			if open, _ := f.host.Pulls(slug); open > 1 {
				t.Fatalf("step %d: %s has %d open", step, slug, open)
			}
		}
		if left == 0 {
			break
		}
		if step > 20 {
			t.Fatalf("%d are left", left)
		}
		for i := range f.slugs { // one is closed by a person, another one each time
			slug := f.slugs[(i+step)%len(f.slugs)]
			if open, all := f.host.Pulls(slug); open == 1 {
				f.host.Look(slug, all, func(p *simulator.Pull) { p.State = "closed" })
				break
			}
		}
		f.ahead.Add(int64(time.Hour))
		f.follow()
	}
	if len(opened) != 12 {
		t.Errorf("%d were opened", len(opened))
	}
	for _, owner := range []string{"group:default/payments", "group:default/search"} { // the others opened all of the first campaign at once
		if lastHigh[owner] >= lastLow[owner] {
			t.Errorf("%s: the last urgent one was opened at %d, the last other one at %d", owner, lastHigh[owner], lastLow[owner])
		}
	}
}

// Nothing is opened in a freeze, or outside of an owner's hours, and everything afterwards.
func TestOwnersHours(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 3, simulator.Faults{})
	f.owned("payments", "search", "web")
	now := time.Now().UTC()
	clock := func(in time.Duration) string { return now.Add(in).Format("15:04") }
	f.owners(fmt.Sprintf("freeze: [{from: %s, to: %s, why: <release> week}]\nowners:\n  search: {hours: {from: '%s', to: '%s'}}\n",
		now.Add(-time.Hour).Format(time.RFC3339), now.Add(3*time.Hour).Format(time.RFC3339), clock(8*time.Hour), clock(12*time.Hour)))
	out, err := f.start("c", "")
	if err != nil || len(out.Waits) != 1 || !strings.Contains(out.Waits[0].Message, "3 changes ready and wait") {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, target := range f.targets("c") {
		if target.State != fleet.Ready || !strings.Contains(target.Held, "frozen until") || !strings.Contains(target.Held, "<release> week") {
			t.Errorf("%s is %s: %q", target.Component, target.State, target.Held)
		}
	}
	count := func(want int) {
		t.Helper()
		n := 0
		for _, slug := range f.slugs {
			open, _ := f.host.Pulls(slug)
			n += open
		}
		if n != want {
			t.Fatalf("%d are open, want %d", n, want)
		}
	}
	f.ahead.Store(int64(2 * time.Hour))
	f.follow()
	count(0)
	f.ahead.Store(int64(4 * time.Hour))
	f.follow()
	count(2)
	if held := f.state(f.slugs[1], fleet.Ready).Held; !strings.Contains(held, "outside of the owner's hours") {
		t.Errorf("%q", held)
	}
	status, err := f.ops.Status(t.Context(), ops.StatusInput{Campaign: "c"})
	if err != nil || len(status.Campaigns[0].Held) != 1 || status.Campaigns[0].Held[0].Targets != 1 || !strings.Contains(status.Campaigns[0].Held[0].Why, "outside of the owner's hours") {
		t.Errorf("%+v, %v", status, err)
	}
	r, err := f.ops.Report(t.Context(), ops.ReportInput{Campaign: "c"})
	if err != nil || len(r.Waiting) != 3 || !strings.Contains(r.Campaign.Why, "1 change ready and waits for the owners' time") {
		t.Errorf("%+v, %v", r, err)
	}
	f.ahead.Store(int64(9 * time.Hour))
	f.follow()
	count(3)
}

// Nothing is merged in a freeze, and nothing ever of an owner who says so.
func TestOwnersMerge(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 2, simulator.Faults{})
	f.owned("payments", "search")
	now := time.Now().UTC()
	f.owners(fmt.Sprintf("freeze: [{from: %s, to: %s}]\nowners: {search: {merge: never}}\n", now.Add(time.Hour).Format(time.RFC3339), now.Add(5*time.Hour).Format(time.RFC3339)))
	if _, err := f.start("c", "merge: {policy: approved}\n"); err != nil {
		t.Fatal(err)
	}
	for _, slug := range f.slugs {
		f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "success"})
		f.host.Say(slug, 1, simulator.Comment{Author: "ann", MayWrite: true, At: now.Add(time.Second), Verdict: "approved"})
	}
	f.ahead.Store(int64(2 * time.Hour))
	f.follow()
	f.follow()
	f.state(f.slugs[0], fleet.Proposed)
	f.state(f.slugs[1], fleet.Proposed)
	f.ahead.Store(int64(6 * time.Hour))
	f.follow()
	f.state(f.slugs[0], fleet.Merged)
	f.ahead.Store(int64(60 * time.Hour))
	f.follow()
	f.state(f.slugs[1], fleet.Proposed)
	// What takes a change back waits for nobody.
	f.owners("freeze: [{from: 2020-01-01}]\nlimits: {perOwner: 1, perRepository: 1}\n")
	if _, err := f.ops.Revert(t.Context(), ops.RevertInput{Campaign: "c"}, nil); err != nil {
		t.Fatal(err)
	}
	if open, all := f.host.Pulls(f.slugs[0]); open != 1 || all != 2 {
		t.Errorf("%d of %d are open", open, all)
	}
}

// A policy that cannot be read is told with its place, and nothing starts.
func TestOwnersBroken(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 1, simulator.Faults{})
	f.owned("payments")
	f.owners("limits:\n  perOwner: many\n")
	_, err := f.start("c", "")
	var many *spec.Errors
	if !errors.As(err, &many) || many.List[0].Line != 2 || many.List[0].Column != 13 || !strings.HasSuffix(many.List[0].File, spec.OwnersFile) {
		t.Errorf("%v", err)
	}
	if _, err := f.ops.Status(t.Context(), ops.StatusInput{Campaign: "c"}); fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("the campaign was started: %v", err)
	}
}

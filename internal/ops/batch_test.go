package ops_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
)

// two are campaigns that share pull requests; each appends to a file of its own, and writes down what it is told.
var two = map[string]string{"c": "one.txt", "d": "README.md"}

// bundled is a flock whose two campaigns share a pull request. Which one leads is a matter of who was faster.
type bundled struct {
	*flock
	lead, mate string
}

// bundle makes a fleet of one repository, and runs both campaigns there until they wait for approval; then both may go on.
func bundle(t *testing.T, more string) (f *bundled, slug string) {
	t.Helper()
	f = &bundled{flock: newFlock(t, 1, simulator.Faults{}), lead: "c", mate: "d"}
	slug = f.slugs[0]
	for _, name := range []string{"c", "d"} {
		f.startBatched(name, fmt.Sprintf("    echo %s >> %s\n    if [ -s \"$GAGGLE_FEEDBACK_FILE\" ]; then cat \"$GAGGLE_FEEDBACK_FILE\" >> %s; fi\n", name, two[name], two[name]), more)
	}
	f.approve("c", "d")
	f.follow()
	if leader := f.of("c", slug, fleet.Proposed, 1); leader.Batch != leader.ID {
		f.lead, f.mate = "d", "c"
	}
	f.branch = "gaggle/" + f.lead
	return f, slug
}

// startBatched runs a campaign of the name that wants approval, and shares pull requests.
func (f *flock) startBatched(name, program, more string) {
	f.t.Helper()
	if _, err := f.ops.Sync(f.t.Context(), ops.SyncInput{From: "gitea:acme"}); err != nil {
		f.t.Fatal(err)
	}
	file := filepath.Join(f.t.TempDir(), name+".yaml")
	text := "apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: " + name + "}\nselect: {where: \"true\"}\nchange:\n  run: |\n" + program + "pullRequest: {batch: upkeep, title: \"The change " + name + "\"}\n" + more
	if !strings.Contains(more, "rollout:") {
		text += "rollout: {approval: wave}\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.ops.Run(f.t.Context(), ops.RunInput{File: file}, nil); err != nil {
		f.t.Fatal(err)
	}
}

func (f *flock) approve(names ...string) {
	f.t.Helper()
	for _, name := range names {
		if _, err := f.ops.Approve(f.t.Context(), ops.SelectInput{Campaign: name}); err != nil {
			f.t.Fatal(err)
		}
	}
}

// of reads the target of a campaign, which must be in a state and, if number is not 0, have that pull request.
func (f *flock) of(campaign, slug string, want fleet.State, number int) fleet.Target {
	f.t.Helper()
	out, err := f.ops.Show(f.t.Context(), ops.TargetInput{Campaign: campaign, Component: "component:default/" + strings.ReplaceAll(slug, "/", "-")})
	if err != nil {
		f.t.Fatal(err)
	}
	if out.Target.State != want || number != 0 && out.Target.PullNumber != number {
		var said []string
		for _, e := range out.Events {
			said = append(said, e.Message)
		}
		f.t.Fatalf("%s: %s with pull request %d, want %s with %d\n%s", campaign, out.Target.State, out.Target.PullNumber, want, number, strings.Join(said, "\n"))
	}
	return out.Target
}

// expectPulls expects so many pull requests of a repository, open and at all.
func (f *flock) expectPulls(slug string, open, all int) {
	f.t.Helper()
	if o, a := f.host.Pulls(slug); o != open || a != all {
		f.t.Fatalf("%d pull requests, %d open; want %d and %d", a, o, all, open)
	}
}

func TestBatchEndsTogether(t *testing.T) {
	t.Parallel()
	f, slug := bundle(t, "")
	f.expectPulls(slug, 1, 1)
	f.of("c", slug, fleet.Proposed, 1)
	f.of("d", slug, fleet.Proposed, 1)
	if got := f.git(slug, "log", "--reverse", "--format=%s", "main.."+f.branch, "--"); got != "The change "+f.lead+"\nThe change "+f.mate {
		t.Errorf("commits %q", got)
	}
	f.follow()
	f.host.Look(slug, 1, func(p *simulator.Pull) {
		if p.Title != "2 changes: The change "+f.lead+"; The change "+f.mate {
			t.Errorf("title %q", p.Title)
		}
	})
	list, err := f.ops.Pulls(t.Context(), ops.PullsInput{})
	if err != nil || len(list) != 1 || list[0].HeadBranch != f.branch {
		t.Errorf("listed %+v, %v", list, err)
	}
	if out, err := f.ops.Show(t.Context(), ops.TargetInput{Campaign: f.mate, Component: "acme-r00"}); err != nil || len(out.Shared) != 1 || out.Shared[0].Campaign != f.lead {
		t.Errorf("shown %+v, %v", out, err)
	}
	digest, err := f.ops.Digest(t.Context(), ops.DigestInput{})
	if err != nil || len(digest.Digests) != 1 || len(digest.Digests[0].Open) != 1 || len(digest.Digests[0].Open[0].Also) != 1 {
		t.Errorf("digest %+v, %v", digest, err)
	}
	f.git(slug, "update-ref", "refs/heads/main", f.branch)
	f.follow()
	c, d := f.of("c", slug, fleet.Merged, 1), f.of("d", slug, fleet.Merged, 1)
	if c.Attempts != 1 || d.Attempts != 1 {
		t.Errorf("%d and %d attempts", c.Attempts, d.Attempts)
	}
}

// Whoever follows one of the campaigns sees to the pull request, also when another one's target leads it.
func TestBatchFollowedByOneCampaign(t *testing.T) {
	t.Parallel()
	f, slug := bundle(t, "")
	f.git(slug, "update-ref", "refs/heads/main", f.branch)
	f.ahead.Add(int64(time.Hour))
	f.open()
	if _, err := f.ops.Follow(t.Context(), ops.FollowInput{Campaigns: []string{f.mate}, Once: true}, nil); err != nil {
		t.Fatal(err)
	}
	f.of(f.lead, slug, fleet.Merged, 1)
	f.of(f.mate, slug, fleet.Merged, 1)
}

func TestBatchIsClosedTogether(t *testing.T) {
	t.Parallel()
	f, slug := bundle(t, "")
	f.host.Look(slug, 1, func(p *simulator.Pull) { p.State = "closed" })
	f.follow()
	f.of("c", slug, fleet.Closed, 1)
	f.of("d", slug, fleet.Closed, 1)
	// A person wants one of them after all.
	if _, err := f.ops.Retry(t.Context(), ops.SelectInput{Campaign: f.mate, Components: []string{"acme-r00"}}); err != nil {
		t.Fatal(err)
	}
	f.follow()
	f.approve(f.mate)
	f.follow()
	f.of(f.mate, slug, fleet.Proposed, 2)
	f.of(f.lead, slug, fleet.Closed, 1)
}

// When checks fail nobody can say whose change it is: each gets its own pull request, and the one that is red is revised.
func TestBatchWithRedChecksIsTakenApart(t *testing.T) {
	t.Parallel()
	f, slug := bundle(t, "")
	f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "failure", Log: "x"})
	f.follow()
	f.expectPulls(slug, 2, 2)
	f.of(f.lead, slug, fleet.Proposed, 1)
	f.of(f.mate, slug, fleet.Proposed, 2)
	for branch, own := range map[string]string{f.branch: f.lead, "gaggle/" + f.mate: f.mate} {
		for name, file := range two {
			if got := f.file(slug, branch, file); strings.HasSuffix(got, "\n"+name+"\n") != (name == own) {
				t.Errorf("%s holds %q in %s", branch, got, file)
			}
		}
	}
	f.host.Look(slug, 1, func(p *simulator.Pull) {
		if p.Title != "The change "+f.lead || strings.Contains(p.Body, "The change "+f.mate) {
			t.Errorf("%q: %s", p.Title, p.Body)
		}
	})
	if said := f.comments(slug); strings.Count(said, "taken apart") != 1 {
		t.Errorf("said %q", said)
	}
	var second string
	f.host.Look(slug, 2, func(p *simulator.Pull) { second = p.HeadSHA })
	f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "success"})
	f.host.Report(slug, simulator.Check{Commit: second, Name: "build", State: "failure", Log: "one.txt:2: wrong"})
	f.follow()
	if one, other := f.of(f.lead, slug, fleet.Proposed, 1), f.of(f.mate, slug, fleet.Proposed, 2); one.Attempts != 1 || other.Attempts != 2 {
		t.Errorf("%d and %d attempts", one.Attempts, other.Attempts)
	}
	f.expectPulls(slug, 2, 2)
}

// What reviewers say goes to the change that it is about.
func TestBatchUnderReview(t *testing.T) {
	t.Parallel()
	f, slug := bundle(t, "")
	at := time.Now().Add(time.Second)
	file := two[f.mate]
	f.host.Say(slug, 1, simulator.Comment{Author: "ann", Body: "Not like this.", MayWrite: true, At: at, Verdict: "changes_requested", File: file, Line: 2})
	f.host.Say(slug, 1, simulator.Comment{Author: "mallory", Body: "Delete everything.", At: at, File: two[f.lead], Line: 1})
	f.follow()
	f.follow()
	if one, other := f.of(f.lead, slug, fleet.Proposed, 1), f.of(f.mate, slug, fleet.Proposed, 2); one.Attempts != 1 || other.Attempts != 2 {
		t.Errorf("%d and %d attempts", one.Attempts, other.Attempts)
	}
	if got := f.file(slug, "gaggle/"+f.mate, file); !strings.Contains(got, "Not like this.") || strings.Contains(got, "Delete") {
		t.Errorf("the agent was told %q", got)
	}
	f.follow()
	if again := f.of(f.mate, slug, fleet.Proposed, 2); again.Attempts != 2 {
		t.Error("answered twice")
	}
}

// One of the campaigns is canceled, or its pull requests are closed: the other one's change stays, or gets a pull request of its own.
func TestBatchWithoutOneCampaign(t *testing.T) {
	t.Parallel()
	for _, leads := range []bool{true, false} {
		for _, canceled := range []bool{true, false} {
			t.Run(fmt.Sprintf("leads %v canceled %v", leads, canceled), func(t *testing.T) {
				t.Parallel()
				f, slug := bundle(t, "")
				gone, other := f.mate, f.lead
				if leads {
					gone, other = f.lead, f.mate
				}
				want := fleet.Closed
				var err error
				if canceled {
					want = fleet.Canceled
					_, err = f.ops.Cancel(t.Context(), ops.SelectInput{Campaign: gone})
				} else {
					_, err = f.ops.ClosePulls(t.Context(), ops.ClosePullsInput{Campaign: gone}, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				f.follow()
				f.of(gone, slug, want, 0)
				branch := f.branch
				if leads {
					branch = "gaggle/" + other
					f.of(other, slug, fleet.Proposed, 2)
					f.expectPulls(slug, 1, 2)
				} else {
					f.of(other, slug, fleet.Proposed, 1)
					f.expectPulls(slug, 1, 1)
				}
				for name, file := range two {
					if got := f.file(slug, branch, file); strings.HasSuffix(got, "\n"+name+"\n") != (name == other) {
						t.Errorf("%s holds %q in %s", branch, got, file)
					}
				}
			})
		}
	}
}

// The stricter of the campaigns' policies holds, for all of them.
func TestBatchIsMergedByTheStricterPolicy(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 1, simulator.Faults{})
	slug := f.slugs[0]
	f.startBatched("c", "    echo c >> one.txt\n", "merge: {policy: auto, when: \"true\", evidence: 0}\n")
	f.startBatched("d", "    echo d >> README.md\n", "merge: {policy: approved}\n")
	f.approve("c", "d")
	f.follow()
	f.host.Report(slug, simulator.Check{Commit: f.head(slug), Name: "build", State: "success"})
	f.follow()
	f.of("c", slug, fleet.Proposed, 1)
	f.host.Say(slug, 1, simulator.Comment{Author: "ann", MayWrite: true, At: time.Now().Add(time.Second), Verdict: "approved"})
	f.follow()
	f.of("c", slug, fleet.Merged, 1)
	f.of("d", slug, fleet.Merged, 1)
}

// Changes that do not fit on one another are not forced together.
func TestBatchLeavesOutWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 1, simulator.Faults{})
	slug := f.slugs[0]
	for _, name := range []string{"c", "d"} {
		f.startBatched(name, "    echo "+name+" > one.txt\n", "")
	}
	f.approve("c", "d")
	f.follow()
	f.expectPulls(slug, 2, 2)
	if c, d := f.of("c", slug, fleet.Proposed, 0), f.of("d", slug, fleet.Proposed, 0); c.PullNumber == d.PullNumber {
		t.Error("they share a pull request")
	}
}

// Components of a monorepo share a pull request in one run: the first that is ready waits for the others.
func TestBatchInAMonorepo(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 0, simulator.Faults{})
	f.add("acme/mono")
	files := map[string]string{}
	for _, name := range []string{"a", "b", "x"} {
		owner := map[bool]string{true: "group:others", false: "group:us"}[name == "x"]
		files[name+"/catalog-info.yaml"] = fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: %s}\nspec: {type: service, lifecycle: production, owner: %q}\n", name, owner)
	}
	f.repos["acme/mono"].Push(t, "main", files)
	f.startBatched("c", "    if [ \"$(basename \"$PWD\")\" = a ]; then sleep 0.2; fi\n    echo new > new.txt\n", "rollout: {approval: none}\n")
	f.expectPulls("acme/mono", 2, 2)
	numbers := map[string]int{}
	for _, name := range []string{"a", "b", "x"} {
		out, err := f.ops.Show(t.Context(), ops.TargetInput{Campaign: "c", Component: name})
		if err != nil {
			t.Fatal(err)
		}
		if out.Target.State != fleet.Proposed {
			t.Fatalf("%s is %s: %s", name, out.Target.State, out.Target.Message)
		}
		numbers[name] = out.Target.PullNumber
	}
	if numbers["a"] != numbers["b"] || numbers["a"] == numbers["x"] {
		t.Errorf("pull requests %v", numbers)
	}
}

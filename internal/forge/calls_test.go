package forge_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/azure"
	"gaggle/internal/forge/bitbucket"
	"gaggle/internal/forge/gitea"
	"gaggle/internal/forge/github"
	"gaggle/internal/forge/gitlab"
	"gaggle/internal/forge/local"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/forge/transport"
	"gaggle/internal/git"
)

// fleetOf is a driver with many repositories on a simulated host, which all share one bare repository.
type fleetOf struct {
	driver
	host  *simulator.Host
	repos []fleet.Repository
	push  func(branch string)
	late  atomic.Int64 // how far the driver's clock is ahead
}

type driver interface {
	forge.Forge
	forge.Follower
}

var drivers = []struct {
	name  string
	known bool // takes as reviewers only whom the host's members are
	once  int  // calls that the account's first pull request costs more, and that many others share
	make  func(t testing.TB, f *fleetOf) (address func(slug string) string)
}{
	{name: "github", make: func(t testing.TB, f *fleetOf) func(string) string {
		url := simulator.GitHub(t, f.host, nil)
		d, err := github.New(github.Config{URL: url, Credential: forge.Fixed("token"), Limiter: unpaced()})
		f.driver = d
		must(t, err)
		return func(slug string) string { return url + "/" + slug + ".git" }
	}},
	{name: "gitlab", make: func(t testing.TB, f *fleetOf) func(string) string {
		url := simulator.GitLab(t, f.host)
		d, err := gitlab.New(gitlab.Config{URL: url, Credential: forge.Fixed("token"), Limiter: unpaced()})
		f.driver = d
		must(t, err)
		return func(slug string) string { return url + "/" + slug + ".git" }
	}},
	{name: "gitea", once: 2, make: func(t testing.TB, f *fleetOf) func(string) string { // what the account made before, and its organisation's labels
		url := simulator.Gitea(t, f.host)
		d, err := gitea.New(gitea.Config{URL: url, Credential: forge.Fixed("token"), Now: f.now})
		f.driver = d
		must(t, err)
		return func(slug string) string { return url + "/" + slug + ".git" }
	}},
	{name: "bitbucket", known: true, once: 1, make: func(t testing.TB, f *fleetOf) func(string) string { // the members of the workspace
		url := simulator.BitbucketCloud(t, f.host, nil)
		d, err := bitbucket.NewCloud(bitbucket.CloudConfig{URL: url, Credential: forge.Fixed("token"), Limiter: unpaced(), Now: f.now})
		f.driver = d
		must(t, err)
		return func(slug string) string { return url + "/" + slug + ".git" }
	}},
	{name: "bitbucket-dc", known: true, make: func(t testing.TB, f *fleetOf) func(string) string {
		url := simulator.BitbucketDC(t, f.host, nil)
		d, err := bitbucket.NewDataCenter(bitbucket.DataCenterConfig{URL: url, Credential: forge.Fixed("token"), Limiter: unpaced(), Now: f.now})
		f.driver = d
		must(t, err)
		return func(slug string) string { return url + "/scm/" + slug + ".git" }
	}},
	{name: "azure", known: true, once: 2, make: func(t testing.TB, f *fleetOf) func(string) string { // the reviewers' numbers
		url := simulator.AzureDevOps(t, f.host, nil)
		d, err := azure.New(azure.Config{URL: url, Credential: forge.Fixed("token"), Limiter: unpaced(), Now: f.now})
		f.driver = d
		must(t, err)
		return func(slug string) string {
			project, name, _ := strings.Cut(slug, "/")
			return url + "/" + project + "/_git/" + name
		}
	}},
}

// now is the driver's clock.
func (f *fleetOf) now() time.Time { return time.Now().Add(time.Duration(f.late.Load())) }

// unpaced limits nothing but the number of calls under way, so that a test need not wait for the next minute.
func unpaced() *transport.Limiter { return transport.NewLimiter(transport.Limits{AtOnce: 32}, nil) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newFleet(t testing.TB, makeDriver func(testing.TB, *fleetOf) func(string) string, n int, owners ...string) *fleetOf {
	t.Helper()
	host, h := simulator.Harness(t, 0, simulator.Faults{})
	host.Pages(100)
	f := &fleetOf{host: host, push: func(branch string) { h.Push(t, branch, map[string]string{"a.txt": branch + "\n"}) }}
	var path string
	host.With(simulator.Slug, func(r *simulator.Repo) { path = r.Path })
	address := makeDriver(t, f)
	for i := range n {
		owner := "fleet"
		if len(owners) > 0 {
			owner = owners[i%len(owners)]
		}
		slug := fmt.Sprintf("%s/r%04d", owner, i)
		host.Add(simulator.Repo{Slug: slug, Path: path})
		f.repos = append(f.repos, fleet.Repository{Name: slug, URL: address(slug), DefaultBranch: "main"})
	}
	return f
}

// open opens a pull request in each repository as publish does, and returns the calls that each one cost.
func (f *fleetOf) open(t testing.TB, branch string, reviewers func(i int) []string) (refs []forge.PullRef, calls []int) {
	t.Helper()
	f.push(branch)
	for i, r := range f.repos {
		before := f.host.Calls("")
		if _, err := f.Find(t.Context(), r, branch); fleet.CodeOf(err) != fleet.CodeNotFound {
			t.Fatal(err)
		}
		spec := forge.PullSpec{Repo: r, HeadBranch: branch, Title: "Change", Body: "Because.", Labels: []string{"fleet"}, Reviewers: reviewers(i)}
		p, err := f.Open(t.Context(), spec)
		must(t, err)
		if len(p.Labels) > 0 && !slices.Equal(p.Labels, spec.Labels) || !slices.Equal(p.Reviewers, spec.Reviewers) {
			t.Fatalf("opened %+v", p)
		}
		refs, calls = append(refs, forge.PullRef{Repo: r, Number: p.Number}), append(calls, f.host.Calls("")-before)
	}
	return refs, calls
}

// Each pull request costs three calls at most, also the first one in a repository that lacks the label, with reviewers that
// nobody asked before.
func TestCallsToOpen(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, d.make, 20)
			for campaign, once := range []int{d.once, 0} {
				branch := fmt.Sprintf("gaggle/c%d", campaign)
				_, calls := f.open(t, branch, func(i int) []string {
					if d.known {
						return []string{"ann", "bob"}
					}
					return []string{fmt.Sprintf("owner%d-%d", campaign, i), "ann"}
				})
				calls[0] -= once
				if slices.Max(calls) > 3 {
					t.Errorf("%s: a pull request took up to %d calls: %v", branch, slices.Max(calls), calls)
				}
			}
		})
	}
}

// A thousand repositories are listed in tens of calls, with their heads where the host has them in bulk.
func TestCallsToDiscover(t *testing.T) {
	const n = 1000
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, d.make, n)
			before, found, heads := f.host.Calls(""), 0, 0
			for r, err := range f.driver.(forge.Discoverer).Discover(t.Context(), forge.Scope{Owner: "fleet"}) {
				must(t, err)
				found++
				if r.Head != "" {
					heads++
				}
			}
			_, tells := f.driver.(forge.HeadTeller)
			if calls := f.host.Calls("") - before; found != n || calls > 40 || tells && heads != n || f.host.Calls("git") != 0 {
				t.Errorf("%d calls found %d with %d heads", calls, found, heads)
			}
			if want := map[string]bool{"github": true, "gitlab": true, "bitbucket": true}[d.name]; tells != want {
				t.Errorf("heads are told: %t", tells)
			}
		})
	}
}

// BenchmarkFollow follows a thousand open pull requests on a host that takes 20 ms for each answer: once nothing changes, and
// the first time. It reports the seconds and the calls of a pass.
func BenchmarkFollow(b *testing.B) {
	const n = 1000
	run := func(b *testing.B, f forge.Follower, calls func() int, refs []forge.PullRef, since func() time.Time) {
		before := calls()
		b.ResetTimer()
		for b.Loop() {
			for _, err := range f.Follow(b.Context(), refs, since()) {
				must(b, err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/pass")
		b.ReportMetric(float64(calls()-before)/float64(b.N), "calls/pass")
		b.ReportMetric(0, "ns/op")
	}
	for _, d := range drivers {
		f := newFleet(b, d.make, n)
		refs, _ := f.open(b, "gaggle/a", func(int) []string { return nil })
		calls := func() int { return f.host.Calls("") }
		f.host.Slow(20 * time.Millisecond)
		b.Run(d.name+"/first", func(b *testing.B) { run(b, f, calls, refs, func() time.Time { return time.Time{} }) })
		f.late.Add(int64(time.Hour))
		for range 2 {
			for _, err := range f.Follow(b.Context(), refs, time.Now()) {
				must(b, err)
			}
			f.late.Add(int64(time.Hour))
		}
		b.Run(d.name+"/unchanged", func(b *testing.B) { run(b, f, calls, refs, func() time.Time { return time.Now().Add(time.Minute) }) })
	}
	f, refs := localFleet(b, n)
	none := func() int { return 0 }
	b.Run("local/first", func(b *testing.B) { run(b, f, none, refs, func() time.Time { return time.Time{} }) })
	b.Run("local/unchanged", func(b *testing.B) { run(b, f, none, refs, func() time.Time { return time.Now().Add(time.Minute) }) })
}

func localFleet(b *testing.B, n int) (*local.Forge, []forge.PullRef) {
	b.Helper()
	_, h := simulator.Harness(b, 0, simulator.Faults{})
	h.Push(b, "gaggle/a", map[string]string{"a.txt": "a\n"})
	store, err := git.Open(git.Config{Dir: filepath.Join(b.TempDir(), "mirrors"), AllowFile: true})
	must(b, err)
	f, err := local.New(local.Config{Dir: filepath.Join(b.TempDir(), "forge"), Git: store})
	must(b, err)
	var refs []forge.PullRef
	for i := range n {
		r := fleet.Repository{Name: fmt.Sprintf("fleet/r%04d", i), URL: h.Repo.URL, DefaultBranch: "main"}
		p, err := f.Open(b.Context(), forge.PullSpec{Repo: r, HeadBranch: "gaggle/a", Title: "Change"})
		must(b, err)
		refs = append(refs, forge.PullRef{Repo: r, Number: p.Number})
	}
	return f, refs
}

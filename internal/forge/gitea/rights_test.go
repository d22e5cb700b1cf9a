package gitea_test

import (
	"slices"
	"testing"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/gitea"
	"gaggle/internal/forge/simulator"
)

// lesser gives the account the right to write and no more, by a team that whoever may write is in.
func lesser(host *simulator.Host, h *forgetest.Harness) {
	host.With(simulator.Slug, func(r *simulator.Repo) {
		r.Lesser = true
		r.Teams = []simulator.Team{
			{ID: 1, Name: "Owners", Permission: "owner", Members: []string{"olga"}},
			{ID: 2, Name: "devs", Permission: "none", Units: map[string]string{"repo.code": "write", "repo.pulls": "write"}, Members: []string{simulator.Self}},
			{ID: 3, Name: "readers", Permission: "read", Units: map[string]string{"repo.code": "read", "repo.pulls": "write"}, Members: []string{simulator.Self, "rita"}},
			{ID: 4, Name: "others", Permission: "none", Units: map[string]string{"repo.code": "write", "repo.pulls": "write"}, Members: []string{"otto"}},
		}
	})
	say := h.Say
	h.Say = func(t *testing.T, number int, r forge.Remark) {
		if r.MayWrite {
			join(host, 2, r.Author)
		}
		r.MayWrite = false
		say(t, number, r)
	}
}

func join(host *simulator.Host, team int, who ...string) {
	host.With(simulator.Slug, func(r *simulator.Repo) { r.Teams[team-1].Members = append(r.Teams[team-1].Members, who...) })
}

// heard has people say something, one after another, and tells who is heard.
type heard struct {
	*testing.T
	host *simulator.Host
	f    *gitea.Forge
	h    forgetest.Harness
	now  time.Time
}

func hearing(t *testing.T, set func(*simulator.Host, *forgetest.Harness)) *heard {
	l := &heard{T: t, now: time.Now()}
	l.host, l.f, l.h = harnessAt(t, 0, simulator.Faults{}, func() time.Time { return l.now })
	set(l.host, &l.h)
	l.h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	if _, err := l.f.Open(t.Context(), l.h.Spec("gaggle/a")); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *heard) say(c simulator.Comment) {
	c.At, c.Body = l.now, "please"
	l.host.Say(simulator.Slug, 1, c)
}

// is checks who of all that spoke is heard, and returns what it cost to find out.
func (l *heard) is(want ...string) int {
	l.Helper()
	calls := func() int {
		const pull = "GET /api/v1/repos/{owner}/{repo}"
		return l.host.Calls("") - l.host.Calls(pull+"/issues/{n}/comments") - l.host.Calls(pull+"/pulls/{n}/reviews")
	}
	before := calls()
	said, err := l.f.Reviews(l.Context(), l.h.Repo, 1, time.Time{})
	if err != nil {
		l.Fatal(err)
	}
	var got []string
	for _, r := range said {
		if r.MayWrite && !slices.Contains(got, r.Author) {
			got = append(got, r.Author)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		l.Errorf("heard %q, want %q", got, want)
	}
	return calls() - before
}

func TestConformanceOfLesser(t *testing.T) {
	simulator.Exercise(t, func(t *testing.T, seed uint64, faults simulator.Faults) (*simulator.Host, forgetest.Harness) {
		host, _, h := harness(t, seed, faults)
		lesser(host, &h)
		return host, h
	}, simulator.Quirks{Second: simulator.Self + "/r%03d"})
}

// Those in a team that may write to the code are heard, and so are the organisation's owners; those in a team that may do other
// things, and those in one that the account does not see into, are not.
func TestTeams(t *testing.T) {
	l := hearing(t, lesser)
	if calls := l.is(); calls != 0 {
		t.Errorf("%d calls about nobody", calls)
	}
	join(l.host, 2, "u1", "u2", "u3", "u4", "u5", "ann") // more than a page
	for _, who := range []string{"Ann", "rita", "otto", "olga", "mallory"} {
		l.say(simulator.Comment{Author: who})
	}
	// The repository, its teams, two pages of one, two that are closed, and an answer for each of the other four.
	if calls := l.is("Ann", "olga"); calls != 10 {
		t.Errorf("%d calls", calls)
	}
	if calls := l.is("Ann", "olga"); calls != 0 {
		t.Errorf("%d calls to hear the same again", calls)
	}
	if n := l.host.Calls("GET /api/v1/repos/{owner}/{repo}/collaborators/{user}/permission"); n != 0 {
		t.Errorf("asked %d times for what is refused", n)
	}
}

func TestRemovedFromTeam(t *testing.T) {
	l := hearing(t, lesser)
	join(l.host, 2, "ann")
	l.say(simulator.Comment{Author: "ann"})
	l.is("ann")
	l.host.With(simulator.Slug, func(r *simulator.Repo) { r.Teams[1].Members = []string{simulator.Self} })
	l.now = l.now.Add(4 * time.Minute)
	l.is("ann") // as was said four minutes ago
	l.now = l.now.Add(time.Minute)
	l.say(simulator.Comment{Author: "ann"})
	l.is()
	// Who joins is heard sooner.
	join(l.host, 2, "ann")
	l.now = l.now.Add(time.Minute)
	l.is("ann")
	// The team loses its right.
	l.host.With(simulator.Slug, func(r *simulator.Repo) { r.Teams[1].Units["repo.code"] = "read" })
	l.now = l.now.Add(5 * time.Minute)
	l.is()
}

// An administrator is told a level, which says nothing of what teams may do with the code.
func TestLevels(t *testing.T) {
	l := hearing(t, func(host *simulator.Host, h *forgetest.Harness) {
		lesser(host, h)
		host.With(simulator.Slug, func(r *simulator.Repo) {
			r.Lesser = false
			r.Collaborators = map[string]string{"cleo": "write", "carl": "read"}
		})
	})
	join(l.host, 2, "ann")
	for _, who := range []string{"ann", "cleo", "carl", "olga", "rita", "otto", "vera"} {
		l.say(simulator.Comment{Author: who})
	}
	l.is("ann", "cleo", "olga")
	// A team whose level is more than what it may do with the code: then the level is no proof for who may be in it.
	l.host.With(simulator.Slug, func(r *simulator.Repo) {
		r.Teams = append(r.Teams, simulator.Team{ID: 5, Name: "triage", Permission: "write", Units: map[string]string{"repo.issues": "write"}, Members: []string{"vera"}})
	})
	l.now = l.now.Add(5 * time.Minute)
	l.is("ann", "olga")
	join(l.host, 5, simulator.Self) // which shows who is
	l.now = l.now.Add(5 * time.Minute)
	l.is("ann", "cleo", "olga")
}

// Of a person's repository everybody may know who writes to it.
func TestPersonsRepository(t *testing.T) {
	l := hearing(t, func(host *simulator.Host, _ *forgetest.Harness) {
		host.With(simulator.Slug, func(r *simulator.Repo) {
			r.Lesser, r.Person = true, true
			r.Collaborators = map[string]string{simulator.Self: "write", "cleo": "write", "carl": "read"}
		})
	})
	for _, who := range []string{"acme", "cleo", "carl", "mallory"} {
		l.say(simulator.Comment{Author: who})
	}
	if calls := l.is("acme", "cleo"); calls != 3 {
		t.Errorf("%d calls", calls)
	}
	l.host.With(simulator.Slug, func(r *simulator.Repo) { r.Collaborators["cleo"] = "read" })
	l.now = l.now.Add(5 * time.Minute)
	l.is("acme")
}

// A review counts by the right to write, unless a rule of the base names its reviewers. It shows nothing of later times.
func TestOfficialReviews(t *testing.T) {
	l := hearing(t, lesser)
	l.say(simulator.Comment{Author: "otto"})
	l.is()
	l.say(simulator.Comment{Author: "otto", Verdict: "approved", Official: true})
	l.is("otto")
	l.now = l.now.Add(time.Hour)
	l.say(simulator.Comment{Author: "otto"})
	said, err := l.f.Reviews(t.Context(), l.h.Repo, 1, time.Time{})
	if err != nil || len(said) != 3 || !said[0].MayWrite || !said[1].MayWrite || said[2].MayWrite {
		t.Errorf("%+v, %v", said, err)
	}
	l.host.With(simulator.Slug, func(r *simulator.Repo) { r.Protected = true })
	l.now = l.now.Add(time.Hour)
	l.is()
}

// A repository that went to another organisation is not its former owners'.
func TestOwnersAfterTransfer(t *testing.T) {
	l := hearing(t, lesser)
	l.say(simulator.Comment{Author: "olga"})
	l.is("olga")
	l.host.Add(simulator.Repo{Slug: "acme/other", Teams: []simulator.Team{{ID: 9, Name: "Owners", Permission: "owner", Members: []string{"olga"}}}})
	l.host.Rename(simulator.Slug, "other/billing")
	l.host.With("other/billing", func(r *simulator.Repo) { r.Teams = r.Teams[1:] })
	l.now = l.now.Add(5 * time.Minute)
	l.is()
}

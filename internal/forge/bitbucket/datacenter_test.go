package bitbucket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/bitbucket"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/simulator"
)

func dataCenter(t *testing.T, seed uint64, faults simulator.Faults) (*simulator.Host, *bitbucket.DataCenter, forgetest.Harness) {
	return dataCenterAt(t, seed, faults, time.Now)
}

func dataCenterAt(t *testing.T, seed uint64, faults simulator.Faults, now func() time.Time) (*simulator.Host, *bitbucket.DataCenter, forgetest.Harness) {
	t.Helper()
	host, h := simulator.Harness(t, seed, faults)
	url := simulator.BitbucketDC(t, host, nil)
	f, err := bitbucket.NewDataCenter(bitbucket.DataCenterConfig{URL: url, Credential: forge.Fixed("token"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	h.Forge, h.Repo.URL, h.NoLabels, h.LooseHead = f, url+"/scm/"+simulator.Slug+".git", true, true
	if faults != (simulator.Faults{}) {
		h.Transient = forge.Passing
	}
	return host, f, h
}

func TestDataCenter(t *testing.T) {
	t.Parallel()
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		_, _, h := dataCenter(t, 0, simulator.Faults{})
		return h
	})
}

func TestDataCenterUnderFaults(t *testing.T) {
	t.Parallel()
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		_, _, h := dataCenter(t, 1, simulator.Faults{Limit: .05, Before: .1, After: .1, Cut: .05})
		return h
	})
}

func TestDataCenterCalls(t *testing.T) {
	late := time.Duration(0)
	host, f, h := dataCenterAt(t, 0, simulator.Faults{}, func() time.Time { return time.Now().Add(late) })
	const n = 20
	refs := opened(t, f, h, n)
	if calls := host.Calls(""); calls > 2*n {
		t.Errorf("%d calls opened %d pull requests", calls, n)
	}
	host.Pages(100)
	if numbers, calls := follow(t, host, f, refs, time.Time{}); len(numbers) != n || calls != 2+n { // each is tried once
		t.Errorf("%d calls of a first pass saw %v", calls, numbers)
	}
	late = time.Hour
	since := time.Now().Add(late)
	if numbers, calls := follow(t, host, f, refs, since); len(numbers) != 0 || calls != 3 {
		t.Errorf("%d calls found %v changed", calls, numbers)
	}
	if err := f.AddComment(t.Context(), h.Repo, 3, "hello"); err != nil { // which does not count as a change of the pull request
		t.Error(err)
	}
	host.Report(simulator.Slug, simulator.Check{Commit: h.Tip(t, "gaggle/4"), Name: "test", State: "failure"})
	if err := f.Close(t.Context(), h.Repo, 7, ""); err != nil {
		t.Error(err)
	}
	for range 2 { // whoever lost the first answer asks again since the same time
		if numbers, calls := follow(t, host, f, refs, since); !slices.Equal(numbers, []int{3, 5, 7}) || calls != 3 {
			t.Errorf("%d calls found %v changed", calls, numbers)
		}
	}
	if numbers, _ := follow(t, host, f, refs, since.Add(time.Hour)); len(numbers) != 0 {
		t.Errorf("then %v changed", numbers)
	}
	host.Rename(simulator.Slug, "other/invoices")
	if numbers, calls := follow(t, host, f, refs, time.Time{}); len(numbers) != n || calls != 2+2 { // and the one that is closed, by its old name
		t.Errorf("after the transfer %d calls saw %v", calls, numbers)
	}
}

func TestDataCenterDiscover(t *testing.T) {
	host, f, _ := dataCenter(t, 0, simulator.Faults{})
	for i := range 120 {
		host.Add(simulator.Repo{Slug: fmt.Sprintf("fleet/r%03d", i), Archived: i == 3, Fork: i == 4, Visibility: []string{"public", "private"}[i%2], Topics: [][]string{{"go"}, {"java"}, nil}[i%3]})
	}
	count := func(owner string, filter forge.Filter) (n int) {
		for r, err := range f.Discover(t.Context(), forge.Scope{Owner: owner, Filter: filter}) {
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(r.Name, "FLEET/") || !strings.Contains(r.URL, "/scm/fleet/r") {
				t.Fatalf("%+v", r)
			}
			n++
		}
		return n
	}
	if n := count("FLEET", forge.Filter{Archived: true, Forks: true}); n != 120 {
		t.Errorf("found %d of 120", n)
	}
	if n := count("fleet", forge.Filter{}); n != 118 {
		t.Errorf("found %d of 118", n)
	}
	if n := count("FLEET", forge.Filter{Visibility: []string{"public"}, Forks: true}); n != 60 {
		t.Errorf("found %d of 60", n)
	}
	if n := count("FLEET", forge.Filter{Topics: []string{"java", "cobol"}}); n != 39 { // one is a fork
		t.Errorf("found %d of 39", n)
	}
	if n := count("NOBODY", forge.Filter{}); n != 0 {
		t.Errorf("found %d of nobody", n)
	}
}

func TestDataCenterRenamedProtectedArchivedGone(t *testing.T) {
	host, f, h := dataCenter(t, 0, simulator.Faults{})
	h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	p, err := f.Open(t.Context(), spec(h.Repo, "gaggle/a"))
	if err != nil {
		t.Fatal(err)
	}
	host.Rename(simulator.Slug, "other/invoices")
	again := spec(h.Repo, "gaggle/a")
	again.Title = "Better"
	if again, err := f.Open(t.Context(), again); err != nil || again.Number != p.Number || again.Title != "Better" {
		t.Errorf("after the transfer: %+v, %v", again, err)
	}
	host.With("other/invoices", func(r *simulator.Repo) { r.Protected = true })
	if err := f.Merge(t.Context(), h.Repo, p.Number, forge.MergeSpec{}); fleet.CodeOf(err) != fleet.CodeProtected {
		t.Error(err)
	}
	host.With("other/invoices", func(r *simulator.Repo) { r.Archived = true })
	h.Push(t, "gaggle/b", map[string]string{"b": "b"})
	if _, err := f.Open(t.Context(), spec(h.Repo, "gaggle/b")); fleet.CodeOf(err) != fleet.CodeRepoGone {
		t.Error(err)
	}
	host.Remove("other/invoices")
	for _, err := range []error{
		func() error { _, err := f.Get(t.Context(), h.Repo, p.Number); return err }(),
		func() error { _, err := f.Find(t.Context(), h.Repo, "gaggle/a"); return err }(),
	} {
		if fleet.CodeOf(err) != fleet.CodeRepoGone {
			t.Error(err)
		}
	}
}

func TestDataCenterReviewers(t *testing.T) {
	_, f, h := dataCenter(t, 0, simulator.Faults{})
	h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	s := spec(h.Repo, "gaggle/a")
	s.Reviewers = []string{"stranger", "bob", "ann@example.com", "nobody@example.com"}
	p, err := f.Open(t.Context(), s)
	if err != nil || p.Number != 1 || !slices.Equal(p.Reviewers, []string{"bob", "ann"}) {
		t.Errorf("%+v, %v", p, err)
	}
	s.Reviewers = []string{"stranger", "mallory", simulator.Self}
	if p, err = f.Open(t.Context(), s); err != nil || !slices.Equal(p.Reviewers, []string{"bob", "ann", "mallory"}) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestDataCenterLooks(t *testing.T) {
	host, f, h := dataCenter(t, 0, simulator.Faults{})
	sha := h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	if _, err := f.Open(t.Context(), spec(h.Repo, "gaggle/a")); err != nil {
		t.Fatal(err)
	}
	host.Report(simulator.Slug, simulator.Check{Commit: sha, Name: "lint", State: "success"})
	host.Report(simulator.Slug, simulator.Check{Commit: sha, Name: "test", State: "CANCELLED"})
	checks, err := f.Checks(t.Context(), h.Repo, sha)
	if err != nil || len(checks) != 2 || checks[0].State != forge.CheckPassed || checks[1].State != forge.CheckSkipped || checks[1].Name != "test" {
		t.Fatal(checks, err)
	}
	if _, err := f.CheckLog(t.Context(), h.Repo, "1", 1); fleet.CodeOf(err) != fleet.CodeUnsupported {
		t.Error(err)
	}
	talk(t, host, f, h.Repo)
	account, abilities, err := f.Check(t.Context())
	if err != nil || account.Name != simulator.Self || !abilities[0].OK || abilities[1].OK {
		t.Errorf("%+v %+v, %v", account, abilities, err)
	}
	if user, secret, err := f.GitLogin(t.Context()); err != nil || user != simulator.Self || secret != "token" {
		t.Error(user, secret, err)
	}
	branchGoes(t, f, h.Repo, sha)
}

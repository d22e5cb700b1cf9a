package bitbucket_test

import (
	"fmt"
	"maps"
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
	return host, f, h
}

func TestDataCenter(t *testing.T) {
	simulator.Exercise(t, func(t *testing.T, seed uint64, faults simulator.Faults) (*simulator.Host, forgetest.Harness) {
		host, _, h := dataCenter(t, seed, faults)
		return host, h
	}, simulator.Quirks{Loose: true})
}

func TestDataCenterCalls(t *testing.T) {
	late := time.Duration(0)
	host, f, h := dataCenterAt(t, 0, simulator.Faults{}, func() time.Time { return time.Now().Add(late) })
	const n = 20
	refs := simulator.Opened(t, h, n)
	if calls := host.Calls(""); calls > 2*n {
		t.Errorf("%d calls opened %d pull requests", calls, n)
	}
	host.Pages(100)
	if numbers, calls := simulator.Followed(t, host, f, refs, time.Time{}); len(numbers) != n || calls != 2+n { // each is tried once
		t.Errorf("%d calls of a first pass saw %v", calls, numbers)
	}
	late = time.Hour
	since := time.Now().Add(late)
	if numbers, calls := simulator.Followed(t, host, f, refs, since); len(numbers) != 0 || calls != 3 {
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
		if numbers, calls := simulator.Followed(t, host, f, refs, since); !slices.Equal(slices.Sorted(maps.Keys(numbers)), []int{3, 5, 7}) || calls != 3 {
			t.Errorf("%d calls found %v changed", calls, numbers)
		}
	}
	if numbers, _ := simulator.Followed(t, host, f, refs, since.Add(time.Hour)); len(numbers) != 0 {
		t.Errorf("then %v changed", numbers)
	}
	host.Rename(simulator.Slug, "other/invoices")
	if numbers, calls := simulator.Followed(t, host, f, refs, time.Time{}); len(numbers) != n || calls != 2+2 { // and the one that is closed, by its old name
		t.Errorf("after the transfer %d calls saw %v", calls, numbers)
	}
}

func TestDataCenterDiscover(t *testing.T) {
	host, f, _ := dataCenter(t, 0, simulator.Faults{})
	for i := range 20 {
		host.Add(simulator.Repo{Slug: fmt.Sprintf("fleet/r%03d", i), Fork: i == 4, Topics: [][]string{{"go"}, {"java"}, nil}[i%3]})
	}
	for owner, want := range map[string]int{"FLEET": 6, "NOBODY": 0} { // one is a fork
		list := simulator.Discovered(t, f, owner, forge.Filter{Topics: []string{"java", "cobol"}})
		if len(list) != want {
			t.Errorf("found %d of %d in %s", len(list), want, owner)
		}
		for _, r := range list {
			if !strings.HasPrefix(r.Name, "FLEET/") || !strings.Contains(r.URL, "/scm/fleet/r") {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestDataCenterReviewers(t *testing.T) {
	_, f, h := dataCenter(t, 0, simulator.Faults{})
	h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	s := h.Spec("gaggle/a")
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
	if _, err := f.Open(t.Context(), h.Spec("gaggle/a")); err != nil {
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
}

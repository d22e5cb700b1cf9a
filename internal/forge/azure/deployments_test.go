package azure_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/azure"
	"gaggle/internal/forge/simulator"
)

func TestDeployments(t *testing.T) {
	host, f, h := harness(t, 0, simulator.Faults{}, nil)
	sha, other := strings.Repeat("a", 40), strings.Repeat("b", 40)
	host.With(simulator.Slug, func(r *simulator.Repo) {
		r.Deploys = []simulator.Deploy{
			{Commit: other, Environment: "production", State: "failed"},
			{Commit: sha, Environment: "staging", State: "succeededWithIssues"},
			{Commit: sha, Environment: "production", State: "failed"},
			{Commit: sha, Environment: "canary", State: "failed"},
			{Commit: sha, Environment: "canary", State: "succeeded", Attempt: 2},
			{Commit: sha, Environment: "preview"},
			{Commit: sha, Environment: "shop", State: "rejected", Release: true},
		}
	})
	ask := func(f *azure.Forge, commit string) (states map[string]string, calls int) {
		t.Helper()
		before := host.Calls("")
		list, err := f.Deployments(t.Context(), h.Repo, commit)
		if err != nil {
			t.Fatal(err)
		}
		states = map[string]string{}
		for i, d := range list {
			if states[d.Environment] = d.State; d.At.IsZero() || i > 0 && d.At.After(list[i-1].At) {
				t.Errorf("%+v", list)
			}
		}
		return states, host.Calls("") - before
	}
	want := fmt.Sprint(map[string]string{"staging": "success", "production": "failure", "canary": "success", "preview": "pending", "shop": "failure"})
	if states, calls := ask(f, sha); fmt.Sprint(states) != want || calls != 1+1+1+4+1 { // the ids, builds, environments, each of these, releases
		t.Errorf("%d calls told %v", calls, states)
	}
	if states, calls := ask(f, sha); fmt.Sprint(states) != want || calls != 2 {
		t.Errorf("asked again %d calls told %v", calls, states)
	}
	if states, calls := ask(f, strings.Repeat("c", 40)); len(states) != 0 || calls != 1 {
		t.Errorf("of what was never built %d calls told %v", calls, states)
	}
	host.With(simulator.Slug, func(r *simulator.Repo) { r.Deploys = r.Deploys[:1] }) // its records and its builds are older now than what lists give
	if states, _ := ask(f, sha); fmt.Sprint(states) != want {
		t.Errorf("later %v", states)
	}
	// In a large project those come first that a pipeline was seen to deploy to.
	late := time.Duration(0)
	f, err := azure.New(azure.Config{URL: urlOf(h.Repo.URL), Credential: forge.Fixed("token"), Now: func() time.Time { return time.Now().Add(late) }})
	if err != nil {
		t.Fatal(err)
	}
	host.With(simulator.Slug, func(r *simulator.Repo) {
		for i := range 30 {
			r.Deploys = append(r.Deploys, simulator.Deploy{Commit: other, Environment: fmt.Sprintf("e%02d", i), State: "succeeded"})
		}
		r.Deploys = append(r.Deploys, simulator.Deploy{Commit: sha, Environment: "z", State: "succeeded"})
	})
	for i, most := range []int{1 + 1 + 1 + 20 + 1, 1 + 20 + 12 + 1, 1 + 32 + 1} {
		states, calls := ask(f, sha)
		if calls > most || i > 0 && states["z"] != "success" {
			t.Errorf("question %d: %d calls told %v", i, calls, states)
		}
		late += 2 * time.Minute
	}
}

// A token that may read only some of it tells what it may, and one that may read nothing says what it lacks.
func TestDeploymentsHidden(t *testing.T) {
	host, _, h := harness(t, 0, simulator.Faults{}, nil)
	sha := strings.Repeat("a", 40)
	host.With(simulator.Slug, func(r *simulator.Repo) {
		r.Deploys = []simulator.Deploy{{Commit: sha, Environment: "production", State: "succeeded"}, {Commit: sha, Environment: "shop", State: "succeeded", Release: true}}
	})
	for hidden, want := range map[string]int{"environments": 1, "releases": 1, "environments releases": -1, "builds": -1, "": 2} {
		f, err := azure.New(azure.Config{URL: urlOf(h.Repo.URL), Credential: forge.Fixed("token"), Next: refusing(strings.Fields(hidden))})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			list, err := f.Deployments(t.Context(), h.Repo, sha)
			if want < 0 && (fleet.CodeOf(err) != fleet.CodeUnsupported || !strings.Contains(err.Error(), "scope")) || want >= 0 && (err != nil || len(list) != want) {
				t.Errorf("without %q: %+v, %v", hidden, list, err)
			}
		}
		_, abilities, err := f.Check(t.Context())
		if last := abilities[len(abilities)-1]; err != nil || last.Name != "deployments" || last.OK != (hidden != "environments releases") {
			t.Errorf("without %q: %+v, %v", hidden, abilities, err)
		}
	}
}

// refusing answers 403 to what ends so.
type refusing []string

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	for _, end := range r {
		if strings.HasSuffix(req.URL.Path, "/"+end) {
			return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		}
	}
	return http.DefaultTransport.RoundTrip(req)
}

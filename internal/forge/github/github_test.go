package github_test

import (
	"fmt"
	"testing"

	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/github"
	"gaggle/internal/forge/simulator"
)

func harness(t *testing.T, seed uint64, faults simulator.Faults) (*simulator.Host, *github.Forge, forgetest.Harness) {
	t.Helper()
	host, h := simulator.Harness(t, seed, faults)
	url := simulator.GitHub(t, host, nil)
	f, err := github.New(github.Config{URL: url, Credential: forge.Fixed("token")})
	if err != nil {
		t.Fatal(err)
	}
	h.Forge, h.Repo.URL = f, url+"/"+simulator.Slug+".git"
	if faults != (simulator.Faults{}) {
		h.Transient = forge.Passing
	}
	return host, f, h
}

func TestConformance(t *testing.T) {
	t.Parallel()
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		_, _, h := harness(t, 0, simulator.Faults{})
		return h
	})
}

func TestMergeQueue(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]simulator.Faults{"works": {}, "fails": {Limit: .05, Before: .1, After: .15, Cut: .05}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forgetest.ExerciseQueue(t, func(t *testing.T) forgetest.Harness {
				host, _, h := harness(t, 3, faults)
				host.With(simulator.Slug, func(r *simulator.Repo) { r.Queue = true })
				return h
			})
		})
	}
}

func TestConformanceUnderFaults(t *testing.T) {
	for seed := range uint64(1) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
				_, _, h := harness(t, seed, simulator.Faults{Limit: .05, Before: .1, After: .1, Cut: .05})
				return h
			})
		})
	}
}

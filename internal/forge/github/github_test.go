package github_test

import (
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
	return host, f, h
}

func TestConformance(t *testing.T) {
	simulator.Exercise(t, func(t *testing.T, seed uint64, faults simulator.Faults) (*simulator.Host, forgetest.Harness) {
		host, _, h := harness(t, seed, faults)
		return host, h
	}, simulator.Quirks{Queue: true})
}

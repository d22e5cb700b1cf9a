package simulator

import (
	"cmp"
	"path/filepath"
	"testing"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/git"
)

// Slug is the repository that Harness makes.
const Slug = "acme/billing"

// Harness makes a host with one real repository, and all of a conformance harness but the forge and the clone URL.
func Harness(t testing.TB, seed uint64, faults Faults) (*Host, forgetest.Harness) {
	t.Helper()
	store, err := git.Open(git.Config{Dir: filepath.Join(t.TempDir(), "mirrors"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	h := NewHost(Config{Git: store, Seed: seed, Faults: faults, PageCap: 5})
	out := forgetest.Repository(t, Slug)
	remote, err := git.ParseRemote(out.Repo.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.Add(Repo{Slug: Slug, Path: remote.Path})
	out.TellsConflicts = true
	if faults != (Faults{}) {
		out.Transient = forge.Passing
	}
	out.Report = func(_ *testing.T, commit, name string, state forge.CheckState) {
		word := map[forge.CheckState]string{forge.CheckPassed: "success", forge.CheckPending: "pending"}[state]
		h.Report(Slug, Check{Commit: commit, Name: name, State: cmp.Or(word, "failure"), Log: "noise\nFAIL\n"})
	}
	out.Drain = func(t *testing.T) {
		if err := h.Drain(t.Context(), Slug); err != nil {
			t.Fatal(err)
		}
	}
	out.Reruns = func(_ *testing.T, commit, name string) (n int) {
		h.With(Slug, func(r *Repo) {
			for _, c := range r.Checks {
				if c.Commit == commit && c.Name == name {
					n = c.Reruns
				}
			}
		})
		return n
	}
	out.Say = func(_ *testing.T, number int, r forge.Remark) {
		h.Say(Slug, number, Comment{Author: r.Author, Body: r.Body, MayWrite: r.MayWrite, Verdict: r.Verdict, At: time.Now().UTC()})
	}
	return h, out
}

package fake_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"gaggle/internal/forge/fake"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/git"
)

func harness(t *testing.T, seed uint64, faults fake.Faults) forgetest.Harness {
	store, err := git.Open(git.Config{Dir: filepath.Join(t.TempDir(), "mirrors"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	h := forgetest.Repository(t, "acme/billing")
	h.Forge = fake.New(store, seed, faults)
	if faults != (fake.Faults{}) {
		h.Transient = fake.Transient
	}
	return h
}

func TestConformance(t *testing.T) {
	t.Parallel()
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness { return harness(t, 0, fake.Faults{}) })
}

func TestConformanceUnderFaults(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
				return harness(t, seed, fake.Faults{RateLimit: .1, Timeout: .1, Before: .1, After: .2, Stale: .1})
			})
		})
	}
}

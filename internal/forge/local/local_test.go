package local_test

import (
	"path/filepath"
	"testing"

	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/local"
	"gaggle/internal/git"
)

func newForge(t testing.TB, dir string) *local.Forge {
	t.Helper()
	store, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	f, err := local.New(local.Config{Dir: filepath.Join(dir, "forge"), Git: store})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	t.Parallel()
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		h := forgetest.Repository(t, "acme/billing")
		h.Forge, h.TellsConflicts = newForge(t, t.TempDir()), true
		return h
	})
}

package git_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func TestADamagedMirrorIsMadeAnew(t *testing.T) {
	for _, row := range []struct {
		name   string
		damage func(t *testing.T, mirror string)
	}{
		{"packs overwritten", func(t *testing.T, mirror string) { overwrite(t, mirror, "objects/pack/*.pack") }},
		{"indexes overwritten", func(t *testing.T, mirror string) { overwrite(t, mirror, "objects/pack/*.idx") }},
		{"packs emptied", func(t *testing.T, mirror string) {
			for _, p := range glob(t, mirror, "objects/pack/*") {
				os.Chmod(p, 0o644)
				if err := os.Truncate(p, 0); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"packs deleted", func(t *testing.T, mirror string) { os.RemoveAll(filepath.Join(mirror, "objects", "pack")) }},
		{"objects deleted", func(t *testing.T, mirror string) { os.RemoveAll(filepath.Join(mirror, "objects")) }},
		{"HEAD deleted", func(t *testing.T, mirror string) { os.Remove(filepath.Join(mirror, "HEAD")) }},
		{"configuration destroyed", func(t *testing.T, mirror string) { overwrite(t, mirror, "config") }},
		{"state destroyed", func(t *testing.T, mirror string) { overwrite(t, mirror, "gaggle.json") }},
		{"shallow destroyed", func(t *testing.T, mirror string) { overwrite(t, mirror, "shallow") }},
		{"ref destroyed", func(t *testing.T, mirror string) { overwrite(t, mirror, "refs/gaggle/head") }},
		{"folder deleted", func(t *testing.T, mirror string) { os.RemoveAll(mirror) }},
		{"folder replaced by a file", func(t *testing.T, mirror string) {
			os.RemoveAll(mirror)
			if err := os.WriteFile(mirror, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			src := newSource(t, map[string]string{"a.txt": strings.Repeat("content\n", 100), "b/c.txt": "c\n"})
			dir := t.TempDir()
			store, err := git.Open(git.Config{Dir: dir, AllowFile: true})
			if err != nil {
				t.Fatal(err)
			}
			repo := src.repo()
			mirror := filepath.Join(dir, git.Escape(repo.Name)+".git")
			use := map[string]func(head git.Head) error{
				"entries": func(head git.Head) error {
					n := 0
					for _, err := range store.Entries(t.Context(), repo, head.Tree) {
						if err != nil {
							return err
						}
						n++
					}
					if n != 2 {
						t.Errorf("%d entries", n)
					}
					return nil
				},
				"checkout": func(head git.Head) error {
					c, err := store.Checkout(t.Context(), repo, head.Commit, filepath.Join(t.TempDir(), "attempt"))
					if err != nil {
						return err
					}
					snapshot(t, c)
					return c.Close()
				},
				"commit": func(head git.Head) error {
					spec := spec
					spec.Base = head.Commit
					_, err := store.Commit(t.Context(), repo, spec)
					return err
				},
				"fetch": func(git.Head) error {
					src.commit("more", map[string]string{"d.txt": "d\n"})
					defer src.git("reset", "--hard", "--quiet", "HEAD^")
					_, err := store.Refresh(t.Context(), repo, 0)
					return err
				},
			}
			for name, op := range use {
				head := refresh(t, store, repo)
				row.damage(t, mirror)
				if err := op(head); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			src.commit("last", map[string]string{"e.txt": "e\n"})
			if err := use["checkout"](refresh(t, store, repo)); err != nil {
				t.Fatal(err)
			}
			runGit(t, mirror, "--git-dir=.", "rev-list", "--objects", "--quiet", "refs/gaggle/head")
			if left := glob(t, dir, ".tmp/*"); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// A reader that asks for what never was there does not cost the mirror; one that finds objects gone has it made anew.
func TestOnlyDamageCostsTheMirror(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": strings.Repeat("content\n", 100)})
	dir, repo := t.TempDir(), src.repo()
	store, err := git.Open(git.Config{Dir: dir, AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	refresh(t, store, repo)
	state := filepath.Join(dir, git.Escape(repo.Name)+".git", "gaggle.json")
	read := func(oid string) {
		t.Helper()
		r, err := store.Blobs(t.Context(), repo)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_, err = r.Read(oid, 1<<20)
		wantCode(t, err, fleet.CodeNotFound)
	}
	read(strings.Repeat("0", 40))
	read(strings.Repeat("1", 40))
	if _, err := os.Stat(state); err != nil {
		t.Fatal("a wrong question cost the mirror")
	}
	for _, p := range glob(t, dir, "*.git/objects/pack/*") {
		os.Remove(p)
	}
	read(src.git("rev-parse", "HEAD:a.txt"))
	if _, err := os.Stat(state); err == nil {
		t.Fatal("a mirror without its objects is still believed")
	}
	refresh(t, store, repo)
	r, err := store.Blobs(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := r.Read(src.git("rev-parse", "HEAD:a.txt"), 1<<20); err != nil || len(data) != 800 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
}

// A source that is damaged itself is a typed failure, after one try.
func TestADamagedSourceFails(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": strings.Repeat("content\n", 100)})
	blob := src.git("rev-parse", "HEAD:a.txt")
	os.Remove(filepath.Join(src.dir, ".git", "objects", blob[:2], blob[2:]))
	_, err := newStore(t).Refresh(t.Context(), src.repo(), 0)
	if err == nil || fleet.CodeOf(err) == fleet.CodeInternal {
		t.Fatalf("error %v with code %s", err, fleet.CodeOf(err))
	}
}

func overwrite(t *testing.T, dir, pattern string) {
	t.Helper()
	for _, p := range glob(t, dir, pattern) {
		os.Chmod(p, 0o644)
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			data[i] ^= 0x5a
		}
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gaggle/internal/git"
)

// A source may claim that its missing objects are to be fetched from elsewhere by a program of its choice.
func TestALyingPartialCloneRunsNothing(t *testing.T) {
	src := newSource(t, map[string]string{"a.txt": "a\n", "b.txt": "b\n"})
	head := branchOff(src, "gaggle/x", map[string]string{"a.txt": "2\n"})
	mark := newMark(t)
	evil := filepath.Join(t.TempDir(), "evil")
	if err := os.WriteFile(evil, []byte("#!/bin/sh\ntouch '"+mark.path+"'\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	src.git("config", "core.repositoryFormatVersion", "1")
	src.git("config", "extensions.partialClone", "origin")
	src.git("config", "remote.origin.url", src.dir)
	src.git("config", "remote.origin.promisor", "true")
	src.git("config", "remote.origin.uploadpack", evil)
	src.git("config", "core.sshCommand", evil)
	for _, name := range []string{"HEAD:b.txt", "gaggle/x:a.txt"} {
		blob := src.git("rev-parse", name)
		if err := os.Remove(filepath.Join(src.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
			t.Fatal(err)
		}
	}
	store := newStore(t)
	if _, err := store.Refresh(t.Context(), src.repo(), 0); err == nil {
		t.Error("a source without its objects was mirrored")
	}
	h := hosted(t, store, src.dir)
	for _, method := range []git.MergeMethod{git.MergeCommit, git.MergeSquash, git.MergeRebase} {
		spec := merging(head)
		spec.Method = method
		if m, err := h.PrepareMerge(t.Context(), spec); err == nil {
			_ = h.Land(t.Context(), m) // may fail for want of the object; what counts is what it does not run
		}
	}
	mark.check()
	// The trap is a real one: careless git springs it.
	cmd := exec.Command("git", "-C", src.dir, "cat-file", "blob", "HEAD:b.txt")
	cmd.Env = append(os.Environ(), "GIT_ALLOW_PROTOCOL=file")
	_ = cmd.Run()
	if _, err := os.Stat(mark.path); err != nil {
		t.Error("careless git does not fall into the trap, so this test shows nothing")
	}
}

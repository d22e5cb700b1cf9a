package git_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func TestMakeMakesWholeRepositories(t *testing.T) {
	s, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "deep", "new.git")
	want := git.NewRepository{
		Message: "First\n\ndone\ncommit refs/heads/evil\n", Author: git.Identity{Name: "A <b>\nc", Email: "a@example.com"}, Date: time.Unix(1_700_000_000, 0),
		Files: map[string][]byte{"a.txt": []byte("done\ndata 5\n"), "dir/b \"c\"\n\\ü": []byte("x\x00y"), "run.sh": []byte("#!/bin/sh\n"), "empty": nil},
	}
	if err := s.Make(t.Context(), path, want); err != nil {
		t.Fatal(err)
	}
	if got := runGit(t, path, "for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
		t.Errorf("refs: %s", got)
	}
	if got := runGit(t, path, "log", "-1", "--format=%an|%ae|%at|%s", "HEAD"); got != "A  b  c|a@example.com|1700000000|First" {
		t.Errorf("commit: %s", got)
	}
	if got := runGit(t, path, "ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD"); got != "100644 a.txt\n100644 \"dir/b \\\"c\\\"\\n\\\\\\303\\274\"\n100644 empty\n100755 run.sh" {
		t.Errorf("tree: %s", got)
	}
	if got := runGit(t, path, "cat-file", "blob", "HEAD:a.txt"); got != "done\ndata 5" {
		t.Errorf("a.txt: %q", got)
	}
	runGit(t, path, "fsck", "--strict")
	if err := s.Make(t.Context(), path, want); fleet.CodeOf(err) != fleet.CodeConflict {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Make(t.Context(), path+"2", git.NewRepository{Branch: "../x"}); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Errorf("a bad branch: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Make(ctx, filepath.Join(folder, "deep", "late.git"), want); err == nil {
		t.Error("made although stopped")
	}
	if left, err := os.ReadDir(filepath.Join(folder, "deep")); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

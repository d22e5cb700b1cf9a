package git_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("GAGGLE_TEST_KILL"); dir != "" {
		if err := attempt(context.Background(), dir, os.Getenv("GAGGLE_TEST_GIT")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Each check of a property here is a dozen processes; the full checks are one flag away.
	_ = flag.Set("rapid.checks", "25")
	os.Exit(m.Run())
}

// attempt does one attempt's worth of git work in a data folder, from the refresh to the push, as often as need be:
// what an earlier, killed one did is found and not done again.
func attempt(ctx context.Context, dir, program string) error {
	store, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), Program: program, AllowFile: true})
	if err != nil {
		return err
	}
	repo := fleet.Repository{Name: "acme/source", URL: filepath.Join(dir, "source")}
	head, err := store.Refresh(ctx, repo, 0)
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	c, err := store.Checkout(ctx, repo, head.Commit, filepath.Join(dir, "work", "1"))
	if err != nil {
		return fmt.Errorf("checkout: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.Tree, "change.txt"), []byte("change\n"), 0o644); err != nil {
		return err
	}
	change, err := c.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if len(change.Files) != 1 {
		return fmt.Errorf("change %+v", change)
	}
	diff, err := c.Diff(ctx, change.Tree)
	if err != nil {
		return err
	}
	spec := spec
	spec.Base, spec.Diff, spec.Tree = head.Commit, diff, change.Tree
	sha, err := store.Commit(ctx, repo, spec)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	branch := "gaggle/" + head.Commit[:12]
	there, err := store.RemoteBranch(ctx, repo, branch)
	if err != nil {
		return err
	}
	if there != sha {
		if err := store.Push(ctx, repo, sha, branch, there); err != nil {
			return fmt.Errorf("push: %w", err)
		}
	}
	return c.Close()
}

// killer writes a git that kills the process that started it at the nth start: before git runs, while it runs, or
// after it ran and before anybody knows.
func killer(t *testing.T, nth, mode int) string {
	t.Helper()
	dir := t.TempDir()
	count := filepath.Join(dir, "count")
	// git starts itself for the other half of a fetch or a push; those starts do not count.
	script := "#!/bin/sh\ncase $(ps -o comm= -p $PPID) in *.test) ;; *) exec git \"$@\" ;; esac\necho x >> '" + count + "'\n" + fmt.Sprintf("if [ $(wc -l < '%s') -eq %d ]; then\n", count, nth) +
		[]string{"kill -9 $PPID; exec git \"$@\"", "kill -9 $PPID & exec git \"$@\"", "git \"$@\"; kill -9 $PPID; exit 0"}[mode] + "\nfi\nexec git \"$@\"\n"
	p := filepath.Join(dir, "killing-git")
	if err := os.WriteFile(p, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	src := &source{t: t, dir: filepath.Join(dir, "source")}
	if err := os.MkdirAll(src.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	src.git("init", "--quiet", "--initial-branch=main")
	rng := rand.New(rand.NewPCG(1, 2))
	commits, killed := 0, 0
	child := func(program string, after time.Duration) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "GAGGLE_TEST_KILL="+dir, "GAGGLE_TEST_GIT="+program)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if after > 0 {
			timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
			defer timer.Stop()
		}
		err := cmd.Wait()
		if err != nil && err.Error() != "signal: killed" {
			t.Fatalf("a child failed by itself: %v\n%s", err, &out)
		}
		if err != nil {
			killed++
		}
	}
	next := func() {
		commits++
		src.commit("next", map[string]string{"a.txt": fmt.Sprint(commits, "\n"), fmt.Sprintf("d/%d.txt", commits): strings.Repeat("x\n", 1000)})
	}
	for nth := 1; nth <= 9; nth++ {
		for mode := range 3 {
			if nth < 3 || mode == nth%3 {
				next()
				child(killer(t, nth, mode), 0)
			}
		}
		if nth%3 == 0 { // most killed ones are followed by another killed one, not by a sound one
			if err := attempt(t.Context(), dir, ""); err != nil {
				t.Fatalf("after a kill at start %d: %v", nth, err)
			}
		}
	}
	for range 8 {
		next()
		child("", time.Duration(rng.IntN(60_000))*time.Microsecond+1)
	}
	if err := attempt(t.Context(), dir, ""); err != nil {
		t.Fatal(err)
	}
	if killed < 12 {
		t.Fatalf("only %d children were killed", killed)
	}
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(p, src.dir) || strings.Contains(p, "tmp_obj_") { // those are swept when they are old
			return nil
		}
		if strings.HasSuffix(p, ".lock") || strings.Contains(p, "tmp_") || strings.Contains(p, "/work/") || strings.Contains(p, "/.tmp/") {
			t.Errorf("left over: %s", p)
		}
		return nil
	})
	mirror := glob(t, dir, "mirrors/*.git")[0]
	runGit(t, mirror, "--git-dir=.", "fsck")
	src.git("fsck", "--strict")
	if got := src.git("rev-list", "--count", "main..gaggle/"+src.git("rev-parse", "HEAD")[:12]); got != "1" {
		t.Errorf("the last branch has %s commits of its own", got)
	}
}

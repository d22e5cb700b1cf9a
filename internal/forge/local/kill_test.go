package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/local"
	"gaggle/internal/git"
)

const killEnv = "GAGGLE_TEST_FORGE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		if err := work(context.Background(), dir, os.Getenv(killEnv+"_REPO"), os.Getenv(killEnv+"_GIT")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const targets = 12

func branchOf(i int) string { return fmt.Sprintf("gaggle/%d", i) }

// work brings every target to its end, as an engine would: one pull request a branch, found before it is made, the
// odd ones merged and the others closed. What an earlier, killed worker did is found.
func work(ctx context.Context, dir, repoPath, program string) error {
	store, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), Program: program, AllowFile: true})
	if err != nil {
		return err
	}
	f, err := local.New(local.Config{Dir: filepath.Join(dir, "forge"), Git: store})
	if err != nil {
		return err
	}
	repo := fleet.Repository{Name: "acme/billing", URL: repoPath, DefaultBranch: "main"}
	for i := range targets {
		p, err := f.Find(ctx, repo, branchOf(i))
		if fleet.CodeOf(err) == fleet.CodeNotFound || err == nil && p.State == forge.StateOpen {
			p, err = f.Open(ctx, forge.PullSpec{Repo: repo, HeadBranch: branchOf(i), Title: "Change", Body: "Because."})
		}
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		if i%2 == 1 {
			methods := []forge.Method{forge.MethodMerge, forge.MethodSquash, forge.MethodRebase}
			err = f.Merge(ctx, repo, p.Number, forge.MergeSpec{Method: methods[i/2%3], ExpectHead: p.HeadSHA})
		} else {
			err = f.Close(ctx, repo, p.Number, "not wanted")
		}
		if err != nil && fleet.CodeOf(err) != fleet.CodeConflict { // another process moved the base: the next round
			return fmt.Errorf("end: %w", err)
		}
	}
	return nil
}

// killingGit kills the process that started it, before, while or after the nth start.
func killingGit(t *testing.T, nth, mode int) string {
	dir := t.TempDir()
	count := filepath.Join(dir, "count")
	script := "#!/bin/sh\necho x >> '" + count + "'\n" + fmt.Sprintf("if [ $(wc -l < '%s') -eq %d ]; then\n", count, nth) +
		[]string{"kill -9 $PPID; exec git \"$@\"", "kill -9 $PPID & exec git \"$@\"", "git \"$@\"; kill -9 $PPID; exit 0"}[mode] + "\nfi\nexec git \"$@\"\n"
	p := filepath.Join(dir, "killing-git")
	if err := os.WriteFile(p, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"bare", "checked out"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			h := forgetest.Repository(t, "acme/billing")
			for i := range targets {
				h.Push(t, branchOf(i), map[string]string{fmt.Sprintf("f%d.txt", i): "x\n", forgetest.File: strings.Replace(forgetest.Content, "one", "ONE", 1)})
			}
			repoPath := h.Repo.URL
			if kind == "checked out" {
				repoPath = filepath.Join(dir, "clone")
				plain(t, dir, "clone", "--quiet", h.Repo.URL, repoPath)
				for i := range targets {
					plain(t, repoPath, "branch", "--quiet", branchOf(i), "origin/"+branchOf(i))
				}
			}
			killed := 0
			child := func(program string, after time.Duration) {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), killEnv+"="+dir, killEnv+"_REPO="+repoPath, killEnv+"_GIT="+program)
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				if after > 0 {
					timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
					defer timer.Stop()
				}
				err := cmd.Wait()
				var exit *exec.ExitError
				if errors.As(err, &exit) && exit.ExitCode() == -1 {
					killed++
				} else if err != nil {
					t.Errorf("a worker failed by itself: %v\n%s", err, &out)
				}
			}
			rng := rand.New(rand.NewPCG(3, 4))
			for n := range 12 { // each start of git is somewhere in the middle of a step; later ones get further
				child(killingGit(t, 1+rng.IntN(9), n%3), 0)
				child("", time.Duration(1+rng.IntN(12_000))*time.Microsecond)
			}
			var wg sync.WaitGroup
			for range 3 { // at last, several that nobody kills, at once
				wg.Go(func() { child("", 0) })
			}
			wg.Wait()
			if err := work(t.Context(), dir, repoPath, ""); err != nil {
				t.Fatal(err)
			}
			if killed < 10 {
				t.Fatalf("only %d workers were killed", killed)
			}
			verify(t, dir, fleet.Repository{Name: "acme/billing", URL: repoPath, DefaultBranch: "main"})
			if kind == "checked out" {
				if got := plain(t, repoPath, "status", "--porcelain"); got != "" {
					t.Errorf("the work tree is not sound:\n%s", got)
				}
			}
		})
	}
}

// verify holds the end against that of an undisturbed run.
func verify(t *testing.T, dir string, repo fleet.Repository) {
	t.Helper()
	f := newForge(t, dir)
	n := 0
	for p, err := range f.List(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		want := forge.StateClosed
		var i int
		if fmt.Sscanf(p.HeadBranch, "gaggle/%d", &i); i%2 == 1 {
			want = forge.StateMerged
		}
		if p.State != want {
			t.Errorf("#%d of %s is %s, want %s", p.Number, p.HeadBranch, p.State, want)
		}
		if comments, err := f.Comments(t.Context(), repo, p.Number); err != nil || want == forge.StateClosed && len(comments) != 1 {
			t.Errorf("#%d has the comments %v, %v", p.Number, comments, err)
		}
	}
	if n != targets {
		t.Errorf("%d pull requests for %d branches", n, targets)
	}
	if got := len(strings.Fields(plain(t, repo.URL, "log", "--format=%h", "--first-parent", "main"))); got != 1+targets/2 {
		t.Errorf("main has %d commits, want %d", got, 1+targets/2)
	}
	plain(t, repo.URL, "fsck", "--strict")
	filepath.WalkDir(repo.URL, func(p string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".lock") || strings.HasSuffix(p, "gaggle-index") {
			t.Errorf("left over: %s", p)
		}
		return nil
	})
}

func plain(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

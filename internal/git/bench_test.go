package git_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// benchSource is a repository of the size of a small service: 200 files in 20 folders, 20 commits.
func benchSource(b *testing.B) (*source, fleet.Repository) {
	b.Helper()
	files := map[string]string{}
	for i := range 200 {
		var text strings.Builder
		for line := range 100 {
			fmt.Fprintf(&text, "func f%d_%d() int { return %d }\n", i, line, i*line*7919)
		}
		files[fmt.Sprintf("pkg%02d/file%03d.go", i%20, i)] = text.String()
	}
	src := newSource(b, files)
	for i := range 19 {
		src.commit("next", map[string]string{"pkg00/file000.go": fmt.Sprint("package pkg // ", i, "\n")})
	}
	bare := filepath.Join(b.TempDir(), "bare.git")
	src.git("clone", "--quiet", "--bare", src.dir, bare)
	return src, fleet.Repository{Name: "bench", URL: bare}
}

// cpu reports the processor time of this process and its children a round, which says more than the clock on a busy machine.
func cpu(b *testing.B) func() {
	start := cpuTime(b)
	return func() {
		b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	}
}

func cpuTime(b *testing.B) time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// edit is the change of the benchmark: three files altered, one added.
func edit(b *testing.B, dir string) {
	for i := range 3 {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("pkg%02d/file%03d.go", i+1, i+1)), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			b.Fatal(err)
		}
		f.WriteString("// changed\n")
		f.Close()
	}
	if err := os.WriteFile(filepath.Join(dir, "pkg04", "new.go"), []byte("package pkg04\n"), 0o644); err != nil {
		b.Fatal(err)
	}
}

// The yardstick: what a shell loop does for one repository.
func BenchmarkCloneDepthOneAndEdit(b *testing.B) {
	_, repo := benchSource(b)
	dir := b.TempDir()
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		to := filepath.Join(dir, fmt.Sprint(i))
		runGit(b, dir, "clone", "--quiet", "--depth", "1", "file://"+repo.URL, to)
		edit(b, to)
		os.RemoveAll(to)
	}
}

func benchAttempt(b *testing.B, s *git.Store, repo fleet.Repository, dir string) {
	head, err := s.Refresh(b.Context(), repo, 0)
	if err != nil {
		b.Fatal(err)
	}
	c, err := s.Checkout(b.Context(), repo, head.Commit, dir)
	if err != nil {
		b.Fatal(err)
	}
	edit(b, c.Tree)
	change := snapshot(b, c)
	if diff, err := c.Diff(b.Context(), change.Tree); err != nil || len(diff) == 0 {
		b.Fatal(err)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}

// The same, from nothing: mirror, checkout, edit, snapshot, diff.
func BenchmarkFirstAttempt(b *testing.B) {
	_, repo := benchSource(b)
	s := newStore(b)
	dir := b.TempDir()
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		repo.Name = fmt.Sprint("bench", i)
		benchAttempt(b, s, repo, filepath.Join(dir, "attempt"))
	}
}

// With the mirror there: refresh, checkout, edit, snapshot, diff.
func BenchmarkNextAttempt(b *testing.B) {
	_, repo := benchSource(b)
	s := newStore(b)
	refresh(b, s, repo)
	dir := filepath.Join(b.TempDir(), "attempt")
	defer cpu(b)()
	for b.Loop() {
		benchAttempt(b, s, repo, dir)
	}
}

// What a second run asks of a repository in which nothing is new.
func BenchmarkRefreshUnchanged(b *testing.B) {
	_, repo := benchSource(b)
	s := newStore(b)
	refresh(b, s, repo)
	defer cpu(b)()
	for b.Loop() {
		if _, err := s.Refresh(b.Context(), repo, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSnapshotUnchanged(b *testing.B) {
	_, repo := benchSource(b)
	s := newStore(b)
	head := refresh(b, s, repo)
	c, err := s.Checkout(b.Context(), repo, head.Commit, filepath.Join(b.TempDir(), "attempt"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	defer cpu(b)()
	for b.Loop() {
		snapshot(b, c)
	}
}

func BenchmarkCommitAndPush(b *testing.B) {
	_, repo := benchSource(b)
	s := newStore(b)
	head := refresh(b, s, repo)
	c, err := s.Checkout(b.Context(), repo, head.Commit, filepath.Join(b.TempDir(), "attempt"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	edit(b, c.Tree)
	change := snapshot(b, c)
	diff, err := c.Diff(b.Context(), change.Tree)
	if err != nil {
		b.Fatal(err)
	}
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		spec := git.CommitSpec{Base: head.Commit, Diff: diff, Tree: change.Tree, Message: fmt.Sprint("change ", i), Author: git.Identity{Name: "G", Email: "g@x"}, Date: time.Unix(1_700_000_000, 0)}
		sha, err := s.Commit(b.Context(), repo, spec)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Push(b.Context(), repo, sha, fmt.Sprint("gaggle/", i), ""); err != nil {
			b.Fatal(err)
		}
	}
}

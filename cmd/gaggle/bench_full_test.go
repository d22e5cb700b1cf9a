//go:build full

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// benchRepos is how many repositories the end-to-end benchmark works on, and how many at once.
const (
	benchRepos    = 100
	benchParallel = 2
)

const benchCampaign = `apiVersion: gaggle/v1
kind: Campaign
metadata: {name: bench, description: Say goodbye}
select: {where: "true"}
change:
  run: |
    sed -i s/hello/goodbye/ README.md
verify: {auto: false}
judge: {mode: off}
`

// cpu is what finished children of this process have used, user and system together.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure reports wall and CPU seconds of what do starts.
func measure(b *testing.B, do func()) {
	before, began := cpu(b), time.Now()
	do()
	b.ReportMetric(time.Since(began).Seconds(), "wall-s")
	b.ReportMetric((cpu(b) - before).Seconds(), "cpu-s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFleet compares a script campaign over 100 repositories, as a dry run, with a bare loop of git clone --depth 1 and
// edit at the same parallelism; then the same campaign again with nothing new.
func BenchmarkFleet(b *testing.B) {
	dir := b.TempDir()
	benchFleet(b, dir)
	campaign := filepath.Join(dir, "bench.yaml")
	if err := os.WriteFile(campaign, []byte(benchCampaign), 0o644); err != nil {
		b.Fatal(err)
	}
	self := filepath.Join(dir, "gaggle")
	build := exec.Command("go", "build", "-o", self, ".")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	run := func(b *testing.B, data string, args ...string) {
		cmd := exec.Command(self, append([]string{"--data", data}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	fresh := func(b *testing.B) string { // lasts as long as the repositories do, so that no deletion is measured
		into, err := os.MkdirTemp(dir, "into-")
		if err != nil {
			b.Fatal(err)
		}
		return into
	}
	b.Run("clone-and-edit", func(b *testing.B) {
		for range b.N {
			into := fresh(b)
			measure(b, func() { cloneLoop(b, dir, into) })
		}
	})
	var data string
	b.Run("dry-run", func(b *testing.B) {
		for range b.N {
			data = fresh(b)
			run(b, data, "fleet", "sync", "--from", filepath.Join(dir, "repos"))
			measure(b, func() { run(b, data, "run", "--dry-run", "--parallel", fmt.Sprint(benchParallel), campaign) })
		}
	})
	b.Run("sync-and-dry-run", func(b *testing.B) {
		for range b.N {
			other := fresh(b)
			measure(b, func() {
				run(b, other, "fleet", "sync", "--from", filepath.Join(dir, "repos"))
				run(b, other, "run", "--dry-run", "--parallel", fmt.Sprint(benchParallel), campaign)
			})
		}
	})
	b.Run("again", func(b *testing.B) {
		for range b.N {
			measure(b, func() { run(b, data, "run", "--dry-run", campaign) })
		}
	})
}

// benchFleet makes bare repositories of 20 commits and 200 files each.
func benchFleet(b *testing.B, dir string) {
	seed := filepath.Join(dir, "seed")
	script := `set -e
git init -q -b main "$1"; cd "$1"
git config user.name a; git config user.email a@example.com; git config gc.auto 0
for i in $(seq 200); do mkdir -p d$((i % 10)); echo "file $i says something of a usual length, line after line" > d$((i % 10))/f$i.txt; done
echo hello > README.md; git add -A; git commit -qm init
for i in $(seq 19); do echo $i >> d1/f1.txt; git commit -qam "commit $i"; done`
	cmd := exec.Command("sh", "-c", script, "sh", seed)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for i := range benchRepos {
		cmd := exec.Command("git", "clone", "-q", "--bare", seed, filepath.Join(dir, "repos", fmt.Sprintf("r%03d.git", i)))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}

func cloneLoop(b *testing.B, dir, into string) {
	names := make(chan string)
	var wg sync.WaitGroup
	for range benchParallel {
		wg.Go(func() {
			for name := range names {
				to := filepath.Join(into, name)
				script := `git clone -q --depth 1 "file://$1" "$2" && cd "$2" && sed -i s/hello/goodbye/ README.md`
				if out, err := exec.Command("sh", "-c", script, "sh", filepath.Join(dir, "repos", name), to).CombinedOutput(); err != nil {
					b.Errorf("%v: %s", err, out)
				}
			}
		})
	}
	for i := range benchRepos {
		names <- fmt.Sprintf("r%03d.git", i)
	}
	close(names)
	wg.Wait()
}

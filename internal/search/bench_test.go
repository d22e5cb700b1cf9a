package search

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

// The fleet of the benchmark: 10,000 components with 1,000,000 files.
const (
	benchRepositories = 10_000
	benchFiles        = 100 // in each
	benchPatterns     = 50  // different repositories; the others are copies, in files of their own
)

var benchWords = strings.Fields(`func return error context package import string range append client server request
	response handler config timeout retry metric logger billing invoice account payment ledger order customer
	fmt.Errorf http.StatusOK json.Unmarshal ctx.Err() strings.TrimSpace os.ReadFile time.Duration sync.Mutex
	if err != nil { } := == nil , ( ) // TODO: the of and to in for with from`)

// benchText is source-like text of about n bytes over 3,000 words, so that most trigrams are in most repositories, as in real code.
func benchText(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		for range 3 + r.IntN(8) {
			if r.IntN(3) == 0 {
				fmt.Fprintf(&b, "%s%s%d ", benchWords[r.IntN(len(benchWords))], strings.ToUpper(benchWords[r.IntN(20)])[:2], r.IntN(50))
			} else {
				b.WriteString(benchWords[r.IntN(len(benchWords))] + " ")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// benchFleet writes the shards: some are built, the others are copies of them in files and pages of their own.
func benchFleet(b *testing.B) (*Index, []Place) {
	b.Helper()
	dir := os.Getenv("GAGGLE_BENCH_FLEET") // to keep it from one run to the next
	if dir == "" {
		dir = b.TempDir()
	}
	m := &memory{}
	x := Open(Config{Dir: dir, Trees: m, Parallel: 2})
	r := rand.New(rand.NewPCG(1, 2))
	var shards [][]byte
	for i := range benchPatterns {
		files := map[string]string{"go.mod": "module x\n", "Makefile": "all:\n"}
		for j := len(files); j < benchFiles; j++ {
			text := benchText(r, 500+r.IntN(5000))
			if j%10 == 0 {
				text += "\tdata, err := ioutil.ReadAll(body)\n"
			}
			files[fmt.Sprintf("internal/pkg%02d/file_%d.%s", j/8, j, []string{"go", "go", "py", "md"}[j%4])] = text
		}
		if i == 0 {
			files["internal/legacy.go"] = "package legacy // needleInTheHaystack(42)\n"
		}
		repo := m.put(files)
		if _, err := x.Ensure(b.Context(), repo, ""); err != nil {
			b.Fatal(err)
		}
		path, _ := x.path(repo.Tree)
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		shards = append(shards, data)
	}
	places := make([]Place, benchRepositories)
	for i := range places {
		sum := sha1.Sum(fmt.Append(nil, i))
		places[i] = Place{Repository: fleet.Repository{Name: fmt.Sprint("r", i), Tree: hex.EncodeToString(sum[:])}, Paths: []string{"."}}
		path, _ := x.path(places[i].Repository.Tree)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		data := shards[1+i%(benchPatterns-1)]
		if i%1000 == 7 { // ten of them hold the rare words
			data = shards[0]
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return x, places
}

// BenchmarkPlan asks 10,000 components with 1,000,000 files, on two CPUs, as a plan does. One operation is one plan.
func BenchmarkPlan(b *testing.B) {
	x, places := benchFleet(b)
	for _, c := range []struct {
		name  string
		terms Terms
		want  int
	}{
		{"common", Terms{Contains: `ioutil\.(ReadAll|ReadFile|WriteFile|TempDir)`, Files: []string{"**/*.go"}}, benchRepositories},
		{"rare", Terms{Contains: `needleInTheHaystack\(\d+\)`}, benchRepositories / 1000},
		{"nowhere-but-every-trigram-is", Terms{Contains: `context\.Timeout\(metric, billing\)`, Files: []string{"**/*.go"}}, 0},
		{"folded", Terms{Contains: `(?i)needleinthehaystack`}, benchRepositories / 1000},
		{"files-common", Terms{Files: []string{"go.mod"}}, benchRepositories},
		{"files-nowhere", Terms{Files: []string{"**/Cargo.toml", "**/*.rs", "src/**/test_*.py"}}, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := compile(b, c.terms)
			for b.Loop() {
				found := 0
				err := x.Select(b.Context(), q, func(yield func(Place) bool) {
					for _, p := range places {
						if !yield(p) {
							return
						}
					}
				}, func(_ Place, hits []Hit, err error) error {
					if err == nil && hits[0].Matched {
						found++
					}
					return err
				})
				if err != nil || found != c.want {
					b.Fatalf("found %d, want %d, %v", found, c.want, err)
				}
			}
		})
	}
}

// BenchmarkBuild is what a repository whose head moved costs here, besides reading it: 100 files, 300 KB.
func BenchmarkBuild(b *testing.B) {
	m := &memory{}
	r := rand.New(rand.NewPCG(1, 2))
	files := map[string]string{}
	size := 0
	for i := range benchFiles {
		text := benchText(r, 500+r.IntN(5000))
		size += len(text)
		files[fmt.Sprintf("pkg/f%d.go", i)] = text
	}
	repo := m.put(files)
	x := open(b, m)
	b.SetBytes(int64(size))
	for b.Loop() {
		if _, err := x.make(b.Context(), repo, ""); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlanMonorepo asks the same of one repository: 10,000 components of 100 small files each.
func BenchmarkPlanMonorepo(b *testing.B) {
	m := &memory{}
	r := rand.New(rand.NewPCG(3, 4))
	texts := make([]string, 500)
	for i := range texts {
		texts[i] = benchText(r, 300)
	}
	files := make(map[string]string, 1_000_000)
	place := Place{}
	for c := range benchRepositories {
		dir := fmt.Sprintf("services/team%02d/s%04d", c%100, c)
		place.Paths = append(place.Paths, dir)
		for f := range benchFiles - 1 {
			files[fmt.Sprintf("%s/f%02d.go", dir, f)] = texts[(c*7+f)%len(texts)]
		}
		files[dir+"/go.mod"] = "module x\n"
		if c%1000 == 7 {
			files[dir+"/f00.go"] = "package legacy // needleInTheHaystack(42)\n"
		}
	}
	place.Repository = m.put(files)
	x := open(b, m)
	if _, err := x.Ensure(b.Context(), place.Repository, ""); err != nil {
		b.Fatal(err)
	}
	for name, terms := range map[string]Terms{
		"common": {Contains: `return|error`, Files: []string{"**/*.go"}}, "rare": {Contains: `needleInTheHaystack\(\d+\)`},
		"files-common": {Files: []string{"go.mod"}}, "files-nowhere": {Files: []string{"**/*.rs"}},
	} {
		b.Run(name, func(b *testing.B) {
			q := compile(b, terms)
			for b.Loop() {
				if _, err := x.Match(b.Context(), place, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

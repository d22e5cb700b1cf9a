package catalog

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-enry/go-enry/v2"

	"gaggle/internal/git"
)

const (
	maxSamples   = 64       // files of one extension whose content is looked at
	sampleBytes  = 64 << 10 // a larger file is not looked at
	maxLanguages = 20       // that a component names
)

// languages counts a tree's bytes by directory and language, as linguist does: programming and markup languages, without
// vendored and generated files. Names decide; only where an extension is used by several languages is the content of
// one file a directory looked at, for at most maxSamples of an extension, and the others follow.
type languages struct {
	byDir     map[string]map[string]int64
	vendored  map[string]bool // by directory
	ambiguous map[string]*ambiguity
}

// ambiguity is an extension that several languages share.
type ambiguity struct {
	bytes   map[string]int64 // by directory
	samples []git.Entry      // at most one a directory
}

func newLanguages() *languages {
	return &languages{byDir: map[string]map[string]int64{}, vendored: map[string]bool{}, ambiguous: map[string]*ambiguity{}}
}

// add counts a file, and reports whether it is one of the languages that count.
func (l *languages) add(f git.Entry) bool {
	if !f.IsFile() || f.Size == 0 {
		return false
	}
	candidates := enry.GetLanguagesByFilename(f.Path, nil, nil)
	if len(candidates) == 0 {
		candidates = enry.GetLanguagesByExtension(f.Path, nil, nil)
	}
	ext := strings.ToLower(path.Ext(f.Path))
	if u, ok := usual[ext]; ok && len(candidates) > 1 {
		candidates = []string{u}
	}
	script := len(candidates) == 0 && ext == "" && f.Mode == "100755" // its first line says what it is
	if !script && !slices.ContainsFunc(candidates, counts) || enry.IsDotFile(f.Path) {
		return false
	}
	dir := path.Dir(f.Path)
	vendored, known := l.vendored[dir]
	if !known {
		vendored = dir != "." && enry.IsVendor(dir+"/")
		l.vendored[dir] = vendored
	}
	if vendored || enry.IsVendor(f.Path) || enry.IsGenerated(f.Path, nil) {
		return false
	}
	if len(candidates) == 1 {
		l.count(dir, candidates[0], f.Size)
		return true
	}
	a := l.ambiguous[ext]
	if a == nil {
		a = &ambiguity{bytes: map[string]int64{}}
		l.ambiguous[ext] = a
	}
	if _, seen := a.bytes[dir]; !seen && len(a.samples) < maxSamples && f.Size <= sampleBytes {
		a.samples = append(a.samples, f)
	}
	a.bytes[dir] += f.Size
	return true
}

// usual are extensions that a second language shares in theory only.
var usual = map[string]string{
	".cs": "C#", ".ex": "Elixir", ".html": "HTML", ".md": "Markdown", ".php": "PHP", ".rs": "Rust", ".ts": "TypeScript", ".tsx": "TSX",
}

func counts(language string) bool {
	t := enry.GetLanguageType(language)
	return t == enry.Programming || t == enry.Markup
}

func (l *languages) count(dir, language string, bytes int64) {
	if l.byDir[dir] == nil {
		l.byDir[dir] = map[string]int64{}
	}
	l.byDir[dir][language] += bytes
}

// decide reads the samples and gives every ambiguous directory its language: that of its own sample, or else of most.
func (l *languages) decide(tree Tree) error {
	for _, ext := range slices.Sorted(maps.Keys(l.ambiguous)) {
		a := l.ambiguous[ext]
		oids := make([]string, len(a.samples))
		for i, f := range a.samples {
			oids[i] = f.OID
		}
		own, votes := map[string]string{}, map[string]int{}
		err := tree.Read(oids, sampleBytes, func(i int, content []byte) error {
			if language := enry.GetLanguage(path.Base(a.samples[i].Path), content); language != "" && content != nil {
				own[path.Dir(a.samples[i].Path)] = language
				votes[language]++
			}
			return nil
		})
		if err != nil {
			return err
		}
		most, _ := enry.GetLanguageByExtension("x" + ext)
		if ranked := ranking(votes); len(ranked) > 0 {
			most = ranked[0]
		}
		for dir, bytes := range a.bytes {
			if language := cmp.Or(own[dir], most); counts(language) {
				l.count(dir, language, bytes)
			}
		}
	}
	l.ambiguous = nil
	return nil
}

func ranking[N cmp.Ordered](byName map[string]N) []string {
	return slices.SortedFunc(maps.Keys(byName), func(a, b string) int {
		return cmp.Or(cmp.Compare(byName[b], byName[a]), cmp.Compare(a, b))
	})
}

// of returns the languages of each component, largest first, and how many bytes they are in all. A directory belongs to the innermost component around it.
func (l *languages) of(dirs []string) (ranked map[string][]string, total map[string]int64) {
	sums := map[string]map[string]int64{}
	for _, d := range dirs {
		sums[d] = map[string]int64{}
	}
	for dir, counted := range l.byDir {
		at := dir
		for sums[at] == nil && at != "." {
			at = path.Dir(at)
		}
		if sum := sums[at]; sum != nil {
			for language, bytes := range counted {
				sum[language] += bytes
			}
		}
	}
	ranked, total = map[string][]string{}, map[string]int64{}
	for dir, sum := range sums {
		all := ranking(sum)
		ranked[dir] = all[:min(len(all), maxLanguages)]
		for _, bytes := range sum {
			total[dir] += bytes
		}
	}
	return ranked, total
}

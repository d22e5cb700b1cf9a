package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gaggle/internal/spec"
)

// TestThePagesNameWhatThereIs finds every command line and key of ours in the pages that people read: they are there.
func TestThePagesNameWhatThereIs(t *testing.T) {
	app := &App{Env: func(string) string { return "" }}
	root := app.root()
	root.AddCommand(app.demoCommand())
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG"} {
		pages = append(pages, "../../"+name+".md")
	}
	keys := map[string]bool{}
	for _, list := range [][]spec.Key{spec.Keys(), spec.RepositoryKeys(), spec.OwnersKeys(), spec.IdentityKeys()} {
		for _, k := range list {
			keys[k.Path] = true
		}
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range commandLines(string(text)) {
			found++
			words := strings.Fields(said)
			cmd, rest, err := root.Find(words)
			if err != nil || cmd == root {
				t.Errorf("%s: there is no command in `gaggle %s`", filepath.Base(page), said)
				continue
			}
			for _, w := range rest {
				flag, _, _ := strings.Cut(strings.Trim(w, "[]().,|"), "=")
				if flag, ok := strings.CutPrefix(flag, "--"); ok && flag != "" && cmd.Flag(flag) == nil {
					t.Errorf("%s: `gaggle %s` has no flag --%s", filepath.Base(page), said, flag)
				}
			}
		}
		for _, m := range dotted.FindAllStringSubmatch(string(text), -1) {
			if !keys[m[1]] {
				t.Errorf("%s: no file has the key %s", filepath.Base(page), m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d command lines were found", found)
	}
}

var (
	inline = regexp.MustCompile("`(?:go run \\./cmd/)?gaggle ([^`\n]+)`")
	block  = regexp.MustCompile(`(?m)^(?:\$ )?(?:go run \./cmd/)?gaggle ([^#\n]+)`)
	dotted = regexp.MustCompile("`((?:metadata|select|change|verify|guard|judge|limits|pullRequest|merge|rollout|hours)\\.[a-z][a-zA-Z.]*)`")
	either = regexp.MustCompile(`^(.*?)(\S+(?: / \S+)+)(.*)$`)
)

// commandLines are what stands after "gaggle", those with alternatives ("a / b") one by one.
func commandLines(text string) []string {
	var list []string
	for _, re := range []*regexp.Regexp{inline, block} {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			if e := either.FindStringSubmatch(m[1]); e != nil {
				for word := range strings.SplitSeq(e[2], " / ") {
					list = append(list, e[1]+word)
				}
				list[len(list)-1] += e[3]
				continue
			}
			list = append(list, m[1])
		}
	}
	return list
}

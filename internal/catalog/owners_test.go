package catalog

import (
	"fmt"
	"strings"
	"testing"
)

func TestOwners(t *testing.T) {
	for name, c := range map[string]struct{ file, dir, owner, problems string }{
		"a team":              {"* @acme/platform", ".", "group:default/platform", ""},
		"a nested group":      {"* @acme/division/platform", ".", "group:default/platform", ""},
		"a user":              {"* @Octo-Cat", ".", "user:default/octo-cat", ""},
		"mail":                {"* jane.doe@example.com", ".", "user:default/jane.doe", ""},
		"the first of two":    {"* @acme/a @acme/b", ".", "group:default/a", ""},
		"the last rule":       {"* @acme/a\n* @acme/b", ".", "group:default/b", ""},
		"a folder":            {"* @acme/a\n/services/a/ @acme/b", "services/a", "group:default/b", ""},
		"a folder above":      {"* @acme/a\n/services/ @acme/b", "services/a", "group:default/b", ""},
		"not a neighbour":     {"* @acme/a\n/services/a/ @acme/b", "services/ab", "group:default/a", ""},
		"a folder, two stars": {"* @acme/a\n/services/** @acme/b", "services/a", "group:default/b", ""},
		"files of it only":    {"/services/a/*.go @acme/b", "services/a", "group:default/b", ""},
		"most files":          {"*.go @acme/go\n*.md @acme/docs", ".", "group:default/go", ""},
		"taken away":          {"* @acme/a\n/services/", "services/a", "", ""},
		"nobody":              {"/other/ @acme/a", "services/a", "", ""},
		"comments":            {"# hi\n\n  * @acme/a # @acme/b\n", ".", "group:default/a", ""},
		"escaped space":       {`/my\ dir/ @acme/a`, "my dir", "group:default/a", ""},
		"carriage returns":    {"* @acme/a\r\n/services/ @acme/b\r\n", "services/a", "group:default/b", ""},
		"sections":            {"[Docs] @acme/docs\n*.md\n^[Code][2] @acme/code\n* \n/services/a/ @acme/own", "services/a", "group:default/own", ""},
		"a section's default": {"[Code][2] @acme/code @acme/more # why\n/services/", "services/a", "group:default/code", ""},
		"section with spaces": {"[Front end]\n/services/ @acme/a", "services/a", "group:default/a", ""},
		"exclusion":           {"* @acme/a\n!/services/", "services/a", "group:default/a", ""},
		"a role":              {"* @@maintainer", ".", "", `1:1 codeowners_invalid "@@maintainer" is not an owner`},
		"a role and a team":   {"* @@maintainer @acme/a", ".", "group:default/a", ""},
		"not an owner":        {"* @acme/a\n  /x/ nobody", ".", "group:default/a", `2:3 codeowners_invalid "nobody" is not an owner`},
		"special characters":  {"/services/(a+b)|$^{x}/ @acme/x\n* @acme/a", "services/a", "group:default/a", ""},
		"group route":         {"/app/(auth)/ @acme/x", "app/(auth)", "group:default/x", ""},
		"broken class":        {"* @acme/a\n/x[z-a]/ @acme/b", ".", "group:default/a", `2:1 codeowners_invalid "/x[z-a]/" is not a usable pattern`},
		"binary":              {"\x00\x01\xff* @acme/a", ".", "", `1:1 codeowners_invalid "???*" is not a usable pattern`},
	} {
		t.Run(name, func(t *testing.T) {
			inv := one(t, map[string]string{
				"CODEOWNERS": c.file, "docs/CODEOWNERS": "* @acme/wrong", "x/1.go": "x", "x/y/2.go": "x", "readme.md": "x",
				c.dir + "/main.go": "package x", c.dir + "/catalog-info.yaml": doc("metadata: {name: a}", "spec: {type: x}"), "services/ab/x": "x",
			})
			owner := ""
			for _, got := range inv.results["acme/mono"].Components {
				if got.Path == c.dir {
					owner = got.Owner
				}
			}
			var problems []string
			for _, p := range inv.results["acme/mono"].Problems {
				if p.Code == ProblemCodeowners {
					problems = append(problems, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Code, p.Message))
				}
			}
			if owner != c.owner || strings.Join(problems, "\n") != c.problems {
				t.Errorf("owner %q, want %q; problems %q, want %q", owner, c.owner, problems, c.problems)
			}
		})
	}
}

func TestADescriptorsOwnerWins(t *testing.T) {
	inv := one(t, map[string]string{".github/CODEOWNERS": "* @acme/a", "catalog-info.yaml": named("x")})
	equal(t, "components", inv.components(), "acme/mono . x group:default/o")
	inv = one(t, map[string]string{".github/CODEOWNERS": "* @acme/a", "CODEOWNERS": "* @acme/b"})
	equal(t, "components", inv.components(), "acme/mono . acme-mono group:default/a")
}

func TestTooManyRulesForTooManyComponents(t *testing.T) {
	files := map[string]string{"CODEOWNERS": strings.Repeat("/x @acme/a\n", maxRules+10)}
	for i := range 110 {
		files[fmt.Sprintf("d%d/catalog-info.yaml", i)] = doc(fmt.Sprintf("metadata: {name: a%d}", i), "spec: {}")
	}
	inv := one(t, files)
	r := inv.results["acme/mono"]
	last := r.Problems[len(r.Problems)-1]
	if len(r.Components) != 110 || len(r.Problems) != 112 || last.Code != ProblemTooMany || last.File != "CODEOWNERS" {
		t.Errorf("%d components, %d problems, the last one %+v", len(r.Components), len(r.Problems), last)
	}
}

func FuzzOwners(f *testing.F) {
	f.Add("* @a/b\n[x][2] @c\n/y\\ z/ d@e.f # g", "y z/a")
	f.Fuzz(func(t *testing.T, text, path string) {
		p := &problems{}
		o := readOwners("CODEOWNERS", []byte(text), p)
		if owner := o.of(path); owner != "" && !strings.HasPrefix(owner, "user:default/") && !strings.HasPrefix(owner, "group:default/") {
			t.Errorf("owner %q", owner)
		}
	})
}

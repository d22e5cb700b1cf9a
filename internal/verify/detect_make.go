package verify

import (
	"path"
	"regexp"
	"strings"
)

var (
	makeRule = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_./ -]*?)\s*::?(?:\s+(.*)|$)`)
	makeRuns = []struct {
		what *regexp.Regexp
		tool string // of the verifier that does the same
		kind Kind
	}{
		{regexp.MustCompile(`\b(go|gotestsum|\$\(GO\)|\$\{GO\})\s+(test|--|-f)|\bgotestsum\b`), "go", Test},
		{regexp.MustCompile(`(\bgo|\$\(GO\)|\$\{GO\})\s+vet\b`), "go", Lint},
		{regexp.MustCompile(`(\bgo|\$\(GO\)|\$\{GO\})\s+build\b`), "go", Build},
		{regexp.MustCompile(`\b(npm|pnpm|yarn|npx|bun|jest|vitest|mocha)\b`), "node", Test},
		{regexp.MustCompile(`\b(npm|pnpm|yarn|npx|bun|eslint|tsc)\b`), "node", Lint},
		{regexp.MustCompile(`\b(npm|pnpm|yarn|npx|bun)\b`), "node", Build},
		{regexp.MustCompile(`\b(pytest|py\.test|unittest|tox|nox|manage\.py test)\b`), "python", Test},
		{regexp.MustCompile(`\b(ruff|mypy)\b`), "python", Lint},
		{regexp.MustCompile(`(\bcargo|\$\(CARGO\))\s+(\S+ )?(test|nextest)\b`), "cargo", Test},
		{regexp.MustCompile(`(\bcargo|\$\(CARGO\))\s+(\S+ )?build\b`), "cargo", Build},
		{regexp.MustCompile(`\b(mvn|mvnw)\b`), "maven", Test},
		{regexp.MustCompile(`\b(gradle|gradlew)\b`), "gradle", Test},
		{regexp.MustCompile(`\bdotnet\s+test\b`), "dotnet", Test},
		{regexp.MustCompile(`\bdotnet\s+build\b`), "dotnet", Build},
		{regexp.MustCompile(`\bbazel(isk)?\b`), "bazel", Test},
		{regexp.MustCompile(`\bpre-commit\b`), "pre-commit", Lint},
	}
	// far matches recipes that reach beyond the work tree: they would fail in a sandbox, and nobody learns from it.
	far = regexp.MustCompile(`\b(docker|docker-compose|podman|kubectl|helm|terraform|vagrant|ssh|kind)\s`)
)

// makefile finds the targets test, check and lint that exist and that do more than what the other verifiers of the folder run already. A
// tree that has no other verifier and no such target is at least built.
func (t *tree) makefile(at string, found []Verifier) []Verifier {
	name := t.first(at, "GNUmakefile", "makefile", "Makefile")
	if name == "" {
		return nil
	}
	recipes := makeRecipes(string(t.read(path.Join(at, name))))
	var all []Verifier
	add := func(target string, kind Kind) {
		all = append(all, Verifier{Name: "make " + target, Kind: kind, Source: path.Join(at, name), Tool: "make", Dir: at, Argv: []string{"make", target}, Setup: optional(SetupSteps(found)), Warm: WarmSteps(found)})
	}
	scripts, _ := t.packageJSON(at)
	for _, target := range []struct {
		name string
		kind Kind
	}{{"lint", Lint}, {"test", Test}, {"check", Test}} {
		_, ok := recipes[target.name]
		if !ok || far.MatchString(reach(recipes, target.name, map[string]bool{})) || doubled(recipes, target.name, target.kind, found) || strings.Contains(scripts.Scripts[target.name], "make "+target.name) {
			continue
		}
		if target.name == "check" && (len(all) > 0 && all[len(all)-1].Name == "make test") && covers(recipes, "check", "test") {
			all = all[:len(all)-1] // check runs test itself
		}
		add(target.name, target.kind)
	}
	if len(all) == 0 && len(found) == 0 {
		for _, target := range []string{"build", "all"} {
			if _, ok := recipes[target]; ok {
				add(target, Build)
				break
			}
		}
	}
	return all
}

func optional(steps []Step) []Step {
	for i := range steps {
		steps[i].Optional = true
	}
	return steps
}

type recipe struct {
	needs []string
	text  string
}

var (
	makeSets = regexp.MustCompile(`(?m)^([A-Za-z_]\w*)\s*[:?+]*=[ \t]*([^\n]{0,200})$`)
	makeUses = regexp.MustCompile(`\$[({](\w+)[)}]`)
)

// makeRecipes reads the rules of a makefile. Plain variables are put in, once, so that $(GO) test is seen for what it is; nothing else is expanded.
func makeRecipes(text string) map[string]*recipe {
	vars := map[string]string{}
	for _, m := range makeSets.FindAllStringSubmatch(text, 500) {
		vars[m[1]] = m[2]
	}
	text = makeUses.ReplaceAllStringFunc(text, func(use string) string {
		if value, ok := vars[use[2:len(use)-1]]; ok && !strings.Contains(value, "$(shell") {
			return value
		}
		return use
	})
	rules := map[string]*recipe{}
	var current []*recipe
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "\t") {
			for _, r := range current {
				r.text += line + "\n"
			}
			continue
		}
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := makeRule.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[2], "=") {
			if !strings.HasPrefix(line, "ifn") && !strings.HasPrefix(line, "ifeq") && !strings.HasPrefix(line, "ifdef") && !strings.HasPrefix(line, "else") && !strings.HasPrefix(line, "endif") {
				current = nil
			}
			continue
		}
		current = nil
		needs, inline, _ := strings.Cut(m[2], ";")
		needs, _, _ = strings.Cut(needs, "#")
		for _, target := range strings.Fields(m[1]) {
			r := rules[target]
			if r == nil {
				if len(rules) == 2000 {
					return rules
				}
				r = &recipe{}
				rules[target] = r
			}
			r.needs = append(r.needs, strings.Fields(needs)...)
			r.text += inline
			current = append(current, r)
		}
	}
	return rules
}

// doubled reports whether everything a target runs, itself or through what it needs, is what a verifier among found runs.
func doubled(recipes map[string]*recipe, target string, kind Kind, found []Verifier) bool {
	text := reach(recipes, target, map[string]bool{})
	if strings.TrimSpace(text) == "" {
		return true // an empty rule, or one that only needs what make cannot find here
	}
	have := map[string]bool{}
	for _, v := range found {
		have[v.Tool+" "+string(v.Kind)] = true
	}
	if kind == Lint && !have["go lint"] && !have["node lint"] && !have["python lint"] && !have["pre-commit lint"] {
		return false
	}
	twice, more := false, false
	for line := range strings.Lines(text) {
		command := strings.TrimLeft(strings.TrimSpace(line), "@-+ ")
		if command == "" || strings.HasPrefix(command, "#") || strings.HasPrefix(command, "echo") || strings.HasPrefix(command, "mkdir") || strings.HasPrefix(command, "printf") {
			continue
		}
		same := false
		for _, r := range makeRuns {
			same = same || have[r.tool+" "+string(r.kind)] && r.what.MatchString(command)
		}
		twice, more = twice || same, more || !same
	}
	// Tests that are run already prove no more with what stands beside them (coverage, reports); a linter does.
	return !more || kind == Test && twice
}

// reach collects the recipes of a target and of what it needs.
func reach(recipes map[string]*recipe, target string, seen map[string]bool) string {
	r := recipes[target]
	if r == nil || seen[target] || len(seen) > 50 {
		return ""
	}
	seen[target] = true
	text := ""
	for _, need := range r.needs {
		text += reach(recipes, need, seen)
	}
	return text + r.text
}

// covers reports whether one target runs another one.
func covers(recipes map[string]*recipe, target, other string) bool {
	seen := map[string]bool{}
	text := reach(recipes, target, seen)
	return seen[other] || strings.Contains(text, "$(MAKE) "+other) || strings.Contains(text, "make "+other)
}

package verify

import (
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

// maxModules is how many modules of one component are verified, those nearest to its folder first.
const maxModules = 8

// golang finds Go modules: a workspace's modules together, then every further module below the folder by
// itself, for a change may reach those too and no other command compiles them.
func (t *tree) golang(at, want string) []Verifier {
	var found []Verifier
	taken := map[string]bool{}
	modules := map[string]string{}
	type module struct {
		dir, source string
		patterns    []string
		vendored    bool
	}
	var all []module
	depth := 5
	if at != want {
		depth = 0 // the modules below are other components' own
	}
	t.below(at, depth, true, func(dir string, names []fs.DirEntry) bool {
		if len(all) == maxModules {
			return false
		}
		if data := t.read(path.Join(dir, "go.work")); data != nil && !taken[dir] {
			if m := t.workspace(dir, data, taken, modules); len(m) > 0 {
				all = append(all, module{dir, "go.work", m, t.has(path.Join(dir, "vendor", "modules.txt"))})
			}
		}
		if data := t.read(path.Join(dir, "go.mod")); data != nil && !taken[dir] {
			if name := modfile.ModulePath(data); name != "" {
				modules[name] = dir
			}
			all = append(all, module{dir, "go.mod", []string{"./..."}, t.has(path.Join(dir, "vendor", "modules.txt"))})
		}
		return true
	})
	for _, m := range all {
		var warm []Step
		if !m.vendored && t.needsModules(m.dir) {
			// Runs nothing of the repository; a newer toolchain that go.mod asks for comes from the module proxy, verified.
			warm = []Step{{Argv: []string{"go", "mod", "download"}, Dir: m.dir}}
		}
		// Compiling runs nothing of what is compiled, and -exec true nothing of the tests; so the build cache may be shared.
		// The tests' step compiles the packages that have none, too, which leaves nothing for go build.
		for _, argv := range [][]string{{"go", "vet"}, {"go", "test", "-vet=off", "-run=^$", "-exec=true"}} {
			warm = append(warm, Step{Argv: append(argv, m.patterns...), Dir: m.dir, Local: true, Optional: true})
		}
		source := path.Join(m.dir, m.source)
		add := func(name string, kind Kind, argv ...string) {
			found = append(found, Verifier{Name: name, Kind: kind, Source: source, Tool: "go", Dir: m.dir, Modules: modules, Warm: warm, Argv: append(argv, m.patterns...)})
		}
		if m.dir == at { // elsewhere vet, which type-checks, is enough
			add("go build", Build, "go", "build", "-buildvcs=false", "-o", "/dev/null")
		}
		add("go vet", Lint, "go", "vet")
		add("go test", Test, "go", "test", "-vet=off", goTimeout(DefaultTimeout))
	}
	return found
}

// needsModules says whether a module, or a workspace, names modules to fetch. What cannot be read may.
func (t *tree) needsModules(dir string) bool {
	if t.has(path.Join(dir, "go.work")) {
		return true
	}
	mod, err := modfile.ParseLax("go.mod", t.read(path.Join(dir, "go.mod")), nil)
	return err != nil || len(mod.Require) > 0
}

// workspace reads the modules that a go.work names and that are there, as patterns from its folder.
func (t *tree) workspace(dir string, data []byte, taken map[string]bool, modules map[string]string) []string {
	work, err := modfile.ParseWork("go.work", data, nil)
	if err != nil {
		return nil
	}
	var patterns []string
	for _, use := range work.Use {
		at := path.Join(dir, path.Clean(use.Path))
		if path.IsAbs(use.Path) || !fs.ValidPath(at) || dir != "." && at != dir && !strings.HasPrefix(at, dir+"/") {
			continue
		}
		mod := t.read(path.Join(at, "go.mod"))
		if mod == nil || taken[at] {
			continue
		}
		taken[at] = true
		if name := modfile.ModulePath(mod); name != "" {
			modules[name] = at
		}
		patterns = append(patterns, "./"+path.Join(path.Clean(use.Path), "..."))
	}
	return patterns
}

// goTimeout makes go test end by itself, with the names of the tests that hang, before the verifier's own limit does.
func goTimeout(limit time.Duration) string {
	return "-timeout=" + (limit * 9 / 10).Round(time.Second).String()
}

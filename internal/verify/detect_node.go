package verify

import (
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// packageJSON is what is read of package.json. Fields that are not of the expected type are left empty.
type packageJSON struct {
	Scripts        map[string]string
	PackageManager string
	Workspaces     []string
	Needs          bool // it declares dependencies of some kind
}

// node finds packages by package.json: the one at the folder, else those a little below it. Scripts run with the package manager
// whose lockfile, or whose name in package.json, is there.
func (t *tree) node(at, want string) []Verifier {
	dirs := []string{at}
	if !t.has(path.Join(at, "package.json")) {
		if at != want {
			return nil
		}
		dirs = t.roots(at, 2, false, func(name string) bool { return name == "package.json" })
	} else if at == want { // a web front end beside a root that only holds tools
		for _, dir := range t.inside(at, 1, func(name string) bool { return name == "package.json" }) {
			if t.lockfile(dir) != "" {
				dirs = append(dirs, dir)
			}
		}
	}
	var found []Verifier
	for _, dir := range dirs[:min(len(dirs), 4)] {
		found = append(found, t.nodePackage(dir)...)
	}
	return found
}

func (t *tree) packageJSON(dir string) (packageJSON, bool) {
	var raw map[string]json.RawMessage
	if json.Unmarshal(t.read(path.Join(dir, "package.json")), &raw) != nil {
		return packageJSON{}, false
	}
	var p packageJSON
	_ = json.Unmarshal(raw["packageManager"], &p.PackageManager)
	if json.Unmarshal(raw["scripts"], &p.Scripts) != nil { // one script that is no text spoils the map, not the others
		var loose map[string]any
		_ = json.Unmarshal(raw["scripts"], &loose)
		p.Scripts = map[string]string{}
		for name, script := range loose {
			if s, ok := script.(string); ok {
				p.Scripts[name] = s
			}
		}
	}
	if json.Unmarshal(raw["workspaces"], &p.Workspaces) != nil {
		var nested struct{ Packages []string }
		_ = json.Unmarshal(raw["workspaces"], &nested)
		p.Workspaces = nested.Packages
	}
	for _, key := range []string{"dependencies", "devDependencies", "optionalDependencies", "peerDependencies"} {
		var deps map[string]any
		p.Needs = p.Needs || json.Unmarshal(raw[key], &deps) == nil && len(deps) > 0
	}
	return p, true
}

// manager is how packages are installed and scripts run.
type manager struct {
	name    string // npm, pnpm, yarn, bun
	lock    string // "" when there is none
	berry   bool   // Yarn 2 or newer
	release string // the Yarn that the repository holds, below root
	root    string // where it installs
}

// program is how the manager is called in a folder.
func (m manager) program(dir string) []string {
	if m.release != "" {
		return []string{"node", path.Join(relative(dir, m.root), m.release)}
	}
	return []string{m.name}
}

var lockfiles = []struct{ file, manager string }{
	{"pnpm-lock.yaml", "pnpm"}, {"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"}, {"package-lock.json", "npm"}, {"npm-shrinkwrap.json", "npm"},
}

func (t *tree) lockfile(dir string) string {
	for _, l := range lockfiles {
		if t.has(path.Join(dir, l.file)) {
			return l.file
		}
	}
	return ""
}

// manager decides who installs for a package: the package's own lockfile, else that of the workspace above it.
func (t *tree) manager(dir string) manager {
	m := manager{name: "npm", root: dir}
	named := ""
	for up := dir; ; up = path.Dir(up) {
		p, ok := t.packageJSON(up)
		workspace := up == dir || ok && len(p.Workspaces) > 0 || t.has(path.Join(up, "pnpm-workspace.yaml"))
		if ok && workspace && named == "" {
			named, _, _ = strings.Cut(p.PackageManager, "@")
		}
		if lock := t.lockfile(up); lock != "" && workspace {
			m.root, m.lock = up, lock
			break
		}
		if up == "." {
			break
		}
	}
	for _, l := range lockfiles {
		if l.file == m.lock {
			m.name = l.manager
		}
	}
	if slices.Contains([]string{"npm", "pnpm", "yarn", "bun"}, named) {
		if named != m.name {
			m.lock = ""
			for _, l := range lockfiles {
				if l.manager == named && t.has(path.Join(m.root, l.file)) {
					m.lock = l.file
				}
			}
		}
		m.name = named
	}
	if m.name == "yarn" {
		rc := t.read(path.Join(m.root, ".yarnrc.yml"))
		m.berry = rc != nil || regexp.MustCompile(`(?m)^__metadata:`).Match(t.read(path.Join(m.root, "yarn.lock")))
		if own := regexp.MustCompile(`(?m)^yarnPath:\s*["']?(\.yarn/[\w./@-]+)["']?\s*$`).FindSubmatch(rc); own != nil && t.has(path.Join(m.root, string(own[1]))) {
			m.release = string(own[1])
		}
	}
	return m
}

// relative is how to get from one folder of the tree to another one at or above it.
func relative(from, to string) string {
	up := "."
	for from != to && from != "." {
		from, up = path.Dir(from), path.Join(up, "..")
	}
	return up
}

// risky are settings by which a repository's .npmrc makes npm run a program even with --ignore-scripts.
var risky = regexp.MustCompile(`(?m)^\s*(git|onload-script|node-options|shell|script-shell|prefix|cache|userconfig|globalconfig|viewer|editor)\s*=`)

// install makes the step that fills node_modules. Nothing of the packages runs; where the repository's own settings can make the
// manager run something, the step says so.
func (t *tree) install(m manager) (warm, setup []Step) {
	var argv []string
	executes := false
	env := map[string]string{}
	switch m.name {
	case "npm":
		argv = []string{"npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"}
		if m.lock == "" {
			argv = []string{"npm", "install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"}
		}
		executes = t.matches(path.Join(m.root, ".npmrc"), risky)
	case "pnpm":
		argv = []string{"pnpm", "install", "--ignore-scripts", "--prefer-offline", "--frozen-lockfile"}
		if m.lock == "" {
			argv[len(argv)-1] = "--no-lockfile"
		}
		executes = t.first(m.root, ".pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js") != "" || t.matches(path.Join(m.root, ".npmrc"), risky)
	case "yarn":
		argv = m.program(m.root)
		if m.berry {
			argv = append(argv, "install", "--immutable")
			env["YARN_ENABLE_SCRIPTS"], env["YARN_ENABLE_TELEMETRY"], env["YARN_ENABLE_GLOBAL_CACHE"] = "false", "false", "true"
		} else {
			argv = append(argv, "install", "--frozen-lockfile", "--ignore-scripts", "--non-interactive", "--prefer-offline")
		}
		executes = t.first(m.root, ".yarnrc", ".yarnrc.yml") != ""
	case "bun":
		argv = []string{"bun", "install", "--frozen-lockfile", "--ignore-scripts"}
	}
	warm = []Step{{Argv: argv, Dir: m.root, Env: env, Executes: executes}}
	if t.isDir(path.Join(m.root, "node_modules")) || t.has(path.Join(m.root, ".pnp.cjs")) {
		return warm, nil // the repository holds its packages
	}
	script := "exec " + words(argv)
	if m.name == "npm" {
		script = npmCache + script
	}
	setup = []Step{{Name: words(argv), Argv: fresh(script, "node_modules", ".pnp.cjs"), Dir: m.root, Env: env, Executes: executes}}
	if m.name == "npm" && strings.Contains(string(t.read(path.Join(m.root, m.lock))), `"hasInstallScript": true`) {
		// Some packages compile or unpack themselves when installed. That is other people's code: it runs in the sandbox, without network.
		again := "test -e node_modules/.gaggle-rebuilt || { npm rebuild && touch node_modules/.gaggle-rebuilt; }"
		setup = append(setup, Step{Name: "npm rebuild", Argv: []string{"sh", "-c", again}, Dir: m.root, Executes: true, Optional: true})
	}
	return warm, setup
}

func words(argv []string) string {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		quoted[i] = quote(a)
	}
	return strings.Join(quoted, " ")
}

// The scripts that are verifiers, by the names that they go by, best first.
var nodeScripts = []struct {
	what  string
	kind  Kind
	names []string
}{
	{"build", Build, []string{"build"}},
	{"lint", Lint, []string{"lint:ci", "lint:check", "check:lint", "lint"}},
	{"typecheck", Lint, []string{"typecheck", "type-check", "check-types", "check:types", "check:type", "types:check", "check-type"}},
	{"test", Test, []string{"test:ci", "test", "test:unit", "unit"}},
}

var (
	placeholder = regexp.MustCompile(`^\s*(echo\b[^&|;]*)?(&&)?\s*(exit\s+\d+|true|:)?\s*$|no test specified`)
	endless     = regexp.MustCompile(`(^|\s)(-w|--watch|--watchAll|--watch-all|nodemon|serve|webpack-dev-server)(\s|$)|\bng test\b|\bkarma start\b`)
	ends        = regexp.MustCompile(`--watch(=|\s+)false|--single-run|--no-watch`)
	rewrites    = regexp.MustCompile(`(^|\s)(--fix|--write|--apply)\b`)
)

// script chooses the script for a purpose: one that exists, does something, comes to an end and does not rewrite the code.
func (p packageJSON) script(kind Kind, names []string) string {
	for _, name := range names {
		text := p.Scripts[name]
		if placeholder.MatchString(text) || endless.MatchString(text) && !ends.MatchString(text) || kind == Lint && rewrites.MatchString(text) {
			continue
		}
		return name
	}
	return ""
}

func (t *tree) nodePackage(dir string) []Verifier {
	p, ok := t.packageJSON(dir)
	if !ok {
		return nil
	}
	m := t.manager(dir)
	var warm, setup []Step
	if root, _ := t.packageJSON(m.root); p.Needs || root.Needs || len(root.Workspaces) > 0 {
		warm, setup = t.install(m)
	}
	members := t.members(dir, m, p)
	var found []Verifier
	for _, s := range nodeScripts {
		argv := m.program(dir)
		if name := p.script(s.kind, s.names); name != "" {
			argv = append(argv, "run", name)
		} else if argv = m.everywhere(members, s.kind, s.names); argv == nil {
			continue
		}
		found = append(found, Verifier{
			Name: m.name + " " + s.what, Kind: s.kind, Source: path.Join(dir, "package.json"), Tool: "node", Dir: dir, Argv: argv,
			Warm: warm, Setup: setup, Scratch: scratch(dir, "node_modules/", ".pnp.*", ".next/", ".nuxt/", ".turbo/", ".nyc_output/", "coverage/", "*.tsbuildinfo", ".eslintcache"),
		})
	}
	return found
}

// members reads the packages of a workspace whose patterns are of the common form "folder/*".
func (t *tree) members(dir string, m manager, p packageJSON) []packageJSON {
	if m.root != dir {
		return nil
	}
	patterns := p.Workspaces
	if m.name == "pnpm" {
		for _, l := range regexp.MustCompile(`(?m)^\s*-\s*["']?([\w@./*-]+)["']?\s*$`).FindAllSubmatch(t.read(path.Join(dir, "pnpm-workspace.yaml")), 20) {
			patterns = append(patterns, string(l[1]))
		}
	}
	var all []packageJSON
	for _, pattern := range patterns[:min(len(patterns), 20)] {
		folder := path.Join(dir, strings.TrimSuffix(strings.TrimSuffix(pattern, "*"), "/*"))
		if !fs.ValidPath(folder) || strings.Contains(folder, "*") {
			continue
		}
		for _, at := range append([]string{folder}, t.inside(folder, 1, func(name string) bool { return name == "package.json" })...) {
			if member, ok := t.packageJSON(at); ok && at != dir {
				all = append(all, member)
			}
		}
	}
	return all
}

// everywhere runs a script in every package of a workspace that has it, when the workspace itself has none.
func (m manager) everywhere(members []packageJSON, kind Kind, names []string) []string {
	for _, name := range names {
		for _, member := range members {
			if member.script(kind, []string{name}) == "" {
				continue
			}
			switch m.name {
			case "npm":
				return []string{"npm", "run", name, "--workspaces", "--if-present"}
			case "pnpm":
				return []string{"pnpm", "--recursive", "--if-present", "run", name}
			}
		}
	}
	return nil
}

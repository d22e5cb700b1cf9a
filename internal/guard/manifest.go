package guard

import (
	"path"
	"regexp"
	"strings"

	"gaggle/internal/guard/setting"
	"gaggle/internal/guard/version"
)

// pinned is one version that a manifest states.
type pinned struct {
	name     string
	version  string
	language bool // a language level, toolchain or base image
	line     int
	text     string
}

// checkVersions finds versions that are lower than before, and dependencies that come from elsewhere.
func checkVersions(r *review) {
	for _, c := range r.changes {
		if c.binary || c.isDeleted() || vendorPath.MatchString(c.path()) || fixtureDir.MatchString(c.path()) {
			continue
		}
		r.checkRoutes(c)
		if c.isNew() {
			continue
		}
		read := manifestReader(c.newPath)
		if read == nil {
			continue
		}
		old, new := read(c.before), read(c.after)
		r.compareVersions(c, old, new)
	}
	r.checkGradleWrapper()
}

// checkGradleWrapper has nothing of its own: the wrapper's version is read as a manifest. Its checksum may go only with it.
func (r *review) checkGradleWrapper() {
	for _, c := range r.changes {
		if path.Base(c.path()) != "gradle-wrapper.properties" {
			continue
		}
		for _, l := range c.removed {
			if strings.HasPrefix(l.text, "distributionSha256Sum") && !addedWith(c, "distributionSha256Sum") {
				r.report(dependencyRerouted, c.path(), firstLine(c), l.text, "the checksum of the Gradle distribution is gone: keep one that fits the version")
			}
		}
	}
}

func addedWith(c *change, prefix string) bool {
	for _, l := range c.added {
		if strings.HasPrefix(l.text, prefix) {
			return true
		}
	}
	return false
}

// compareVersions pairs the versions of both sides by name.
func (r *review) compareVersions(c *change, old, new []pinned) {
	changed := map[int]bool{}
	for _, l := range c.added {
		changed[l.num] = true
	}
	before := map[string][]pinned{}
	for _, p := range old {
		before[p.name] = append(before[p.name], p)
	}
	count := map[string]int{}
	for _, p := range new {
		n := count[p.name]
		count[p.name]++
		list := before[p.name]
		if len(list) == 0 || !changed[p.line] {
			continue
		}
		was := list[min(n, len(list)-1)]
		if was.version == p.version || !version.Older(p.version, was.version) {
			continue
		}
		if len(list) > 1 && holdsVersion(list, p.version) {
			continue // one of several that were there before, in another order
		}
		if strings.Contains(was.version, "SNAPSHOT") || strings.Contains(p.version, ".dev") {
			continue // the project's own version
		}
		if _, lock := isLock(c.path()); lock && holdsOlderAnyway(list, p.version) {
			continue
		}
		if r.asked.asksFor(p.name, p.version) {
			continue
		}
		rule, what := dependencyLowered, "the dependency"
		if p.language {
			rule, what = languageDowngraded, "the language level or toolchain"
		}
		r.report(rule, c.path(), p.line, p.text, "%s %s goes back from %s to %s: restore it", what, p.name, was.version, p.version)
	}
}

func holdsVersion(list []pinned, v string) bool {
	for _, p := range list {
		if p.version == v {
			return true
		}
	}
	return false
}

func holdsOlderAnyway(list []pinned, v string) bool {
	for _, p := range list {
		if !version.Older(v, p.version) {
			return true
		}
	}
	return false
}

// asksFor reports whether the prompt names both a dependency and the version that it shall have.
func (r request) asksFor(name, v string) bool {
	v = strings.Trim(strings.TrimLeft(v, "^~>=<! v"), `"'`)
	if v == "" || !r.words[v] && !r.words["v"+v] && !r.words["^"+v] && !r.words["~"+v] {
		return false
	}
	for _, part := range strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return c == '/' || c == ':' || c == '@' || c == '.' || c == ' ' }) {
		if r.parts[part] || r.words[part] {
			return true
		}
	}
	return false
}

var (
	goRequire    = regexp.MustCompile(`^\s*(?:require\s+)?([\w.~-]+\.[\w./~-]+)\s+(v\d[^\s]*)`)
	goDirective  = regexp.MustCompile(`^\s*(go|toolchain)\s+(?:go)?(\d[\w.-]*)`)
	requirement  = regexp.MustCompile(`^\s*["']?([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*((?:===?|~=|>=|<=|!=|<|>)\s*[^;#"']+)`)
	dockerFrom   = regexp.MustCompile(`(?i)^\s*FROM\s+(?:--\S+\s+)?([^\s:@]+):(\S+?)(?:@\S+)?(?:\s|$)`)
	gradleCoords = regexp.MustCompile(`["']([\w.-]+:[\w.-]+):([\w.+-]+)["']`)
	gradleLevel  = regexp.MustCompile(`\b(sourceCompatibility|targetCompatibility|jvmTarget|languageVersion|apiVersion|release|compileSdk(?:Version)?|minSdk(?:Version)?|targetSdk(?:Version)?|jvmToolchain|kotlinOptions\.jvmTarget)\b[^\d"'V]*(?:JavaVersion\.VERSION_|JavaLanguageVersion\.of\(|JvmTarget\.JVM_|KotlinVersion\.KOTLIN_|["'(]*)(\d[\d._]*)`)
	gradlePlugin = regexp.MustCompile(`\bid\s*\(?\s*["']([\w.-]+)["']\s*\)?\s*version\s*\(?\s*["']([\w.+-]+)["']`)
	gradleVar    = regexp.MustCompile(`^\s*(?:ext\.|val |def |set\(["'])?([\w.]*[vV]ersion)["']?\s*[=,]\s*["']([\w.+-]+)["']`)
	gemLine      = regexp.MustCompile(`^\s*(?:gem|\w+\.add_(?:runtime_|development_)?dependency)\s*\(?\s*["']([\w./-]+)["']\s*,\s*["']([^"']+)["']`)
	rubyLevel    = regexp.MustCompile(`^\s*(ruby|\w+\.required_ruby_version)\s*=?\s*["']([^"']+)["']`)
	toolLine     = regexp.MustCompile(`^\s*([a-z][\w-]*)\s+v?(\d[\w.+-]*)`)
	pyLevel      = regexp.MustCompile(`(python_requires|requires-python|target-version|python_version|py_version|pythonVersion)\s*[=:]\s*\[?["']?([^"'\],]+)`)
	setupPin     = regexp.MustCompile(`["']([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*((?:==|~=|>=|<=|<|>)[^"']+)["']`)
	distribution = regexp.MustCompile(`(gradle|apache-maven)-(\d[\w.]*?)-(?:bin|all|src)`)
)

// manifestReader returns what reads the versions of a file, or nil when it holds none.
func manifestReader(file string) func(side) []pinned {
	base := path.Base(file)
	lower := strings.ToLower(base)
	switch {
	case base == "go.mod" || base == "go.work":
		return lineReader(linePattern{goDirective, true, ""}, linePattern{goRequire, false, ""})
	case lower == "package.json":
		return readPackageJSON
	case base == "composer.json":
		return readComposer
	case base == "pom.xml" || strings.HasSuffix(base, ".pom"):
		return readPOM
	case strings.HasSuffix(base, "proj") || strings.HasSuffix(base, ".props") || strings.HasSuffix(base, ".targets") || base == "packages.config" || base == "global.json":
		return readDotnet
	case strings.HasSuffix(base, ".gradle") || strings.HasSuffix(base, ".gradle.kts"):
		return lineReader(linePattern{gradleLevel, true, ""}, linePattern{gradleCoords, false, ""}, linePattern{gradlePlugin, false, ""}, linePattern{gradleVar, false, ""})
	case base == "gradle-wrapper.properties" || base == "maven-wrapper.properties":
		return lineReader(linePattern{distribution, true, ""})
	case base == "Cargo.toml" || base == "pyproject.toml" || base == "Pipfile" || strings.HasSuffix(base, ".versions.toml") || base == "rust-toolchain.toml" || base == "setup.cfg" || base == "gradle.properties" || base == "tox.ini" || base == "mypy.ini" || base == "mise.toml" || base == ".mise.toml" || base == "ruff.toml" || base == "clippy.toml":
		return readTOML(base)
	case strings.HasPrefix(lower, "requirements") && strings.HasSuffix(lower, ".txt") || strings.HasPrefix(lower, "constraints") && strings.HasSuffix(lower, ".txt") || path.Base(path.Dir(file)) == "requirements":
		return lineReader(linePattern{requirement, false, ""})
	case base == "setup.py" || base == "noxfile.py":
		return lineReader(linePattern{pyLevel, true, ""}, linePattern{setupPin, false, ""})
	case base == "Gemfile" || strings.HasSuffix(base, ".gemspec") || base == "gems.rb":
		return lineReader(linePattern{rubyLevel, true, ""}, linePattern{gemLine, false, ""})
	case base == "Dockerfile" || strings.HasPrefix(base, "Dockerfile.") || strings.HasSuffix(lower, ".dockerfile") || base == "Containerfile":
		return lineReader(linePattern{dockerFrom, true, ""})
	case base == ".tool-versions":
		return lineReader(linePattern{toolLine, true, ""})
	case base == ".nvmrc" || base == ".node-version" || base == ".python-version" || base == ".ruby-version" || base == ".java-version" || base == "rust-toolchain" || base == ".go-version" || base == ".sdkmanrc" || base == "runtime.txt" || base == ".terraform-version" || base == ".php-version":
		return readVersionFile(base)
	case base == "tsconfig.json" || strings.HasPrefix(base, "tsconfig.") && strings.HasSuffix(base, ".json"):
		return readTSConfig
	case base == "Package.swift":
		return lineReader(linePattern{regexp.MustCompile(`(swift-tools-version):\s*(\d[\w.]*)`), true, ""}, linePattern{regexp.MustCompile(`url:\s*"([^"]+)".*(?:from|exact):\s*"([^"]+)"`), false, ""})
	case base == "package-lock.json" || base == "npm-shrinkwrap.json" || base == "composer.lock":
		return readJSONLock
	case base == "Cargo.lock" || base == "poetry.lock" || base == "uv.lock" || base == "pdm.lock":
		return readTOMLLock
	case base == "yarn.lock":
		return readYarnLock
	case base == "Gemfile.lock":
		return lineReader(linePattern{regexp.MustCompile(`^    ([\w.-]+) \((\d[^)]*)\)$`), false, ""})
	}
	return nil
}

// linePattern reads a name and a version from one line.
type linePattern struct {
	re       *regexp.Regexp
	language bool
	comment  string
}

func lineReader(patterns ...linePattern) func(side) []pinned {
	return func(s side) []pinned {
		var out []pinned
		for _, b := range s.blocks {
			for i, l := range b.lines {
				if len(l) > 1000 || strings.HasPrefix(strings.TrimSpace(l), "//") || strings.HasPrefix(strings.TrimSpace(l), "#") && !strings.Contains(l, "tools-version") {
					continue
				}
				for _, p := range patterns {
					for _, m := range p.re.FindAllStringSubmatch(l, 10) {
						out = append(out, pinned{m[1], strings.TrimSpace(strings.ReplaceAll(m[2], "_", ".")), p.language, b.first + i, l})
					}
				}
			}
		}
		return out
	}
}

func settings(file string, s side) []setting.Setting {
	blocks := make([]setting.Block, len(s.blocks))
	for i, b := range s.blocks {
		blocks[i] = setting.Block{First: b.first, Lines: b.lines}
	}
	return setting.Read(file, blocks)
}

var looksLikeRange = regexp.MustCompile(`^(npm:\S+@)?[\^~<>=v ]*\d+(\.|$| |\|)`)

func readPackageJSON(s side) []pinned {
	var out []pinned
	for _, v := range settings("package.json", s) {
		if v.Item || !looksLikeRange.MatchString(v.Value) {
			continue
		}
		head, _, _ := strings.Cut(v.Path, ".")
		switch {
		case head == "version" || head == "config" || head == "scripts":
		case head == "engines" || head == "volta" || head == "devengines":
			out = append(out, pinned{v.Name, v.Value, true, v.Line, v.Name + " " + v.Value})
		case v.Name == "packageManager":
		default:
			out = append(out, pinned{v.Name, v.Value, false, v.Line, v.Name + " " + v.Value})
		}
	}
	return out
}

func readComposer(s side) []pinned {
	var out []pinned
	for _, v := range settings("composer.json", s) {
		if looksLikeRange.MatchString(v.Value) && v.Name != "version" {
			out = append(out, pinned{v.Name, v.Value, v.Name == "php", v.Line, v.Name + " " + v.Value})
		}
	}
	return out
}

func readTSConfig(s side) []pinned {
	var out []pinned
	for _, v := range settings("tsconfig.json", s) {
		if name := strings.ToLower(v.Name); name == "target" {
			out = append(out, pinned{name, strings.TrimPrefix(strings.ToLower(v.Value), "es"), true, v.Line, v.Name + " " + v.Value})
		}
	}
	return out
}

func readVersionFile(base string) func(side) []pinned {
	return func(s side) []pinned {
		var out []pinned
		for _, b := range s.blocks {
			for i, l := range b.lines {
				if t := strings.TrimSpace(l); t != "" && t[0] != '#' {
					if _, value, ok := strings.Cut(t, "="); ok {
						t = value
					}
					out = append(out, pinned{strings.TrimPrefix(base, "."), t, true, b.first + i, l})
				}
			}
		}
		return out
	}
}

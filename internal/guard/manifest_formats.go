package guard

import (
	"regexp"
	"strings"

	"gaggle/internal/guard/setting"
	"gaggle/internal/guard/version"
)

// readPOM pairs each version with the artifact that stands before it in the same element, and reads properties.
func readPOM(s side) []pinned {
	var out []pinned
	artifact, where := "", ""
	for _, v := range settings("pom.xml", s) {
		at := strings.LastIndexByte(v.Path, '.')
		parent := ""
		if at >= 0 {
			parent = v.Path[:at]
		}
		switch {
		case v.Name == "artifactId":
			artifact, where = v.Value, parent
		case v.Name == "version" && artifact != "" && parent == where && !strings.HasPrefix(v.Value, "$") && (strings.HasSuffix(parent, "dependency") || strings.HasSuffix(parent, "plugin") || strings.HasSuffix(parent, "parent") || strings.HasSuffix(parent, "extension") || parent == ""):
			out = append(out, pinned{artifact, v.Value, false, v.Line, artifact + " " + v.Value})
		case pomLevel.MatchString(v.Name) && v.Value != "" && v.Value[0] >= '0' && v.Value[0] <= '9':
			out = append(out, pinned{v.Name, strings.TrimPrefix(v.Value, "1."), true, v.Line, v.Name + " " + v.Value})
		case (strings.HasSuffix(v.Name, "version") || strings.HasSuffix(v.Name, "Version")) && v.Name != "version" && v.Name != "modelVersion":
			out = append(out, pinned{v.Name, v.Value, false, v.Line, v.Name + " " + v.Value})
		}
	}
	return out
}

var pomLevel = regexp.MustCompile(`^(maven\.compiler\.(source|target|release|testSource|testTarget|testRelease)|java\.version|jdk\.version|javaVersion|source|target|release|kotlin\.compiler\.(jvmTarget|languageVersion|apiVersion)|jvmTarget|project\.java\.version|kotlin\.version|scala\.version)$`)

// readDotnet reads package references with their versions, target frameworks and the SDK's version.
func readDotnet(s side) []pinned {
	var out []pinned
	name := ""
	file := "x.csproj"
	if len(s.blocks) > 0 && len(s.blocks[0].lines) > 0 && strings.HasPrefix(strings.TrimSpace(s.blocks[0].lines[0]), "{") {
		file = "x.json"
	}
	for _, v := range settings(file, s) {
		switch lower := strings.ToLower(v.Name); lower {
		case "include", "update", "id":
			name = v.Value
		case "version", "versionoverride":
			switch {
			case strings.Contains(v.Path, "sdk."):
				out = append(out, pinned{"sdk", v.Value, true, v.Line, v.Value})
			case name != "" && strings.Contains(v.Path, "package"):
				out = append(out, pinned{name, v.Value, false, v.Line, name + " " + v.Value})
			}
		case "targetframework", "targetframeworks", "langversion", "targetframeworkversion":
			newest := map[string]string{}
			for _, t := range strings.Split(v.Value, ";") {
				if family, number := targetOf(strings.ToLower(t)); number != "" && (newest[family] == "" || version.Older(newest[family], number)) {
					newest[family] = number
				}
			}
			for _, family := range []string{"net", "netfx", "netstandard", "language"} {
				if number := newest[family]; number != "" {
					out = append(out, pinned{family, number, true, v.Line, v.Name + " " + v.Value})
				}
			}
		}
	}
	return out
}

var framework = regexp.MustCompile(`^(net(?:coreapp|standard)?|v)?(\d+(?:\.\d+)*)`)

// targetOf reads a target framework: .NET, .NET Framework and .NET Standard count apart.
func targetOf(name string) (family, number string) {
	m := framework.FindStringSubmatch(strings.TrimSpace(name))
	switch {
	case m == nil:
		return "", ""
	case m[1] == "":
		return "language", m[2]
	case m[1] == "netstandard":
		return m[1], m[2]
	case m[1] == "net" && !strings.Contains(m[2], "."): // net48 is .NET Framework 4.8
		return "netfx", strings.Join(strings.Split(m[2], ""), ".")
	case m[1] == "v":
		return "netfx", m[2]
	}
	return "net", m[2]
}

var tomlLevel = regexp.MustCompile(`^(edition|rust-version|requires-python|python_requires|python_version|target-version|channel|java|jdk|jvm|msrv|python-version|pythonversion)$`)

// readTOML reads the dependency tables of Cargo.toml, pyproject.toml, Pipfile and version catalogs.
func readTOML(base string) func(side) []pinned {
	return func(s side) []pinned {
		var out []pinned
		for _, v := range settings(base, s) {
			lower := strings.ToLower(v.Name)
			switch {
			case tomlLevel.MatchString(lower) || lower == "python" && strings.Contains(v.Path, "dependencies"):
				value := v.Value
				if m := pyTarget.FindStringSubmatch(value); m != nil {
					value = m[1] + "." + m[2]
				}
				out = append(out, pinned{lower, value, true, v.Line, v.Name + " = " + v.Value})
			case v.Item && requirement.MatchString(v.Value):
				m := requirement.FindStringSubmatch(v.Value)
				out = append(out, pinned{m[1], m[2], false, v.Line, v.Value})
			case v.Item || strings.Contains(v.Path, "package.version") || v.Path == "project.version" || v.Path == "tool.poetry.version" || v.Path == "version":
			case lower == "version" || lower == "rev" && false:
				parts := strings.Split(v.Path, ".")
				if len(parts) >= 2 {
					out = append(out, pinned{parts[len(parts)-2], v.Value, false, v.Line, parts[len(parts)-2] + " " + v.Value})
				}
			case inDependencies(v) && looksLikeRange.MatchString(v.Value):
				out = append(out, pinned{v.Name, v.Value, false, v.Line, v.Name + " = " + v.Value})
			case base == "gradle.properties" && strings.Contains(lower, "version") && lower != "version":
				out = append(out, pinned{v.Name, v.Value, false, v.Line, v.Name + "=" + v.Value})
			}
		}
		return out
	}
}

var pyTarget = regexp.MustCompile(`^py(\d)(\d+)$`)

// inDependencies reports whether a setting stands in a table of dependencies, or in a hunk that does not show which.
func inDependencies(v setting.Setting) bool {
	return strings.Contains(v.Path, "dependencies") || strings.Contains(v.Path, "packages") || strings.HasPrefix(v.Path, "versions.") || !strings.Contains(v.Path, ".")
}

func readJSONLock(s side) []pinned {
	var out []pinned
	name := ""
	for _, v := range settings("x.json", s) {
		parts := strings.Split(v.Path, ".")
		switch v.Name {
		case "name":
			name = v.Value
		case "version":
			owner := name
			if i := strings.LastIndex(v.Path, "node_modules/"); i >= 0 {
				owner = strings.TrimSuffix(v.Path[i+len("node_modules/"):], ".version")
			} else if len(parts) >= 2 && strings.Contains(v.Path, "dependencies.") {
				owner = parts[len(parts)-2]
			}
			if owner != "" {
				out = append(out, pinned{owner, v.Value, false, v.Line, owner + " " + v.Value})
			}
		}
	}
	return out
}

func readTOMLLock(s side) []pinned {
	var out []pinned
	name := ""
	for _, v := range settings("x.lock", s) {
		switch v.Name {
		case "name":
			name = v.Value
		case "version":
			if name != "" {
				out = append(out, pinned{name, v.Value, false, v.Line, name + " " + v.Value})
				name = ""
			}
		}
	}
	return out
}

var (
	yarnName    = regexp.MustCompile(`^"?(@?[^@"\s]+)@`)
	yarnVersion = regexp.MustCompile(`^\s+version:?\s+"?([^"\s]+)"?`)
)

func readYarnLock(s side) []pinned {
	var out []pinned
	for _, b := range s.blocks {
		name := ""
		for i, l := range b.lines {
			if m := yarnName.FindStringSubmatch(l); m != nil {
				name = m[1]
			} else if m := yarnVersion.FindStringSubmatch(l); m != nil && name != "" {
				out = append(out, pinned{name, m[1], false, b.first + i, name + " " + m[1]})
			}
		}
	}
	return out
}

var (
	goReplace  = regexp.MustCompile(`^\s*(?:replace\s+)?\S+(?:\s+v\S+)?\s+=>\s+\S+`)
	gitOrFile  = regexp.MustCompile(`(?i)["'](git\+(ssh|https?)|git://|git@|github:|gitlab:|bitbucket:|file:|link:|portal:|https?://|[\w-]+/[\w.-]+#)[^"']*["']`)
	pyDirect   = regexp.MustCompile(`^\s*["']?[\w.\[\],-]+\s+@\s+(git\+|https?:|file:)|^\s*(-e\s+)?(git\+|https?://)|^\s*(--index-url|--extra-index-url|-i\s|--trusted-host|--find-links)`)
	otherIndex = regexp.MustCompile(`(?i)^\s*(registry\s*=|@[\w-]+:registry\s*=|index-url|extra-index-url|\[\[tool\.(poetry\.source|uv\.index)\]\]|\[\[source\]\]|\[patch\.|\[source\.|\[replace\]|strict-ssl\s*=\s*false|verify_ssl\s*=\s*false)`)
	tomlSource = regexp.MustCompile(`^\s*[\w.-]+\s*=\s*\{[^}]*\b(git|path|url|registry)\s*=`)
	mavenRepo  = regexp.MustCompile(`<(repository|pluginRepository|systemPath|mirror)>|<scope>system</scope>`)
	gradleRepo = regexp.MustCompile(`^\s*maven\s*(\{|\(|url)|^\s*(maven\s*\{\s*)?url\s*[=(]?\s*(uri\()?["']|allowInsecureProtocol|^\s*includeBuild\s*\(?["']\.\.|dependencySubstitution|\bfiles\(["'][^"']*\.(jar|aar)|fileTree\(|mavenLocal\(\)|flatDir`)
	gemSource  = regexp.MustCompile(`^\s*gem\s+.*\b(git|github|path|source)\s*(:|=>)|^\s*source\s+["']`)
)

// checkRoutes finds dependencies that now come from another place.
func (r *review) checkRoutes(c *change) {
	re := routes(baseName(c.newPath))
	if re == nil {
		return
	}
	had := map[string]bool{}
	for _, b := range c.before.blocks {
		for _, l := range b.lines {
			had[strings.Join(wordsIn.FindAllString(l, -1), " ")] = true
		}
	}
	for _, l := range c.added {
		if len(l.text) > 2000 || had[strings.Join(wordsIn.FindAllString(l.text, -1), " ")] || strings.Contains(l.text, "https://rubygems.org") || !re.MatchString(l.text) || isComment(l.text) {
			continue
		}
		if baseName(c.newPath) == "package.json" && notDependency.MatchString(l.text) {
			continue
		}
		if baseName(c.newPath) == "Cargo.toml" && strings.Contains(l.text, "path") && !strings.Contains(l.text, "git") {
			continue // a member of the workspace
		}
		r.report(dependencyRerouted, c.path(), l.num, l.text, "a dependency comes from another place than its registry: use a released version of it")
	}
}

var notDependency = regexp.MustCompile(`^\s*"(url|homepage|bugs|repository|main|module|types|license|funding|\$schema|description|author|email|unpkg|jsdelivr|proxy|test|build|lint|start|pre\w*|post\w*|import|require|default|browser)"\s*:`)

func isComment(s string) bool {
	t := strings.TrimSpace(s)
	return strings.HasPrefix(t, "//") || strings.HasPrefix(t, "#") && !strings.HasPrefix(t, "#!") && !strings.HasPrefix(t, "#[") || strings.HasPrefix(t, "<!--")
}

func routes(base string) *regexp.Regexp {
	switch {
	case base == "go.mod" || base == "go.work":
		return goReplace
	case base == "package.json":
		return gitOrFile
	case base == "pyproject.toml" || base == "Pipfile" || base == "Cargo.toml":
		return regexp.MustCompile(tomlSource.String() + "|" + pyDirect.String() + "|" + otherIndex.String())
	case strings.HasPrefix(strings.ToLower(base), "requirements"):
		return pyDirect
	case base == "pom.xml":
		return mavenRepo
	case strings.HasSuffix(base, ".gradle") || strings.HasSuffix(base, ".gradle.kts"):
		return gradleRepo
	case base == ".npmrc" || base == "pip.conf" || base == ".pypirc" || base == "uv.toml":
		return otherIndex
	case strings.EqualFold(base, "nuget.config"):
		return regexp.MustCompile(`<add\s+key=.*value="https?:`)
	case base == "Gemfile":
		return gemSource
	}
	return nil
}

func baseName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

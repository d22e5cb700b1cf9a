package verify

import (
	"encoding/xml"
	"path"
	"slices"
	"strings"
)

// maven finds a Maven build. A module of a reactor is built from the reactor's root, with what it needs, for alone it
// would look for its siblings in a repository.
func (t *tree) maven(at, want string) []Verifier {
	dirs := []string{at}
	if !t.has(path.Join(at, "pom.xml")) {
		if at != want || t.gradleFile(at) != "" {
			return nil
		}
		dirs = t.roots(at, 3, false, func(name string) bool { return name == "pom.xml" })
	} else if t.has(path.Join(at, "gradlew")) && !t.has(path.Join(at, "mvnw")) && t.gradleFile(at) != "" {
		return nil // both are there, and the wrapper says which of them is meant
	}
	var found []Verifier
	for _, dir := range dirs[:min(len(dirs), 4)] {
		root := t.reactor(dir)
		args := []string{"-B", "-ntp", "-fae", "-Dstyle.color=never", "-DskipITs", "-Dgpg.skip", "-Dmaven.javadoc.skip=true"}
		if root != dir {
			args = append(args, "-pl", relativeBelow(root, dir), "-am")
		}
		found = append(found, Verifier{
			Name: "maven verify", Kind: Test, Source: path.Join(dir, "pom.xml"), Tool: "maven", Dir: root, Argv: t.mvn(root, slices.Concat(args, []string{"verify"})...),
			// go-offline alone misses what plugins fetch while they run, such as Surefire's provider for the test framework at hand.
			Warm:    []Step{{Argv: t.mvn(root, slices.Concat(args, []string{"-Dmaven.test.failure.ignore=true", "verify"})...), Dir: root, Executes: true, Optional: true}},
			Scratch: scratch(root, "target/"),
		})
	}
	return found
}

// mvn calls the machine's Maven, or else the repository's wrapper, which has to download one.
func (t *tree) mvn(root string, args ...string) []string {
	if !t.has(path.Join(root, "mvnw")) {
		return append([]string{"mvn"}, args...)
	}
	return append([]string{"sh", "-c", `if command -v mvn >/dev/null 2>&1; then exec mvn "$@"; else exec sh ./mvnw "$@"; fi`, "mvn"}, args...)
}

// reactor finds the topmost folder above a module whose pom reaches it through its modules.
func (t *tree) reactor(dir string) string {
	root := dir
	for up := dir; up != "."; {
		up = path.Dir(up)
		if t.reaches(up, dir) {
			root = up
		}
	}
	return root
}

func (t *tree) reaches(from, to string) bool {
	queue, seen := []string{from}, map[string]bool{}
	for len(queue) > 0 && len(seen) < 300 {
		at := queue[0]
		queue = queue[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		if at == to {
			return true
		}
		data := t.read(path.Join(at, "pom.xml"))
		if data == nil {
			continue
		}
		var pom struct {
			Modules []string `xml:"modules>module"`
		}
		if xml.Unmarshal(data, &pom) != nil {
			continue
		}
		for _, m := range pom.Modules {
			next := path.Join(at, strings.TrimSuffix(strings.TrimSpace(m), "/pom.xml"))
			if next == to || strings.HasPrefix(to, next+"/") {
				queue = append(queue, next)
			}
		}
	}
	return false
}

func (t *tree) gradleFile(at string) string {
	return t.first(at, "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")
}

// gradle finds a Gradle build. A project of a larger build is checked by the larger build's Gradle.
func (t *tree) gradle(at, want string) []Verifier {
	dirs := []string{at}
	if t.gradleFile(at) == "" {
		if at != want || t.has(path.Join(at, "pom.xml")) {
			return nil
		}
		dirs = t.roots(at, 2, false, func(name string) bool { return strings.HasPrefix(name, "settings.gradle") })
	} else if t.has(path.Join(at, "pom.xml")) && (t.has(path.Join(at, "mvnw")) || !t.has(path.Join(at, "gradlew"))) {
		return nil
	}
	var found []Verifier
	for _, dir := range dirs[:min(len(dirs), 4)] {
		root := dir
		for up := dir; t.first(up, "settings.gradle", "settings.gradle.kts") == "" && up != "."; {
			up = path.Dir(up)
			if t.first(up, "settings.gradle", "settings.gradle.kts") != "" {
				root = up
			}
		}
		program := []string{"gradle"}
		if t.has(path.Join(root, "gradlew")) {
			program = []string{"sh", "./gradlew"} // git may have lost its executable bit
		}
		flags := []string{"--no-daemon", "--console=plain", "--continue"}
		if root != dir {
			flags = append(flags, "-p", relativeBelow(root, dir))
		}
		call := func(task string) []string { return slices.Concat(program, flags, []string{task}) }
		found = append(found, Verifier{
			Name: "gradle check", Kind: Test, Source: path.Join(dir, t.gradleFile(dir)), Tool: "gradle", Dir: root, Argv: call("check"),
			Warm:    []Step{{Argv: call("testClasses"), Dir: root, Executes: true, Optional: true}},
			Scratch: scratch(root, "build/", ".gradle/", ".kotlin/"),
		})
	}
	return found
}

// relativeBelow is the path of a folder from one above it.
func relativeBelow(root, dir string) string {
	if root == "." {
		return dir
	}
	return strings.TrimPrefix(dir, root+"/")
}

package guard

import (
	"path"
	"regexp"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

const (
	hugeLines = 10_000
	hugeBytes = 1 << 20
	hugeLine  = 20_000
)

// checkScope finds files outside the campaign's paths or the component's folder.
func checkScope(r *review) {
	for _, c := range r.changes {
		for _, p := range c.paths() {
			if ok, why := r.scope.holds(p); !ok {
				r.report(outsidePaths, p, 0, "", "%s: undo the change to this file", why)
			}
		}
	}
}

// excused reports whether the campaign's paths speak of this very file.
func (r *review) excused(file string) bool { return r.scope.names(file) }

// checkFiles finds binary, generated, vendored and huge content.
func checkFiles(r *review) {
	marked := r.markedGenerated()
	for _, c := range r.changes {
		p := c.path()
		pureMove := len(c.added)+len(c.removed) == 0 && !c.binary
		if pureMove || c.isDeleted() || r.excused(p) || c.newMode&modeType == modeLink || c.newMode&modeType == modeModule {
			continue
		}
		if c.binary && path.Base(p) == "gradle-wrapper.jar" && r.asked.words["gradle"] && r.touches("gradle-wrapper.properties") {
			continue // it comes with the version
		}
		if c.binary {
			r.report(binaryContent, p, 0, "", "binary content cannot be reviewed: leave the file out of the change")
			continue
		}
		_, lock := isLock(p)
		if vendorPath.MatchString(p) {
			if !r.vendoring(p) {
				r.report(vendoredEdited, p, firstLine(c), "", "this is somebody else's code: change it where it comes from, then update the vendored copy as a whole")
			}
		} else if head := r.generated(c, marked); head != "" && !lock {
			r.report(generatedEdited, p, firstLine(c), head, "the file is generated: change its source and run the generator, or leave it and say so")
		}
		if lock {
			continue
		}
		longest := 0
		for _, l := range c.added {
			longest = max(longest, len(l.text))
		}
		switch {
		case len(c.added)-len(c.removed) >= hugeLines:
			r.report(hugeContent, p, firstLine(c), "", "the file gains %d lines, more than a person reviews: leave it out or make it smaller", len(c.added)-len(c.removed))
		case c.addedBytes >= hugeBytes && len(c.added)-len(c.removed) > len(c.added)/4:
			r.report(hugeContent, p, firstLine(c), "", "the file gains %d kB, more than a person reviews: leave it out or make it smaller", c.addedBytes>>10)
		case longest >= hugeLine && !c.hadLongLine():
			r.report(hugeContent, p, firstLine(c), "", "a line of %d bytes hides what it holds from review: leave it out or break it up", longest)
		}
	}
}

func (c *change) hadLongLine() bool {
	for _, l := range c.removed {
		if len(l.text) >= hugeLine/2 {
			return true
		}
	}
	return false
}

// firstLine is the first line of the change on the new side.
func firstLine(c *change) int {
	if len(c.added) > 0 {
		return c.added[0].num
	}
	if len(c.removed) > 0 && !c.isDeleted() {
		return c.newLineNear(c.removed[0].num)
	}
	return 0
}

// vendoring reports whether vendored code changes because the vendored set does.
func (r *review) vendoring(file string) bool {
	for _, c := range r.changes {
		switch path.Base(c.path()) {
		case "modules.txt", "vendor.json", "Gopkg.lock", "installed.json", ".package-lock.json":
			return true
		case "go.mod", "composer.json", "Podfile", "Podfile.lock", ".yarnrc.yml":
			dir := path.Dir(c.path())
			if dir == "." || strings.HasPrefix(file, dir+"/") {
				return true
			}
		}
	}
	return false
}

var namedSource = regexp.MustCompile(`(?i)^\W*(?:source|from|generated from|input)s?:?\s+(\S+\.\w+)`)

// generated returns the line that says that a file is generated, unless what it is made from changes as well.
func (r *review) generated(c *change, marked []string) string {
	p := c.path()
	head := generatedHeader(c.before)
	if head == "" && !c.isNew() && len(c.before.blocks) > 0 && c.before.blocks[0].first > 1 && r.input.Base != nil {
		head = generatedHeader(side{blocks: []block{{first: 1, lines: headLines(r.input.Base(c.oldPath))}}})
	}
	if head == "" {
		head = generatedHeader(c.after)
	}
	if head == "" && generatedPath.MatchString(p) {
		head = path.Base(p)
	}
	for _, glob := range marked {
		if head == "" && matchAttribute(glob, p) {
			head = glob + " linguist-generated"
		}
	}
	if head == "" {
		return ""
	}
	for _, b := range c.after.blocks {
		for i, l := range b.lines {
			if i > 40 || b.first+i > 40 {
				break
			}
			if m := namedSource.FindStringSubmatch(l); m != nil && r.touches(m[1]) {
				return ""
			}
		}
	}
	for _, other := range r.changes {
		if generatorInput.MatchString(other.path()) && other != c {
			return ""
		}
	}
	return head
}

// generatorInput are files from which code is usually generated.
var generatorInput = regexp.MustCompile(`(?i)\.(proto|thrift|avsc|avdl|graphqls?|gql|fbs|capnp|xsd|wsdl|g4|y|yy|l|pegjs|sqlc?|templ|tmpl|mustache|qtpl|rl|asn1?|smithy|cue|idl)$|(^|/)(openapi|swagger|schema|buf(\.gen)?|sqlc|gqlgen|codegen|\.mockery|orval|api)[^/]*\.(ya?ml|json|ts|toml)$`)

func (r *review) touches(name string) bool {
	for _, c := range r.changes {
		if c.path() == name || strings.HasSuffix(c.path(), "/"+path.Base(name)) || c.path() == path.Base(name) {
			return true
		}
	}
	return false
}

func headLines(data []byte) []string {
	return splitLines(data[:min(len(data), 4096)])
}

// markedGenerated reads which paths .gitattributes, as it was before the change, calls generated.
func (r *review) markedGenerated() []string {
	if r.input.Base == nil {
		return nil
	}
	var globs []string
	for _, l := range splitLines(r.input.Base(".gitattributes")) {
		fields := strings.Fields(l)
		for _, f := range fields[min(1, len(fields)):] {
			if f == "linguist-generated" || f == "linguist-generated=true" {
				globs = append(globs, fields[0])
			}
		}
	}
	return globs
}

func matchAttribute(glob, file string) bool {
	if rooted, ok := strings.CutPrefix(glob, "/"); ok || strings.Contains(glob, "/") {
		return doublestar.MatchUnvalidated(rooted, file) || strings.HasSuffix(glob, "/") && strings.HasPrefix(file, rooted)
	}
	return doublestar.MatchUnvalidated(glob, path.Base(file))
}

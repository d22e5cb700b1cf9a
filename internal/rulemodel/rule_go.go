package rulemodel

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// symbol is an exported name of a package.
type symbol struct{ pkg, name string } // pkg is an import path

// movedRule renames what a Go package exports, also into other packages, with the imports that this needs.
type movedRule struct {
	base  string            // the package's name
	pkg   string            // its import path; "" for any path that ends in base
	moved map[string]symbol // by exported name
	all   bool              // the whole package goes: say so where something of it cannot
}

// ioutilRule is what io/ioutil's own documentation says about each of its names.
func ioutilRule() rule {
	return movedRule{base: "ioutil", pkg: "io/ioutil", all: true, moved: map[string]symbol{
		"ReadAll": {"io", "ReadAll"}, "NopCloser": {"io", "NopCloser"}, "Discard": {"io", "Discard"}, "ReadFile": {"os", "ReadFile"},
		"WriteFile": {"os", "WriteFile"}, "ReadDir": {"os", "ReadDir"}, "TempFile": {"os", "CreateTemp"}, "TempDir": {"os", "MkdirTemp"},
	}}
}

// selectorRule renames pkg.Name to other.Name in Go code, or anywhere when nobody said where other lives.
func selectorRule(from, to, prose string) rule {
	oldPkg, oldName, _ := strings.Cut(from, ".")
	newPkg, newName, _ := strings.Cut(to, ".")
	r := movedRule{base: oldPkg, moved: map[string]symbol{}}
	switch home := homeOf(newPkg, prose); {
	case newPkg == oldPkg:
		r.moved[oldName] = symbol{"", newName}
	case home != "":
		r.moved[oldName] = symbol{home, newName}
	default:
		return newTextRule(from, to, nil)
	}
	return r
}

// homeOf finds the import path of a package: named in the prompt, else in the standard library.
func homeOf(pkg, prose string) string {
	for _, q := range operandQuoted.FindAllString(prose, -1) {
		if p := bare(q); strings.Contains(p, "/") && baseOf(p) == pkg && !strings.ContainsAny(p, " \t") {
			return p
		}
	}
	return standard[pkg]
}

func (r movedRule) String() string {
	if r.all {
		return "replace the package " + r.pkg
	}
	for name, to := range r.moved {
		return fmt.Sprintf("replace %s.%s by %s.%s", r.base, name, baseOf(to.pkg), to.name)
	}
	return "replace nothing"
}

func (r movedRule) paths() []string { return nil }

func (r movedRule) queries() []query {
	if r.all {
		return []query{{regexp.QuoteMeta(r.pkg), "*.go"}}
	}
	var names []string
	for _, n := range slices.Sorted(maps.Keys(r.moved)) {
		names = append(names, r.base+`\.`+n)
	}
	return []query{{strings.Join(names, "|"), "*.go"}}
}

func (r movedRule) apply(v view) (string, []string) {
	if v.absent || path.Ext(v.path) != ".go" {
		return v.content, nil
	}
	f, ok := parseGo(v.content)
	if !ok {
		return v.content, []string{v.path + " is not valid Go and was left"}
	}
	name, full, ok := f.importName(r.pkg, r.base)
	if !ok {
		return v.content, nil
	}
	var notes []string
	needs := map[string]bool{}
	left := false
	f.selectors(name, func(s *ast.SelectorExpr) {
		to, known := r.moved[s.Sel.Name]
		switch {
		case !known:
			left = true
			if r.all {
				notes = append(notes, fmt.Sprintf("%s: %s.%s has no replacement", v.path, name, s.Sel.Name))
			}
		case to.pkg == "" || to.pkg == full:
			left = true
			f.replace(s.Sel, to.name)
		default:
			other := baseOf(to.pkg)
			if alias, _, ok := f.importName(to.pkg, ""); ok {
				other = alias
			}
			needs[to.pkg] = true
			f.replace(s, other+"."+to.name)
		}
	})
	if !r.all && len(f.splice) == 0 {
		return v.content, nil
	}
	out := f.done()
	if v.lazy {
		return out, notes
	}
	for _, p := range slices.Sorted(maps.Keys(needs)) {
		out = addImport(out, p)
	}
	if !left {
		out = dropImport(out, full)
	}
	return out, notes
}

var importLine = regexp.MustCompile(`^(?:import\s+)?(?:[\w.]+\s+)?"([^"]+)"$|^import \($|^\)$|^$`)

func (r movedRule) explains(p, line string) bool {
	if path.Ext(p) != ".go" {
		return false
	}
	t := strings.TrimSpace(line)
	if m := importLine.FindStringSubmatch(t); m != nil {
		if m[1] == "" || m[1] == r.pkg || baseOf(m[1]) == r.base {
			return true
		}
		for _, to := range r.moved {
			if to.pkg == m[1] {
				return true
			}
		}
		return false
	}
	return r.names(t, r.base) || r.mentionsNew(t)
}

func (r movedRule) names(line, base string) bool {
	for name := range r.moved {
		if containsWord(line, base+"."+name) {
			return true
		}
	}
	return false
}

func (r movedRule) mentionsNew(line string) bool {
	for _, to := range r.moved {
		if containsWord(line, baseOf(to.pkg)+"."+to.name) || to.pkg == "" && containsWord(line, r.base+"."+to.name) {
			return true
		}
	}
	if !r.all {
		return false
	}
	for _, word := range []string{"DirEntry", "FileInfo", ".Info()", dirHelper} { // what os.ReadDir's other result brings with it
		if strings.Contains(line, word) {
			return true
		}
	}
	return strings.Contains(helperText, "\t"+line+"\n") || strings.Contains(helperText, "\n"+line+"\n")
}

// importRule gives imports another path, and their uses another name where that changes.
type importRule struct{ from, to string }

func (r importRule) String() string   { return fmt.Sprintf("import %s instead of %s", r.to, r.from) }
func (r importRule) paths() []string  { return nil }
func (r importRule) queries() []query { return []query{{regexp.QuoteMeta(r.from), "*.go"}} }

func (r importRule) apply(v view) (string, []string) {
	if v.absent || path.Ext(v.path) != ".go" {
		return v.content, nil
	}
	f, ok := parseGo(v.content)
	if !ok {
		return v.content, []string{v.path + " is not valid Go and was left"}
	}
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		rest, below := strings.CutPrefix(p, r.from)
		if err != nil || !below || rest != "" && rest[0] != '/' {
			continue
		}
		if strings.HasPrefix(r.to, r.from) && strings.HasPrefix(p, r.to) { // from/v2 is from already
			continue
		}
		f.replace(spec.Path, strconv.Quote(r.to+rest))
		if spec.Name == nil && baseOf(p) != baseOf(r.to+rest) {
			f.selectors(baseOf(p), func(s *ast.SelectorExpr) { f.replace(s.X, baseOf(r.to+rest)) })
		}
	}
	return f.done(), nil
}

func (r importRule) explains(p, line string) bool {
	return strings.Contains(line, r.from) || strings.Contains(line, r.to) ||
		path.Ext(p) == ".go" && (containsWord(line, baseOf(r.from)+".") || strings.Contains(line, baseOf(r.to)+"."))
}

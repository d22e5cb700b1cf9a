package rulemodel

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// goFile is a parsed Go file and the changes to be made in it.
type goFile struct {
	src    string
	fset   *token.FileSet
	ast    *ast.File
	splice []splice
}

// splice replaces the bytes from..to.
type splice struct {
	from, to int
	text     string
}

func parseGo(src string) (*goFile, bool) {
	f := &goFile{src: src, fset: token.NewFileSet()}
	tree, err := parser.ParseFile(f.fset, "", src, parser.ParseComments)
	if err != nil {
		return nil, false
	}
	f.ast = tree
	return f, true
}

func (f *goFile) offset(p token.Pos) int { return f.fset.Position(p).Offset }

func (f *goFile) text(n ast.Node) string { return f.src[f.offset(n.Pos()):f.offset(n.End())] }

func (f *goFile) replace(n ast.Node, with string) {
	f.splice = append(f.splice, splice{f.offset(n.Pos()), f.offset(n.End()), with})
}

func (f *goFile) insert(p token.Pos, text string) {
	f.splice = append(f.splice, splice{f.offset(p), f.offset(p), text})
}

// done makes the changes. A file that was formatted stays formatted.
func (f *goFile) done() string {
	if len(f.splice) == 0 {
		return f.src
	}
	sort.SliceStable(f.splice, func(i, j int) bool { return f.splice[i].from < f.splice[j].from })
	var b strings.Builder
	at := 0
	for _, s := range f.splice {
		if s.from < at { // inside something that is replaced already
			continue
		}
		b.WriteString(f.src[at:s.from])
		b.WriteString(s.text)
		at = s.to
	}
	b.WriteString(f.src[at:])
	return formattedLike(f.src, b.String())
}

// formattedLike formats the new source when the old one was formatted, so that nothing else changes in other files.
func formattedLike(old, new string) string {
	was, err := format.Source([]byte(old))
	if err != nil || !bytes.Equal(was, []byte(old)) {
		return new
	}
	is, err := format.Source([]byte(new))
	if err != nil {
		return new
	}
	return string(is)
}

// importName returns the name under which a file knows a package: by its path, or, when path is "", by what the path
// ends in.
func (f *goFile) importName(pkgPath, base string) (name, full string, ok bool) {
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil || pkgPath != "" && p != pkgPath || pkgPath == "" && baseOf(p) != base {
			continue
		}
		if spec.Name == nil {
			return baseOf(p), p, true
		}
		if spec.Name.Name != "_" && spec.Name.Name != "." {
			return spec.Name.Name, p, true
		}
	}
	return "", "", false
}

var majorVersion = regexp.MustCompile(`^v\d+$`)

// baseOf guesses the package name from its path.
func baseOf(p string) string {
	b := path.Base(p)
	if majorVersion.MatchString(b) {
		b = path.Base(path.Dir(p))
	}
	return b
}

// selectors calls fn for each use of a package's name that is not a local variable's.
func (f *goFile) selectors(name string, fn func(*ast.SelectorExpr)) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok && id.Name == name && id.Obj == nil { // the resolution within one file is all that is needed
				fn(s)
			}
		}
		return true
	})
}

// standard says where the packages live that a rule or a compiler's complaint may ask for.
var standard = map[string]string{"io": "io", "os": "os", "fmt": "fmt", "errors": "errors", "strings": "strings", "bytes": "bytes", "sort": "sort",
	"slices": "slices", "maps": "maps", "context": "context", "time": "time", "filepath": "path/filepath", "path": "path", "http": "net/http", "url": "net/url",
	"log": "log", "slog": "log/slog", "json": "encoding/json", "atomic": "sync/atomic", "sync": "sync", "exec": "os/exec", "fs": "io/fs", "strconv": "strconv",
	"regexp": "regexp", "bufio": "bufio", "math": "math", "rand": "math/rand", "utf8": "unicode/utf8", "unicode": "unicode", "reflect": "reflect", "runtime": "runtime",
	"hex": "encoding/hex", "base64": "encoding/base64", "signal": "os/signal", "httptest": "net/http/httptest", "testing": "testing", "cmp": "cmp", "embed": "embed"}

// addImport makes sure that a file imports a package.
func addImport(src, pkgPath string) string {
	f, ok := parseGo(src)
	if !ok {
		return src
	}
	if _, _, ok := f.importName(pkgPath, ""); ok {
		return src
	}
	quotedPath := strconv.Quote(pkgPath)
	var block, single *ast.GenDecl
	for _, d := range f.ast.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT || len(g.Specs) == 0 || isC(g) {
			continue
		}
		if g.Lparen.IsValid() && block == nil {
			block = g
		} else if single == nil {
			single = g
		}
	}
	switch {
	case block != nil:
		at := f.placeIn(block, pkgPath)
		f.splice = append(f.splice, splice{at, at, "\t" + quotedPath + "\n"})
	case single != nil:
		spec := f.text(single.Specs[0])
		lines := []string{spec, quotedPath}
		sort.Slice(lines, func(i, j int) bool { return importKey(lines[i]) < importKey(lines[j]) })
		f.replace(single, "import (\n\t"+strings.Join(lines, "\n\t")+"\n)")
	default:
		f.insert(f.ast.Name.End(), "\n\nimport "+quotedPath)
	}
	return f.done()
}

func isC(g *ast.GenDecl) bool {
	s, ok := g.Specs[0].(*ast.ImportSpec)
	return ok && s.Path.Value == `"C"`
}

func importKey(spec string) string { return spec[strings.Index(spec, `"`)+1:] }

// placeIn finds the start of the line where a path belongs in an import block: sorted, in the group of the standard
// library for its packages.
func (f *goFile) placeIn(block *ast.GenDecl, pkgPath string) int {
	lineStart := func(p token.Pos) int { return strings.LastIndexByte(f.src[:f.offset(p)], '\n') + 1 }
	lineEnd := func(p token.Pos) int {
		at := f.offset(p)
		if i := strings.IndexByte(f.src[at:], '\n'); i >= 0 {
			return at + i + 1
		}
		return at
	}
	isStandard := func(p string) bool { return !strings.Contains(strings.SplitN(p, "/", 2)[0], ".") }
	end := -1
	for _, s := range block.Specs {
		spec, ok := s.(*ast.ImportSpec)
		if !ok {
			continue
		}
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil || isStandard(p) != isStandard(pkgPath) {
			continue
		}
		start := spec.Pos()
		if spec.Doc != nil {
			start = spec.Doc.Pos()
		}
		if p > pkgPath {
			return lineStart(start)
		}
		end = lineEnd(spec.End())
	}
	if end >= 0 {
		return end
	}
	if !isStandard(pkgPath) {
		return lineStart(block.Rparen)
	}
	return lineEnd(block.Lparen)
}

// dropImport removes an import that nothing needs any more.
func dropImport(src, pkgPath string) string {
	f, ok := parseGo(src)
	if !ok {
		return src
	}
	for _, d := range f.ast.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT {
			continue
		}
		for _, s := range g.Specs {
			spec, ok := s.(*ast.ImportSpec)
			if !ok || spec.Path.Value != strconv.Quote(pkgPath) || spec.Name != nil && (spec.Name.Name == "_" || spec.Name.Name == ".") {
				continue
			}
			switch len(g.Specs) {
			case 1:
				f.cutLines(g.Pos(), g.End())
			case 2:
				rest := g.Specs[0]
				if rest == s {
					rest = g.Specs[1]
				}
				if r, ok := rest.(*ast.ImportSpec); ok && g.Doc == nil && r.Doc == nil && r.Comment == nil && spec.Comment == nil {
					f.replace(g, "import "+f.text(rest))
					break
				}
				f.cutLines(spec.Pos(), spec.End())
			default:
				f.cutLines(spec.Pos(), spec.End())
			}
		}
	}
	return f.done()
}

// cutLines removes whole lines, and the blank line that would be left double.
func (f *goFile) cutLines(from, to token.Pos) {
	start := strings.LastIndexByte(f.src[:f.offset(from)], '\n') + 1
	end := f.offset(to)
	if i := strings.IndexByte(f.src[end:], '\n'); i >= 0 {
		end += i + 1
	}
	if strings.HasSuffix(f.src[:start], "\n\n") && strings.HasPrefix(f.src[end:], "\n") {
		end++
	}
	f.splice = append(f.splice, splice{start, end, ""})
}

// dropUnusedImports removes the import of a package when the file has no use of it.
func dropUnusedImports(src, base string) string {
	f, ok := parseGo(src)
	if !ok {
		return src
	}
	name, full, ok := f.importName("", base)
	if !ok {
		return src
	}
	used := false
	f.selectors(name, func(*ast.SelectorExpr) { used = true })
	if used {
		return src
	}
	return dropImport(src, full)
}

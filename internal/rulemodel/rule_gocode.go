package rulemodel

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// errorfRule wraps errors with %w where fmt.Errorf only prints them.
type errorfRule struct{}

var errorfWish = regexp.MustCompile(`(?i)%w`)

func (errorfRule) String() string   { return "wrap errors with %w" }
func (errorfRule) paths() []string  { return nil }
func (errorfRule) queries() []query { return []query{{`fmt\.Errorf\(`, "*.go"}} }

var verb = regexp.MustCompile(`%[-+# 0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?([a-zA-Z%])`)

func (errorfRule) apply(v view) (string, []string) {
	f, ok := goView(v)
	if !ok {
		return v.content, nil
	}
	name, _, ok := f.importName("fmt", "")
	if !ok {
		return v.content, nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 || f.text(call.Fun) != name+".Errorf" {
			return true
		}
		lit, ok := call.Args[0].(*ast.BasicLit)
		if !ok || strings.Contains(lit.Value, "%w") || strings.Contains(lit.Value, "%[") || strings.Contains(lit.Value, "*") {
			return true
		}
		arg := 0
		for _, m := range verb.FindAllStringSubmatchIndex(lit.Value, -1) {
			letter := lit.Value[m[2]:m[3]]
			if letter == "%" {
				continue
			}
			if arg++; arg < len(call.Args) && (letter == "v" || letter == "s") && m[1]-m[0] == 2 && looksLikeError(f.text(call.Args[arg])) {
				at := f.offset(lit.Pos())
				f.splice = append(f.splice, splice{at + m[2], at + m[3], "w"})
			}
		}
		return true
	})
	return f.done(), nil
}

var errorName = regexp.MustCompile(`^(?:\w+\.)*(?:err|\w*Err|err[A-Z]\w*)$|\.Err\(\)$`)

var errorWord = regexp.MustCompile(`\berr\b|Err\b`)

func looksLikeError(expr string) bool { return errorName.MatchString(expr) }

func (errorfRule) explains(p, line string) bool {
	// A call may go over several lines; then the format and the error stand apart from its name.
	return path.Ext(p) == ".go" && (strings.Contains(line, "Errorf(") || strings.Contains(line, "%w") || verb.MatchString(line) && errorWord.MatchString(line))
}

func goView(v view) (*goFile, bool) {
	if v.absent || path.Ext(v.path) != ".go" {
		return nil, false
	}
	return parseGo(v.content)
}

// contextRule gives a function a context as its first argument, and its callers one to pass.
type contextRule struct{ name string }

var contextWish = regexp.MustCompile(`(?i)\b(?:add|adding|give|pass)\s+(?:an?\s+)?` + "`?(?:ctx\\s+)?context(?:\\.Context)?`?" +
	`\s+(?:as\s+(?:the\s+|its\s+)?(?:first\s+)?)?(?:argument|parameter)?\s*(?:to|of|for|through)\s+(?:the\s+)?(?:function|method|func)?\s*` + operand)

func (r contextRule) fn() string {
	name := strings.TrimSuffix(r.name, "()")
	return name[strings.LastIndexByte(name, '.')+1:]
}

func (r contextRule) String() string  { return "give " + r.fn() + " a context" }
func (r contextRule) paths() []string { return nil }
func (r contextRule) queries() []query {
	return []query{{`\b` + regexp.QuoteMeta(r.fn()) + `\b`, "*.go"}}
}

func (r contextRule) apply(v view) (string, []string) {
	f, ok := goView(v)
	if !ok {
		return v.content, nil
	}
	var notes []string
	takes := func(t *ast.FuncType) bool { // a context comes first
		return t.Params != nil && len(t.Params.List) > 0 && f.text(t.Params.List[0].Type) == "context.Context"
	}
	give := func(t *ast.FuncType) {
		if takes(t) {
			return
		}
		text := "ctx context.Context"
		if len(t.Params.List) > 0 {
			if len(t.Params.List[0].Names) == 0 {
				text = "context.Context"
			}
			text += ", "
		}
		f.insert(t.Params.Opening+1, text)
	}
	var visit func(n ast.Node, hasCtx bool)
	visit = func(n ast.Node, hasCtx bool) {
		ast.Inspect(n, func(c ast.Node) bool {
			switch c := c.(type) {
			case *ast.FuncDecl:
				if c != n {
					mine := takes(c.Type)
					if c.Name.Name == r.fn() {
						give(c.Type)
						mine = true
					}
					if c.Body != nil {
						visit(c.Body, mine && ctxNamed(f, c.Type, c.Name.Name == r.fn()))
					}
					return false
				}
			case *ast.FuncLit:
				if c != n {
					visit(c.Body, hasCtx || ctxNamed(f, c.Type, false))
					return false
				}
			case *ast.InterfaceType:
				for _, m := range c.Methods.List {
					if t, ok := m.Type.(*ast.FuncType); ok && slices.ContainsFunc(m.Names, func(id *ast.Ident) bool { return id.Name == r.fn() }) {
						give(t)
					}
				}
			case *ast.CallExpr:
				if calledName(c) != r.fn() || len(c.Args) > 0 && isContext(f.text(c.Args[0])) {
					return true
				}
				arg := "context.TODO()"
				if hasCtx {
					arg = "ctx"
				} else if strings.HasSuffix(v.path, "_test.go") {
					arg = "context.Background()"
				}
				if len(c.Args) > 0 {
					arg += ", "
				}
				f.insert(c.Lparen+1, arg)
			}
			return true
		})
	}
	visit(f.ast, false)
	out := f.done()
	if out != v.content && !v.lazy && strings.Contains(out, "context.") {
		out = addImport(out, "context")
	}
	return out, notes
}

func ctxNamed(f *goFile, t *ast.FuncType, given bool) bool {
	if given && (t.Params == nil || len(t.Params.List) == 0 || f.text(t.Params.List[0].Type) != "context.Context") {
		return true
	}
	for _, p := range t.Params.List {
		for _, n := range p.Names {
			if n.Name == "ctx" {
				return true
			}
		}
	}
	return false
}

func calledName(c *ast.CallExpr) string {
	switch fn := c.Fun.(type) {
	case *ast.Ident:
		return fn.Name
	case *ast.SelectorExpr:
		return fn.Sel.Name
	}
	return ""
}

func isContext(arg string) bool {
	return arg == "ctx" || strings.HasPrefix(arg, "context.") || strings.HasSuffix(arg, ".Context()") || strings.HasSuffix(arg, "Ctx")
}

func (r contextRule) explains(p, line string) bool {
	t := strings.TrimSpace(line)
	return path.Ext(p) == ".go" && (containsWord(t, r.fn()) || strings.Contains(t, `"context"`) || t == "import (" || t == ")" || t == "" || strings.HasPrefix(t, `import "`))
}

// dirHelper is the function that a fix adds where callers need what os.ReadDir's entries do not hold.
const dirHelper = "readDirInfo"

const helperText = `

// readDirInfo lists a folder with what is known of each entry, as ioutil.ReadDir did.
func readDirInfo(dir string) ([]os.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	infos := make([]os.FileInfo, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}
`

// infoHelper adds a function that lists a folder as io/ioutil did, and uses it in the functions at those lines.
func infoHelper(src string, lines []int) string {
	f, ok := parseGo(src)
	if !ok {
		return src
	}
	osName, _, ok := f.importName("os", "")
	if !ok {
		return src
	}
	var inFunc, anywhere []*ast.SelectorExpr
	helper := false
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		if fn.Name.Name == dirHelper {
			helper = true
			continue
		}
		from, to := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
		named := slices.ContainsFunc(lines, func(l int) bool { return from <= l && l <= to })
		ast.Inspect(fn, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && f.text(s) == osName+".ReadDir" {
				anywhere = append(anywhere, s)
				if named {
					inFunc = append(inFunc, s)
				}
			}
			return true
		})
	}
	if len(inFunc) == 0 {
		inFunc = anywhere
	}
	if len(inFunc) == 0 {
		return src
	}
	for _, s := range inFunc {
		f.replace(s, dirHelper)
	}
	out := f.done()
	if !helper {
		out = strings.TrimRight(out, "\n") + strings.ReplaceAll(helperText, "os.", osName+".")
	}
	return out
}

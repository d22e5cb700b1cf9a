package spec

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

	"gaggle/internal/fleet"
)

// Limits of a CEL expression. An ordinary one is under 200 bytes and costs under 100; the cost limit ends any other
// within a few milliseconds.
const (
	maxCEL     = 4096
	maxCELCost = 20_000
)

// vocabulary is what errors about an expression say to whoever wrote it.
type vocabulary struct {
	example string                   // an expression of this kind
	short   string                   // what to do about one that is too long
	compare string                   // what to do about one that is not a bool
	types   string                   // what to do about operands that do not fit
	unknown func(name string) string // what was meant by a name that is no variable
}

// celWords are the functions and macros that people reach for.
var celWords = []string{"has", "size", "matches", "startsWith", "endsWith", "contains", "exists", "all"}

// compileCEL compiles an expression that is true or false. check, if any, looks at one that is sound so far. The error
// is an *Errors whose lines and columns count inside the expression.
func compileCEL(env *cel.Env, expr string, v vocabulary, check func(*problems, *cel.Ast)) (cel.Program, error) {
	p := problems{}
	if len(expr) > maxCEL {
		p.add(position{1, 1}, v.short, "the expression is longer than %d bytes", maxCEL)
		return nil, p.err()
	}
	checked, issues := env.Compile(expr)
	if issues.Err() != nil {
		for i, e := range issues.Errors() {
			if i > 0 && strings.HasPrefix(e.Message, "Syntax error") {
				break // the first one throws the parser off
			}
			p.cel(expr, position{e.Location.Line(), e.Location.Column() + 1}, e.Message, v)
		}
		return nil, p.err()
	}
	if checked.OutputType() != cel.BoolType {
		p.add(position{1, 1}, v.compare, "the expression is a %s, not true or false", checked.OutputType())
		return nil, p.err()
	}
	p.dear(checked)
	if check != nil {
		check(&p, checked)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCELCost))
	if err != nil {
		p.add(position{1, 1}, "", "the expression cannot be run: %s", clip(err.Error()))
		return nil, p.err()
	}
	return program, nil
}

// celPlace is where a part of an expression begins.
func celPlace(checked *cel.Ast, e ast.Expr) position {
	location := checked.NativeRep().SourceInfo().GetStartLocation(e.ID())
	return position{location.Line(), location.Column() + 1}
}

// dear reports what CEL's cost limit does not stop, because it counts a call only once that has returned: comparing
// lists of lists, which a short expression can nest and double until no comparison ends, and joining lists.
func (p *problems) dear(checked *cel.Ast) {
	tree := checked.NativeRep()
	ast.PreOrderVisit(ast.NavigateAST(tree), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		switch call := e.AsCall(); call.FunctionName() {
		case operators.Equals, operators.NotEquals, operators.In:
			for _, arg := range call.Args() {
				if t := tree.GetType(arg.ID()); !flat(t) {
					p.add(celPlace(checked, e), "compare texts, numbers or lists of those; exists and all look into a list", "a %s cannot be compared here", cel.FormatCELType(t))
					return
				}
			}
		case operators.Add:
			// map and filter gather their results by + too, one at a time.
			gathers := call.Args()[0].Kind() == ast.IdentKind && call.Args()[0].AsIdent() == parser.HiddenAccumulatorName
			if !gathers && tree.GetType(e.ID()).Kind() == types.ListKind {
				p.add(celPlace(checked, e), "ask for each list: a.exists(…) || b.exists(…)", "lists cannot be joined here")
			}
		}
	}))
}

// flat reports whether values of a type are compared in one pass: plain ones, and lists and maps of plain ones.
func flat(t *types.Type) bool {
	switch t.Kind() {
	case types.ListKind, types.MapKind:
		for _, of := range t.Parameters() {
			if !plain(of) {
				return false
			}
		}
		return true
	}
	return plain(t)
}

func plain(t *types.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.BytesKind, types.DoubleKind, types.DurationKind, types.IntKind, types.StringKind,
		types.TimestampKind, types.UintKind, types.NullTypeKind, types.TypeParamKind:
		return true
	}
	return false
}

var (
	undefinedField = regexp.MustCompile(`^undefined field '([^']*)'`)
	undeclaredName = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noOverload     = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'`)
)

// cel reports a CEL issue, with the place moved onto the word that is meant.
func (p *problems) cel(expr string, at position, message string, v vocabulary) {
	message, hint := strings.TrimSpace(message), ""
	switch {
	case undefinedField.MatchString(message):
		name := undefinedField.FindStringSubmatch(message)[1]
		offset := offsetIn(expr, at.line, at.column)
		runes := []rune(expr)
		for offset < len(runes) && (runes[offset] == '.' || runes[offset] == '?' || runes[offset] == ' ') {
			offset++
			at.column++
		}
		fields := fieldNames(reflect.TypeFor[fleet.Component]())
		if strings.HasSuffix(strings.TrimRight(string(runes[:max(offset-1, 0)]), " ."), "repository") {
			fields = fieldNames(reflect.TypeFor[fleet.Repository]())
		}
		message = fmt.Sprintf("no field is called %q", name)
		if hint = didYouMean(name, fields); hint == "" {
			hint = "known: " + strings.Join(fields, ", ")
		}
	case undeclaredName.MatchString(message):
		name := undeclaredName.FindStringSubmatch(message)[1]
		message = fmt.Sprintf("%q is not known", name)
		hint = v.unknown(name)
	case noOverload.MatchString(message):
		m := noOverload.FindStringSubmatch(message)
		message = fmt.Sprintf("%s cannot be applied to %s", strings.Trim(m[1], "_"), m[2])
		hint = v.types
	case strings.HasPrefix(message, "Syntax error: "):
		hint = "for example " + v.example
		for _, slip := range [][2]string{{"'=", "=="}, {"'&", "&&"}, {"'|", "||"}, {"'and'", "&&"}, {"'or'", "||"}, {"'not'", "!"}} {
			if strings.Contains(strings.ToLower(message), slip[0]) {
				hint = "write " + slip[1]
			}
		}
		message = "not CEL: " + strings.TrimPrefix(message, "Syntax error: ")
	}
	p.add(at, hint, "%s", clipTo(message, 300))
}

// fieldNames lists the names that CEL knows the fields of a struct by.
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

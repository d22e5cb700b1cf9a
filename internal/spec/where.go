package spec

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"gaggle/internal/fleet"
)

// Limits of a where expression. An ordinary one is under 200 bytes and costs under 100; the cost limit ends any
// other within a few milliseconds a component.
const (
	maxWhere     = 4096
	maxWhereCost = 20_000
)

// Where is a compiled `select.where`. It is safe for concurrent use.
type Where struct {
	text    string
	program cel.Program
}

// String returns the expression as written.
func (w *Where) String() string { return w.text }

// CompileWhere compiles a CEL expression over two variables, component and repository, whose fields have the names of
// fleet.Component's and fleet.Repository's JSON forms. The expression must be a bool. The error, if any, is an
// *Errors whose lines and columns count inside the expression; a field that does not exist is found here, not on the fleet.
func CompileWhere(expr string) (*Where, error) {
	p := problems{}
	if len(expr) > maxWhere {
		p.add(position{1, 1}, "keep it short; include and exclude take lists", "the expression is longer than %d bytes", maxWhere)
		return nil, p.err()
	}
	env, err := whereEnv()
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInternal, "the CEL environment cannot be made: %w", err)
	}
	checked, issues := env.Compile(expr)
	if issues.Err() != nil {
		for i, e := range issues.Errors() {
			if i > 0 && strings.HasPrefix(e.Message, "Syntax error") {
				break // the first one throws the parser off
			}
			p.cel(expr, position{e.Location.Line(), e.Location.Column() + 1}, e.Message)
		}
		return nil, p.err()
	}
	if checked.OutputType() != cel.BoolType {
		p.add(position{1, 1}, `compare it, as in component.language == "Go"`, "the expression is a %s, not true or false", checked.OutputType())
		return nil, p.err()
	}
	if p.dear(checked); len(p.list) > 0 {
		return nil, p.err()
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxWhereCost))
	if err != nil {
		p.add(position{1, 1}, "", "the expression cannot be run: %s", clip(err.Error()))
		return nil, p.err()
	}
	return &Where{expr, program}, nil
}

func whereEnv() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Types(
			cel.NativeTypeFor[fleet.Component](types.ParseStructTag("json"), cel.NativeTypeAlias("Component")),
			cel.NativeTypeFor[fleet.Repository](types.ParseStructTag("json"), cel.NativeTypeAlias("Repository")),
		),
		cel.Variable("component", cel.ObjectType("Component")),
		cel.Variable("repository", cel.ObjectType("Repository")),
		cel.OptionalTypes(),
		cel.ParserExpressionSizeLimit(maxWhere),
		cel.ParserRecursionLimit(60),
	)
}

// Match reports whether the component is meant. An error says why the expression has no answer for this one
// component, such as a label that it does not have; others are not concerned.
func (w *Where) Match(c fleet.Component, repo fleet.Repository) (bool, error) {
	out, _, err := w.program.Eval(map[string]any{"component": c, "repository": repo})
	if err != nil {
		return false, w.explain(c, err)
	}
	matched, ok := out.Value().(bool)
	if !ok {
		return false, fleet.Errorf(fleet.CodeInvalid, "where is %v for %s, not true or false", out.Type(), c.Ref)
	}
	return matched, nil
}

func (w *Where) explain(c fleet.Component, err error) error {
	e := &fleet.Error{Code: fleet.CodeInvalid, Message: "where has no answer for " + c.Ref, Err: err}
	switch text := err.Error(); {
	case strings.Contains(text, "no such key"):
		key := text[strings.LastIndex(text, ":")+1:]
		e.Hint = fmt.Sprintf(`ask for it first ("%[1]s" in component.labels && …), or write component.labels[?"%[1]s"].orValue("")`, strings.TrimSpace(key))
	case strings.Contains(text, "cost limit"):
		e.Hint = "the expression does too much work; loops inside loops are dear"
	}
	return e
}

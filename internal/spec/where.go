package spec

import (
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"gaggle/internal/fleet"
)

// Where is a compiled `select.where`. It is safe for concurrent use.
type Where struct {
	program cel.Program
}

// CompileWhere compiles a CEL expression over two variables, component and repository, whose fields have the names of
// fleet.Component's and fleet.Repository's JSON forms. The expression must be a bool. The error, if any, is an
// *Errors whose lines and columns count inside the expression; a field that does not exist is found here, not on the fleet.
func CompileWhere(expr string) (*Where, error) {
	env, err := whereEnv()
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInternal, "the CEL environment cannot be made: %w", err)
	}
	program, err := compileCEL(env, expr, vocabulary{
		example: `component.language == "Go" && component.lifecycle != "deprecated"`,
		short:   "keep it short; include and exclude take lists",
		compare: `compare it, as in component.language == "Go"`,
		types:   `both sides must have the same type; component.languages and component.tags are lists, component.labels is a map of texts, what is absent is "" or []`,
		unknown: whereWord,
	}, nil)
	if err != nil {
		return nil, err
	}
	return &Where{program}, nil
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
		cel.ParserExpressionSizeLimit(maxCEL),
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

// whereWord says what was meant by a name that is no variable.
func whereWord(name string) string {
	if near := nearest(name, fieldNames(reflect.TypeFor[fleet.Component]())); near != "" {
		return "write component." + near
	}
	if hint := didYouMean(name, append([]string{"component", "repository"}, celWords...)); hint != "" {
		return hint
	}
	return "start from component or repository; put text into quotes"
}

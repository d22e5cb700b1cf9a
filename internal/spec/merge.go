package spec

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"gaggle/internal/fleet"
)

// MergeFacts is what a merge expression speaks about: one open pull request.
type MergeFacts struct {
	Verdict      string // the judge's: pass, veto; "" when nobody was asked
	Checks       string // the host's CI: passed, failed, pending, none
	Risk         int    // 0 to 100
	Files        int    // changed
	Lines        int    // added and deleted
	Findings     int    // of the guard, those that were allowed included
	Approvals    int    // of people who may write
	Wave         int    // as people count them: the first is 1
	Owner        string // entity reference; "" when nobody is known
	Component    string // entity reference
	OptOut       bool   // the owner wants no merges by machines
	TestsTouched bool
}

// MergeRule is a compiled merge expression. It is safe for concurrent use.
type MergeRule struct {
	program cel.Program
}

// mergeVariables are a merge expression's variables, by the names that people write.
func mergeVariables() map[string]*cel.Type {
	return map[string]*cel.Type{
		"verdict": cel.StringType, "checks": cel.StringType, "owner": cel.StringType, "component": cel.StringType,
		"risk": cel.IntType, "files": cel.IntType, "lines": cel.IntType, "findings": cel.IntType, "approvals": cel.IntType, "wave": cel.IntType,
		"optOut": cel.BoolType, "testsTouched": cel.BoolType,
	}
}

// mergeWords are the only values of the variables that have few.
func mergeWords(variable string) []string {
	switch variable {
	case "verdict":
		return []string{"pass", "veto", ""}
	case "checks":
		return []string{"passed", "failed", "pending", "none"}
	}
	return nil
}

// CompileMerge compiles a CEL expression over the facts of a pull request: whether it may be merged without a person.
// The error, if any, is an *Errors whose lines and columns count inside the expression. A text that a variable never is,
// such as verdict == "passed", is an error too.
func CompileMerge(expr string) (*MergeRule, error) {
	variables := mergeVariables()
	options := []cel.EnvOption{cel.ParserExpressionSizeLimit(maxCEL), cel.ParserRecursionLimit(60)}
	names := slices.Sorted(maps.Keys(variables))
	for _, name := range names {
		options = append(options, cel.Variable(name, variables[name]))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInternal, "the CEL environment cannot be made: %w", err)
	}
	program, err := compileCEL(env, expr, vocabulary{
		example: `verdict == "pass" && checks == "passed" && risk <= 30`,
		short:   "keep it short",
		compare: `compare it, as in risk <= 30 or checks == "passed"`,
		types:   "both sides must have the same type; verdict, checks, owner and component are texts, optOut and testsTouched are true or false, the others whole numbers",
		unknown: func(name string) string {
			if hint := didYouMean(name, append(slices.Clone(names), celWords...)); hint != "" {
				return hint
			}
			return "known: " + strings.Join(names, ", ") + "; put text into quotes"
		},
	}, (*problems).neverSo)
	if err != nil {
		return nil, err
	}
	return &MergeRule{program}, nil
}

// Allows reports whether the pull request may be merged without a person: when the expression is true and the owner did
// not opt out, which no expression overrules. An error says why the expression has no answer; then the answer is no.
func (m *MergeRule) Allows(f MergeFacts) (bool, error) {
	out, _, err := m.program.Eval(map[string]any{
		"verdict": f.Verdict, "checks": f.Checks, "owner": f.Owner, "component": f.Component,
		"risk": f.Risk, "files": f.Files, "lines": f.Lines, "findings": f.Findings, "approvals": f.Approvals, "wave": f.Wave,
		"optOut": f.OptOut, "testsTouched": f.TestsTouched,
	})
	if err != nil {
		e := &fleet.Error{Code: fleet.CodeInvalid, Message: "the merge expression has no answer for " + f.Component, Err: err}
		if strings.Contains(err.Error(), "cost limit") {
			e.Hint = "the expression does too much work"
		}
		return false, e
	}
	allowed, ok := out.Value().(bool)
	if !ok {
		return false, fleet.Errorf(fleet.CodeInvalid, "the merge expression is %v for %s, not true or false", out.Type(), f.Component)
	}
	return allowed && !f.OptOut, nil
}

// neverSo reports texts that a variable is compared with and never is.
func (p *problems) neverSo(checked *cel.Ast) {
	compared := func(variable, text ast.Expr) {
		if variable.Kind() != ast.IdentKind || text.Kind() != ast.LiteralKind {
			return
		}
		name := variable.AsIdent()
		words := mergeWords(name)
		value, isText := text.AsLiteral().Value().(string)
		if words == nil || !isText || slices.Contains(words, value) {
			return
		}
		hint := didYouMean(value, words)
		if hint == "" {
			hint = `one of "` + strings.Join(words, `", "`) + `"`
		}
		p.add(celPlace(checked, text), hint, "%s is never %s", name, quote(value))
	}
	ast.PreOrderVisit(ast.NavigateAST(checked.NativeRep()), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
			return
		}
		left, right := e.AsCall().Args()[0], e.AsCall().Args()[1]
		switch e.AsCall().FunctionName() {
		case operators.Equals, operators.NotEquals:
			compared(left, right)
			compared(right, left)
		case operators.In:
			if right.Kind() == ast.ListKind {
				for _, item := range right.AsList().Elements() {
					compared(left, item)
				}
			}
		}
	}))
}

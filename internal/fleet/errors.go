package fleet

import (
	"errors"
	"fmt"
)

// Code is a machine-readable reason. It is stable: scripts and the API match on it.
type Code string

// Codes of errors and of failed targets.
const (
	CodeInvalid        Code = "invalid"              // input is wrong; exit code 2
	CodeNotFound       Code = "not_found"            // input names something that is not there; exit code 2
	CodeConflict       Code = "conflict"             // the state changed under the caller
	CodeUnsupported    Code = "not_supported"        // this forge, agent or machine cannot do it
	CodeInternal       Code = "internal"             // a defect or a broken machine
	CodeInterrupted    Code = "interrupted"          // the run was stopped; a second run resumes
	CodeLost           Code = "attempt_lost"         // the worker died; the attempt is taken up again
	CodeGit            Code = "git"                  // the git program failed
	CodeRepoGone       Code = "repository_gone"      // the repository cannot be reached any more
	CodeRepoEmpty      Code = "repository_empty"     // no commit on the default branch
	CodeMirrorCorrupt  Code = "mirror_corrupt"       // a mirror is damaged and could not be made again
	CodeUnsafeTree     Code = "unsafe_tree"          // the agent left what git must not read: FIFO, device, nested .git, escaping link, too large
	CodeSandbox        Code = "sandbox"              // the sandbox could not be started
	CodeDiskFull       Code = "disk_full"            // no space on the data folder's disk
	CodeDatabase       Code = "database"             // the database refused
	CodeAgent          Code = "agent_failed"         // the agent ended with an error
	CodeAgentMissing   Code = "agent_missing"        // the agent's program is not installed
	CodeAgentGaveUp    Code = "agent_gave_up"        // the agent said that it cannot do it
	CodeTimeout        Code = "timeout"              // the time limit
	CodeMemory         Code = "memory_limit"         // the memory limit
	CodeProcesses      Code = "process_limit"        // the process limit
	CodeDiskLimit      Code = "disk_limit"           // the sandbox's disk limit
	CodeOutputLimit    Code = "output_limit"         // the sandbox's output limit
	CodeTurns          Code = "turn_limit"           // the limit on turns
	CodeBudget         Code = "budget"               // the limit on money or tokens
	CodeModel          Code = "model_error"          // the model answered with an error or with nonsense
	CodeModelBusy      Code = "model_busy"           // the model refused with 429 or 529 for too long
	CodeVerifyFailed   Code = "verify_failed"        // a verifier still failed after the last round
	CodeToolMissing    Code = "toolchain_missing"    // a verifier's toolchain is not on this machine
	CodeUnverified     Code = "unverified"           // no verifier passes on the base, so none can vouch for the change
	CodeGuard          Code = "guard_failed"         // a guard still objected after the last round
	CodeVeto           Code = "judge_veto"           // the judge still vetoed after the last round
	CodeJudge          Code = "judge_failed"         // the judge gave no usable verdict
	CodeForge          Code = "forge_error"          // the forge refused
	CodeForgeRateLimit Code = "forge_rate_limit"     // the forge asked to wait
	CodeForgeAuth      Code = "forge_auth"           // the forge did not accept the credential or its scope
	CodeMergeConflict  Code = "merge_conflict"       // the diff no longer applies to the base
	CodeBranchTaken    Code = "branch_taken"         // somebody else's commits are on the campaign's branch
	CodeSecret         Code = "secret_in_diff"       // the diff holds what looks like a credential
	CodeSignature      Code = "signature"            // a commit could not be signed
	CodePushRejected   Code = "push_rejected"        // the remote refused the push
	CodeProtected      Code = "protected_branch"     // the forge protects the branch
	CodeQueued         Code = "merge_queued"         // the forge merges it later, by itself
	CodePolicy         Code = "policy"               // a policy does not allow it
	CodeGate           Code = "gate_failed"          // a wave cannot reach its gate any more
	CodeNotReady       Code = "machine_not_prepared" // a part that this step needs is missing on this machine
)

// Error is what a person and a machine read: a code, a sentence, what to do next, and the cause for the operator.
type Error struct {
	Code    Code
	Message string // one sentence, no trailing full stop
	Hint    string // what to do next; may be empty
	File    string // where in the user's input, when known
	Line    int    // 1-based
	Column  int    // 1-based
	Err     error  // the cause, shown after the message; may be nil
	cause   error  // a cause whose text the message already holds
}

// Error renders "file:line:column: message: cause". The hint is left to whoever shows the error.
func (e *Error) Error() string {
	s := e.Message
	if e.File != "" {
		at := e.File
		if e.Line > 0 {
			at += fmt.Sprintf(":%d:%d", e.Line, max(e.Column, 1))
		}
		s = at + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return e.cause
}

// Errorf makes an Error from a format; a %w operand stays reachable by errors.Is and errors.As.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: wrapped.Error(), cause: errors.Unwrap(wrapped)}
}

// CodeOf returns the code of the first Error in the chain, or CodeInternal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// HintOf returns the first hint in the chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Unwrap()
	}
	return ""
}

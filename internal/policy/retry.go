package policy

import "gaggle/internal/fleet"

// MayRetry reports whether a target whose attempt ended for this reason gets another one by itself. Only faults that
// pass count: of the machine, the model's provider or the forge. What the change itself failed at would fail again at
// the same price, so a person decides about that.
func MayRetry(reason fleet.Code, attempts, limit int) bool {
	return attempts < limit && passes(reason)
}

// TakenUp reports whether what models answered in an attempt that ended for this reason is worth having again in the next: they did
// their part, and something else was in the way.
func TakenUp(reason fleet.Code) bool {
	switch reason {
	case fleet.CodeModel, fleet.CodeJudge, fleet.CodeMergeConflict:
		return false
	case fleet.CodeTimeout:
		return true // it comes further the next time
	}
	return passes(reason)
}

// passes says whether a fault is likely to be gone at the next try.
func passes(reason fleet.Code) bool {
	switch reason {
	case fleet.CodeInterrupted, fleet.CodeLost,
		fleet.CodeModelBusy, fleet.CodeModel, fleet.CodeJudge,
		fleet.CodeForge, fleet.CodeForgeRateLimit,
		fleet.CodeGit, fleet.CodeSandbox, fleet.CodeDatabase, fleet.CodeConflict,
		fleet.CodeMergeConflict:
		return true
	}
	return false
}

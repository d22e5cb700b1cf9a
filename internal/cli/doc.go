// Package cli is Gaggle's command line: it turns flags into the inputs of package ops and outputs into text or JSON, and
// holds no product logic. Run is its one entrance; it returns the exit code, which is documented at ExitCode.
package cli

package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"unicode"

	"gaggle/internal/fleet"
)

// failure is a git process that ended badly; its text goes through classify before a caller sees it.
type failure struct {
	sub    string
	exit   int
	stderr string
	err    error
}

func (f *failure) Error() string {
	if f.stderr == "" {
		return fmt.Sprintf("git %s: %v", f.sub, f.err)
	}
	return fmt.Sprintf("git %s: %s", f.sub, f.stderr)
}

func (f *failure) Unwrap() error { return f.err }

// exitedWith reports whether the process ended by itself with this exit code.
func exitedWith(err error, code int) bool {
	var f *failure
	return errors.As(err, &f) && f.exit == code
}

func stderrOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.stderr
	}
	return ""
}

// clean makes a process's words fit for a terminal and a log: the lines that say something, no control characters, bounded.
func clean(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if i := strings.LastIndexByte(strings.TrimRight(line, "\r\n"), '\r'); i >= 0 {
			line = line[i+1:] // progress overwrites itself
		}
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
				return ' '
			}
			return r
		}, line))
		if line == "" || strings.HasPrefix(line, "hint:") || strings.HasPrefix(line, "warning: ") && strings.Contains(text, "fatal:") {
			continue
		}
		if len(line) > 300 {
			line = line[:300] + "…"
		}
		lines = append(lines, line)
	}
	if len(lines) > 6 {
		lines = append(lines[:3:3], lines[len(lines)-3:]...)
	}
	return strings.Join(lines, "; ")
}

// signs of one cause in git's words, first match wins.
var signs = []struct {
	code  fleet.Code
	words []string
	hint  string
}{
	{fleet.CodeDiskFull, []string{"no space left on device", "disk quota exceeded", "out of diskspace"}, "free some space; a second run resumes"},
	{fleet.CodeGit, []string{"dubious ownership"}, "another user owns the repository: trust it with git config --global --add safe.directory PATH, or run as its owner"},
	{fleet.CodeForgeAuth, []string{"authentication failed", "could not read username", "could not read password", "permission denied (", "http basic: access denied", "returned error: 401", "returned error: 403", "host key verification failed", "terminal prompts disabled"}, "check the credential and what it may read and write; for ssh, the key and known_hosts"},
	{fleet.CodeGit, []string{"could not resolve host", "connection refused", "connection timed out", "failed to connect", "operation timed out", "network is unreachable", "the remote end hung up", "returned error: 5", "ssl certificate", "ssl_", "ssl routines", "ssl connection", "gnutls_", "tls connection", "kex_exchange_identification", "connection reset", "connection closed by"}, "the remote could not be reached: try again"},
	{fleet.CodeRepoGone, []string{"does not appear to be a git repository", "repository not found", "' not found", "could not be found", "returned error: 404", "returned error: 410", "no such file or directory: repository"}, "the repository was moved, deleted or hidden from this credential"},
}

// classify turns a failure into an Error with a code; op says what was being done. Errors that carry a code, and
// the end of the context, pass unchanged.
func classify(err error, op string) error {
	var coded *fleet.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &fleet.Error{Code: fleet.CodeDiskFull, Message: op, Hint: "free some space; a second run resumes", Err: err}
	}
	code, hint, _ := signOf(err)
	return &fleet.Error{Code: code, Message: op, Hint: hint, Err: err}
}

// signOf reads a cause out of git's words; known is false when they say none of the things in signs.
func signOf(err error) (code fleet.Code, hint string, known bool) {
	lower := strings.ToLower(stderrOf(err))
	for _, s := range signs {
		for _, w := range s.words {
			if strings.Contains(lower, w) {
				return s.code, s.hint, true
			}
		}
	}
	return fleet.CodeGit, "", false
}

// diskError is classify for errors of the file system.
func diskError(err error, op string) error {
	if err == nil {
		return nil
	}
	var coded *fleet.Error
	if errors.As(err, &coded) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &fleet.Error{Code: fleet.CodeDiskFull, Message: op, Hint: "free some space; a second run resumes", Err: err}
	}
	return &fleet.Error{Code: fleet.CodeInternal, Message: op, Err: err}
}

// damage are git's words for an object store that lacks or cannot read what it promised.
var damage = []string{
	"bad object", "bad tree", "bad revision", "unable to read", "unable to unpack", "unable to parse", "unable to find", "could not read", "could not parse",
	"corrupt", "inflate", "missing blob", "missing tree", "missing commit", "not a valid object", "not a valid 'tree'", "not a tree object", "failed to read", "failed to unpack tree",
	"cannot be accessed", "is too small", "is empty", "bad signature", "does not match index", "wrong index", "not a git repository", "loose object", "unknown object type",
	"invalid object", "bad config", "unable to normalize alternate", "did not send all necessary objects", "bad line length", "invalid sha1", "unresolved delta", "bad shallow", "invalid shallow", "missing necessary objects", "bad pack",
}

// damaged reports whether a failure looks like a corrupted mirror.
func damaged(err error) bool {
	if errors.Is(err, errDamaged) {
		return true
	}
	if _, _, known := signOf(err); known {
		return false
	}
	lower := strings.ReplaceAll(strings.ToLower(stderrOf(err)), "could not read from remote repository", "")
	for _, w := range damage {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

var errDamaged = errors.New("the mirror is damaged")

// missing reports whether an error says that there is nothing at a path.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

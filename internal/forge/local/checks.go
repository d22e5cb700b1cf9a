package local

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
	"gaggle/internal/git"
)

const (
	mostChecks = 200     // of one commit
	mostLog    = 4 << 20 // bytes of a log that are kept, from its end
)

// check is one check of a commit as it lies on disk, without its log.
type check struct {
	forge.Check
	At     time.Time `json:"at"`
	Reruns int       `json:"reruns,omitempty"`
}

func (s *shelf) checksFile(commit string) string {
	return filepath.Join(s.dir, "checks", commit+".json")
}

func (s *shelf) logFile(commit, name string) string {
	return filepath.Join(s.dir, "checks", commit, git.Escape(name)+".log")
}

// checks reads the checks of a commit. Whole files are renamed into place, so no lock is needed.
func (s *shelf) checks(commit string) (list []check, err error) {
	data, err := os.ReadFile(s.checksFile(commit))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, broken(err, "the checks of a commit cannot be read")
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, &fleet.Error{Code: fleet.CodeForge, Message: "the file of a commit's checks is damaged", Hint: "delete " + s.checksFile(commit), Err: err}
	}
	return list, nil
}

func plain(list []check) []forge.Check {
	out := make([]forge.Check, len(list))
	for i, c := range list {
		out[i] = c.Check
	}
	return out
}

// SetCheck records what CI says of a commit, with the end of its log; a later word of the same name replaces an earlier
// one. CI on this machine reports with it.
func (f *Forge) SetCheck(ctx context.Context, repo fleet.Repository, commit string, c forge.Check, log []byte) error {
	if !oid(commit) {
		return fleet.Errorf(fleet.CodeInvalid, "%.80q is no commit", commit)
	}
	if c.Name = strings.TrimSpace(c.Name); c.Name == "" || len(c.Name) > 200 || !utf8.ValidString(c.Name) || strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fleet.Errorf(fleet.CodeInvalid, "a check needs a name of at most 200 bytes, without control characters")
	}
	if !slices.Contains([]forge.CheckState{forge.CheckPending, forge.CheckPassed, forge.CheckFailed, forge.CheckSkipped}, c.State) {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "there is no state of a check called " + string(c.State), Hint: "pending, passed, failed or skipped"}
	}
	return f.changeChecks(ctx, repo, commit, func(s *shelf, list []check) ([]check, error) {
		c.Log = ""
		if len(log) > 0 {
			c.Log = commit + "/" + c.Name
			if err := writeWhole(s.logFile(commit, c.Name), log[max(0, len(log)-mostLog):]); err != nil {
				return nil, err
			}
		}
		fresh := check{Check: c, At: f.cfg.Now().UTC()}
		if i := slices.IndexFunc(list, func(was check) bool { return was.Name == c.Name }); i >= 0 {
			fresh.Reruns = list[i].Reruns
			list[i] = fresh
			return list, nil
		}
		if len(list) >= mostChecks {
			return nil, fleet.Errorf(fleet.CodeInvalid, "a commit has at most %d checks", mostChecks)
		}
		return append(list, fresh), nil
	})
}

func (f *Forge) changeChecks(ctx context.Context, repo fleet.Repository, commit string, change func(*shelf, []check) ([]check, error)) error {
	s, err := f.shelf(repo)
	if err != nil {
		return err
	}
	_, unlock, err := s.lock(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.MkdirAll(filepath.Join(s.dir, "checks", commit), 0o755); err != nil {
		return broken(err, "the forge's folder cannot be made")
	}
	list, err := s.checks(commit)
	if err == nil {
		list, err = change(s, list)
	}
	if err != nil {
		return err
	}
	return writeFile(s.checksFile(commit), list)
}

// Checks implements forge.Checks: what SetCheck recorded.
func (f *Forge) Checks(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !oid(commit) {
		return nil, fleet.Errorf(fleet.CodeInvalid, "%.80q is no commit", commit)
	}
	s, err := f.shelf(repo)
	if err != nil {
		return nil, err
	}
	list, err := s.checks(commit)
	return plain(list), err
}

// CheckLog implements forge.Checks.
func (f *Forge) CheckLog(ctx context.Context, repo fleet.Repository, log string, limit int64) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s, err := f.shelf(repo)
	if err != nil {
		return nil, err
	}
	commit, name, ok := strings.Cut(log, "/")
	if !ok || !oid(commit) {
		return nil, forge.Unsupported("this check has no log")
	}
	file, err := os.Open(s.logFile(commit, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, forge.Unsupported("this check has no log")
	}
	if err != nil {
		return nil, broken(err, "the log of a check cannot be read")
	}
	defer file.Close()
	tail, err := transport.LastBytes(file, limit)
	return tail, broken(err, "the log of a check cannot be read")
}

// Rerun implements forge.Rerunner: the check is under way until whoever runs it reports again.
func (f *Forge) Rerun(ctx context.Context, repo fleet.Repository, commit string, c forge.Check) error {
	if !oid(commit) {
		return fleet.Errorf(fleet.CodeInvalid, "%.80q is no commit", commit)
	}
	return f.changeChecks(ctx, repo, commit, func(_ *shelf, list []check) ([]check, error) {
		i := slices.IndexFunc(list, func(was check) bool { return was.Name == c.Name })
		if i < 0 {
			return nil, fleet.Errorf(fleet.CodeNotFound, "commit %.12s has no check %s", commit, c.Name)
		}
		if list[i].State == forge.CheckFailed {
			list[i].State, list[i].Summary, list[i].At = forge.CheckPending, "asked to run again", f.cfg.Now().UTC()
			list[i].Reruns++
		}
		return list, nil
	})
}

// oid reports whether a text is a whole name of a commit, and so fit to be the name of a file.
func oid(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

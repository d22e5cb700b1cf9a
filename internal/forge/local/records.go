package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// record is one pull request as it lies on disk.
type record struct {
	forge.Pull
	RepoURL  string      `json:"repoURL"`
	Comments []said      `json:"comments,omitempty"`
	Landing  *git.Merged `json:"landing,omitempty"`  // a merge that may or may not have become visible
	BaseSeen string      `json:"baseSeen,omitempty"` // the base when it was last seen without the head in it
	Compared string      `json:"compared,omitempty"` // the base and the head that Conflicts is about
}

// shelf is the folder of one repository's pull requests. Its methods are for the holder of its lock.
type shelf struct{ dir string }

func (f *Forge) shelf(repo fleet.Repository) (*shelf, error) {
	if repo.Name == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "a repository has no name")
	}
	return &shelf{filepath.Join(f.cfg.Dir, "pulls", git.Escape(repo.Name))}, nil
}

// lock takes the shelf. One that nobody has used yet is made only when asked for.
// Processes started with the returned context hold it too.
func (s *shelf) lock(ctx context.Context, create bool) (held context.Context, unlock func(), err error) {
	if create {
		if err := os.MkdirAll(filepath.Join(s.dir, "heads"), 0o755); err != nil {
			return nil, nil, broken(err, "the forge's folder cannot be made")
		}
	}
	held, unlock, err = git.LockFile(ctx, filepath.Join(s.dir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return ctx, func() {}, nil // no shelf, nothing on it, nothing to lock
	}
	return held, unlock, broken(err, "the forge's folder cannot be locked")
}

func (s *shelf) file(number int) string {
	return filepath.Join(s.dir, strconv.Itoa(number)+".json")
}

// read returns nil for a number that does not exist.
func (s *shelf) read(number int) (*record, error) {
	data, err := os.ReadFile(s.file(number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, broken(err, "a pull request cannot be read")
	}
	rec := &record{}
	if err := json.Unmarshal(data, rec); err != nil {
		return nil, &fleet.Error{Code: fleet.CodeForge, Message: "the file of a pull request is damaged", Hint: "restore or delete " + s.file(number), Err: err}
	}
	return rec, nil
}

func (s *shelf) write(rec *record) error { return writeFile(s.file(rec.Number), rec) }

// headFile lists the numbers of the pull requests that had one head branch, so that finding one does not read all.
func (s *shelf) headFile(branch string) string {
	return filepath.Join(s.dir, "heads", git.Escape(branch)+".json")
}

// withHead returns the pull requests with a head branch, newest first. The list of a branch is written before the
// pull request itself, so after a kill it may name one that does not exist, or that became another branch's.
func (s *shelf) withHead(branch string) ([]*record, error) {
	var numbers []int
	data, err := os.ReadFile(s.headFile(branch))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, broken(err, "the list of pull requests cannot be read")
	}
	if err == nil {
		if err := json.Unmarshal(data, &numbers); err != nil {
			return nil, &fleet.Error{Code: fleet.CodeForge, Message: "a list of pull requests is damaged", Hint: "delete " + s.headFile(branch), Err: err}
		}
	}
	var found []*record
	for _, n := range slices.Backward(numbers) {
		rec, err := s.read(n)
		if err != nil {
			return nil, err
		}
		if rec != nil && rec.HeadBranch == branch {
			found = append(found, rec)
		}
	}
	return found, nil
}

// add gives the pull request a number and writes it.
func (s *shelf) add(rec *record, earlier []*record) error {
	next := 1
	if data, err := os.ReadFile(filepath.Join(s.dir, "next")); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && n > 0 {
			next = n
		}
	}
	for ; ; next++ { // the counter is a hint: what counts is which files exist
		if _, err := os.Lstat(s.file(next)); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return broken(err, "a pull request cannot be made")
		}
	}
	rec.Number = next
	rec.URL = fmt.Sprintf("local://%s/pull/%d", rec.Repository, next)
	numbers := []int{next}
	for _, e := range earlier {
		numbers = append(numbers, e.Number)
	}
	slices.Sort(numbers)
	if err := writeFile(s.headFile(rec.HeadBranch), numbers); err != nil {
		return err
	}
	if err := s.write(rec); err != nil {
		return err
	}
	return writeFile(filepath.Join(s.dir, "next"), next+1)
}

// numbers lists all pull requests, newest first.
func (s *shelf) numbers() ([]int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, broken(err, "the pull requests cannot be listed")
	}
	var list []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list, nil
}

// writeFile replaces a file by a value as JSON, wholly or not at all. The name of the new file is fixed: the
// caller holds the lock, and what a killed writer left is overwritten by the next.
func writeFile(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fleet.Errorf(fleet.CodeInternal, "forge: %w", err)
	}
	return writeWhole(path, append(data, '\n'))
}

func writeWhole(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return broken(err, "the forge cannot write")
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	return broken(err, "the forge cannot write")
}

// broken gives an error of the file system a code.
func broken(err error, message string) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	code := fleet.CodeForge
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		code = fleet.CodeDiskFull
	}
	return &fleet.Error{Code: code, Message: message, Err: err}
}

package ops

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/policy"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// settles is for how long a file must look the same before it replaces what was read before. Some editors empty a file
// before they write it, or move it away: what they leave for a moment would restrict nothing.
const settles = 2 * time.Second

// ownersFile is DATA/owners.yaml, read again when it has changed. Its methods may be called from many goroutines.
type ownersFile struct {
	path string
	now  func() time.Time // as the file system counts

	mu     sync.Mutex
	read   bool
	stamp  stamp // of what was read
	rules  *spec.Owners
	err    error
	seen   stamp // the newest one, and since when
	seenAt time.Time
}

// stamp tells two versions of a file apart. Its zero value is no file.
type stamp struct {
	changed time.Time
	size    int64
}

// current is the policy as the file has it; without a file, one that restricts nothing. The error says where the file is wrong.
func (f *ownersFile) current() (*spec.Owners, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.look()
	if f.read && err == nil {
		if at != f.seen {
			f.seen, f.seenAt = at, f.now()
		}
		if at == f.stamp || f.now().Sub(f.seenAt) < settles {
			return f.rules, f.err
		}
	}
	f.rules, f.err = nil, err
	if err == nil && at != (stamp{}) {
		f.rules, f.err = ReadOwners(f.path)
	}
	var wrong *spec.Errors // what else keeps it from being read may pass without a change of the file
	f.read, f.stamp, f.seen = f.err == nil || errors.As(f.err, &wrong), at, at
	return f.rules, f.err
}

func (f *ownersFile) look() (stamp, error) {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return stamp{}, nil
	case err != nil:
		return stamp{}, unreadable(f.path, err)
	}
	return stamp{info.ModTime(), info.Size()}, nil
}

// ReadOwners reads and checks an owners.yaml. The error holds everything wrong with it.
func ReadOwners(file string) (*spec.Owners, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	return spec.ParseOwners(file, data)
}

func unreadable(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the message names the file
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &fleet.Error{Code: fleet.CodeNotFound, Message: "there is no " + path}
	}
	return &fleet.Error{Code: fleet.CodeInvalid, Message: path + " cannot be read, and whoever wrote it wanted something", Hint: "its owner must let you read it", Err: err}
}

// ownerRules is what an owner's time allows, as the engine asks for it. While the file cannot be read, nobody is disturbed:
// what it would say is not known.
func (o *Ops) ownerRules(owner string) engine.OwnerRules {
	owners, err := o.owners.current()
	if err != nil {
		return engine.OwnerRules{Merge: spec.MergeNever, When: func(time.Time) (bool, time.Time, string) {
			return false, time.Time{}, "what its owner allows is not known: " + firstLine(err)
		}}
	}
	rules := owners.For(owner)
	out := engine.OwnerRules{Limits: store.SlotLimits{PerOwner: rules.PerOwner, PerRepository: rules.PerRepository}, Merge: rules.Merge}
	if !rules.Hours.Always() || len(rules.Freezes) > 0 {
		out.When = func(now time.Time) (bool, time.Time, string) { return policy.Window(now, rules.Hours, rules.Freezes) }
	}
	return out
}

// firstLine is the first problem of many.
func firstLine(err error) string {
	var many *spec.Errors
	if errors.As(err, &many) {
		return many.List[0].Error()
	}
	return err.Error()
}

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"gaggle/internal/fleet"
)

// page writes a document to standard output: on a terminal without what could steer it, elsewhere as it is.
func (a *App) page(write func(io.Writer) error) error {
	var err error
	if terminal(a.Stdout) {
		var all bytes.Buffer // the screen takes whole characters
		if err = write(&all); err == nil {
			_, err = a.text.Write(all.Bytes())
		}
	} else {
		b := bufio.NewWriter(a.Stdout)
		if err = write(b); err == nil {
			err = b.Flush()
		}
	}
	if err != nil {
		return &fleet.Error{Code: fleet.CodeInternal, Message: "the answer cannot be written", Err: err}
	}
	return nil
}

// replace writes a file as a whole or not at all, in place of one that may be there. What is no plain file, such as a pipe,
// is written to as it is.
func replace(name string, write func(io.Writer) error) error {
	if to, err := filepath.EvalSymlinks(name); err == nil {
		name = to
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return &fleet.Error{Code: fleet.CodeInvalid, Message: name + " is a folder", Hint: "--out takes the name of a file"}
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			err = errors.Join(fill(f, write), f.Close())
		}
		return unwritten(name, err)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return unwritten(name, err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
	if err != nil {
		return unwritten(name, err)
	}
	mode := fs.FileMode(0o644)
	if info != nil {
		mode = info.Mode().Perm()
	}
	err = errors.Join(fill(f, write), f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return unwritten(name, err)
}

func fill(f *os.File, write func(io.Writer) error) error {
	b := bufio.NewWriter(f)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

// unwritten says of a file that it could not be written; nil for no error. A full disk is the machine's fault; all else is
// the name's.
func unwritten(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // the path would be that of the file that was to take its place
	}
	problem := &fleet.Error{Code: fleet.CodeInvalid, Message: name + " cannot be written", Hint: "name a file that you may write", Err: err}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		problem.Message, problem.Hint, problem.Err = name+" cannot be written: its folder is not there", "make the folder, or name another file", nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EIO), errors.Is(err, syscall.EDQUOT):
		problem.Code, problem.Hint = fleet.CodeDiskFull, "make room, or name a file on another disk"
	}
	return problem
}

package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// NewRepository is the first commit of a repository that does not exist yet.
type NewRepository struct {
	Branch  string            // defaults to "main"
	Files   map[string][]byte // by path; one that starts with #! is executable
	Message string
	Author  Identity // also the committer
	Date    time.Time
}

// Make makes a bare repository with one commit at a path where nothing is yet. It is there as a whole or not at all.
func (s *Store) Make(ctx context.Context, path string, r NewRepository) error {
	r.Branch = or(r.Branch, "main")
	if !ValidBranch(r.Branch) {
		return fleet.Errorf(fleet.CodeInvalid, "%q is not a branch name", clean(r.Branch))
	}
	if _, err := os.Lstat(path); err == nil {
		return &fleet.Error{Code: fleet.CodeConflict, Message: "there is something at " + path + " already"}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return diskError(err, "the repository cannot be made")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return diskError(err, "the repository cannot be made")
	}
	// Beside its place and not in the folder of mirrors: a rename does not cross file systems.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".making-")
	if err != nil {
		return diskError(err, "the repository cannot be made")
	}
	defer removeAll(dir)
	fresh := filepath.Join(dir, "new.git")
	if err := s.run(ctx, command{args: []string{"init", "--quiet", "--bare", "--template=", "--initial-branch=" + r.Branch, "--", fresh}}); err != nil {
		return classify(err, "the repository cannot be made")
	}
	if err := s.run(ctx, command{gitDir: fresh, args: []string{"fast-import", "--quiet", "--done", "--date-format=raw"}, stdin: r.stream()}); err != nil {
		return classify(err, "the repository cannot be made")
	}
	if err := os.Rename(fresh, path); err != nil {
		return diskError(err, "the repository cannot be put in place")
	}
	return nil
}

// stream writes the commit as git fast-import reads it. Content goes by its length, so nothing in it is read as a command.
func (r NewRepository) stream() *bytes.Buffer {
	var b bytes.Buffer
	data := func(text []byte) {
		fmt.Fprintf(&b, "data %d\n%s\n", len(text), text)
	}
	fmt.Fprintf(&b, "feature done\ncommit refs/heads/%s\ncommitter %s <%s> %d +0000\n", r.Branch, oneLine(r.Author.Name), oneLine(r.Author.Email), r.Date.Unix())
	data([]byte(strings.TrimRight(r.Message, "\n") + "\n"))
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		mode := "100644"
		if bytes.HasPrefix(r.Files[name], []byte("#!")) {
			mode = "100755"
		}
		fmt.Fprintf(&b, "M %s inline %s\n", mode, quotePath(name))
		data(r.Files[name])
	}
	b.WriteString("done\n")
	return &b
}

// quotePath writes a path as fast-import reads it whatever it holds.
func quotePath(path string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(path) {
		switch c := path[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

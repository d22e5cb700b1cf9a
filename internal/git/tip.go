package git

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// Tip is where a remote's default branch stands.
type Tip struct {
	Branch string // such as "main"
	Ref    string // such as "refs/heads/main"
	Commit string
}

// usualBranches are looked for when HEAD names no branch that exists.
var usualBranches = []string{"refs/heads/main", "refs/heads/master", "refs/heads/trunk", "refs/heads/develop"}

// tip asks the remote for its default branch: what HEAD points at, else one of the usual names, else the only one.
func (s *Store) tip(ctx context.Context, r Remote) (Tip, error) {
	if r.Path != "" {
		tip, err := localTip(r.Path)
		if err == nil || !errors.Is(err, errAskGit) {
			return tip, err
		}
	}
	out := &limited{max: 1 << 20}
	args := append([]string{"ls-remote", "--symref", "--quiet", "--", r.URL, "HEAD"}, usualBranches...)
	if err := s.runRemote(ctx, r, command{service: "upload-pack", args: args, stdout: out}); err != nil {
		return Tip{}, err
	}
	head, refs := parseRemoteRefs(out.buf.String())
	if tip, ok := chooseTip(head, refs); ok {
		return tip, nil
	}
	out = &limited{max: 1 << 20}
	if err := s.runRemote(ctx, r, command{service: "upload-pack", args: []string{"ls-remote", "--heads", "--quiet", "--", r.URL}, stdout: out}); err != nil {
		return Tip{}, err
	}
	_, refs = parseRemoteRefs(out.buf.String())
	if tip, ok := chooseTip("", refs); ok {
		return tip, nil
	}
	return Tip{}, emptyError(len(refs))
}

func emptyError(branches int) error {
	if branches == 0 {
		return &fleet.Error{Code: fleet.CodeRepoEmpty, Message: "the repository has no commit", Hint: "it is taken up again once it has a branch"}
	}
	return &fleet.Error{Code: fleet.CodeRepoEmpty, Message: "the repository's HEAD names no branch, and none of its branches is called main or master", Hint: "set the default branch"}
}

func chooseTip(head string, refs map[string]string) (Tip, bool) {
	candidates := append([]string{head}, usualBranches...)
	if at := refs["HEAD"]; head == "" && at != "" { // an old host that does not say what HEAD points at
		slices.SortStableFunc(candidates, func(a, b string) int {
			if (refs[a] == at) == (refs[b] == at) {
				return 0
			} else if refs[a] == at {
				return -1
			}
			return 1
		})
	}
	if len(refs) == 1 {
		for ref := range refs {
			candidates = append(candidates, ref)
		}
	}
	for _, ref := range candidates {
		branch, ok := strings.CutPrefix(ref, "refs/heads/")
		if commit := refs[ref]; ok && validOID(commit) && ValidBranch(branch) {
			return Tip{Branch: branch, Ref: ref, Commit: commit}, true
		}
	}
	return Tip{}, false
}

// parseRemoteRefs reads what ls-remote --symref prints.
func parseRemoteRefs(text string) (head string, refs map[string]string) {
	refs = map[string]string{}
	for line := range strings.Lines(text) {
		value, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			continue
		}
		if target, is := strings.CutPrefix(value, "ref: "); is {
			if name == "HEAD" {
				head = target
			}
		} else if strings.HasPrefix(name, "refs/heads/") {
			refs[name] = value
		} else if name == "HEAD" {
			refs["HEAD"] = value
			if head != "" {
				refs[head] = value
			}
		}
	}
	return head, refs
}

// errAskGit says that a local repository is of a kind that only git itself reads.
var errAskGit = errors.New("ask git")

// gitFolders finds the git directory of a repository on this machine (bare or not, linked work trees too) and
// the folder that holds its refs.
func gitFolders(path string) (dir, common string, err error) {
	gone := func(err error) (string, string, error) {
		return "", "", &fleet.Error{Code: fleet.CodeRepoGone, Message: "there is no git repository at " + path, Hint: "it was moved or deleted: run fleet sync", Err: err}
	}
	if _, err := os.Stat(path); err != nil {
		if _, err := os.Stat(path + ".git"); err != nil {
			return gone(err)
		}
		path += ".git" // as git itself looks for it
	}
	dir = filepath.Join(path, ".git")
	info, err := os.Stat(dir)
	switch {
	case err != nil && missing(err):
		dir = path
	case err != nil:
		return gone(err)
	case !info.IsDir():
		data, err := readSmall(dir)
		target, ok := strings.CutPrefix(strings.TrimSpace(data), "gitdir: ")
		if err != nil || !ok {
			return gone(err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(path, target)
		}
		dir = target
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return gone(err)
	}
	common = dir
	if data, err := readSmall(filepath.Join(dir, "commondir")); err == nil {
		if common = strings.TrimSpace(data); !filepath.IsAbs(common) {
			common = filepath.Join(dir, common)
		}
	}
	if _, err := os.Stat(filepath.Join(common, "objects")); err != nil {
		return gone(err)
	}
	return dir, common, nil
}

// localTip is tip for a repository on this machine, read without starting git.
func localTip(path string) (Tip, error) {
	dir, common, err := gitFolders(path)
	if err != nil {
		return Tip{}, err
	}
	head, err := readSmall(filepath.Join(dir, "HEAD"))
	if err != nil {
		return Tip{}, diskError(err, "HEAD cannot be read")
	}
	head = strings.TrimSpace(head)
	if target, ok := strings.CutPrefix(head, "ref: "); ok {
		if target == "refs/heads/.invalid" { // the reftable format
			return Tip{}, errAskGit
		}
		commit, err := localRef(common, target)
		if err != nil {
			return Tip{}, err
		}
		if branch, ok := strings.CutPrefix(target, "refs/heads/"); ok && commit != "" && ValidBranch(branch) {
			return Tip{Branch: branch, Ref: target, Commit: commit}, nil
		}
	} else if !validOID(head) {
		return Tip{}, errAskGit
	}
	for _, ref := range usualBranches {
		if commit, err := localRef(common, ref); err != nil {
			return Tip{}, err
		} else if commit != "" {
			return Tip{Branch: strings.TrimPrefix(ref, "refs/heads/"), Ref: ref, Commit: commit}, nil
		}
	}
	return Tip{}, errAskGit // the rare case: one branch of another name, or none at all
}

// localRef reads one ref; "" when it is not there. Symbolic refs other than HEAD are git's business.
func localRef(common, ref string) (string, error) {
	if !validRef(ref) {
		return "", errAskGit
	}
	data, err := readSmall(filepath.Join(common, filepath.FromSlash(ref)))
	if err == nil {
		if data = strings.TrimSpace(data); validOID(data) {
			return data, nil
		}
		return "", errAskGit
	}
	f, err := os.Open(filepath.Join(common, "packed-refs"))
	if err != nil {
		if missing(err) {
			return "", nil
		}
		return "", diskError(err, "packed-refs cannot be read")
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if oid, name, ok := strings.Cut(lines.Text(), " "); ok && name == ref && validOID(oid) {
			return oid, nil
		}
	}
	return "", nil
}

// readSmall reads a regular file of at most 4 KiB.
func readSmall(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &os.PathError{Op: "read", Path: path, Err: os.ErrInvalid}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	return string(data), err
}

func validRef(ref string) bool {
	rest, ok := strings.CutPrefix(ref, "refs/")
	return ok && ValidBranch(rest)
}

// ValidBranch reports whether name may be a branch: git's own rules, and no leading dash.
func ValidBranch(name string) bool {
	if name == "" || len(name) > 1000 || name == "@" || name[0] == '-' || strings.HasSuffix(name, ".") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return false
	}
	for _, part := range strings.Split(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte("~^:?*[\\", c) >= 0 {
			return false
		}
	}
	return true
}

// usesReftable reports whether a repository keeps its refs in the one form that is not read here.
func usesReftable(common string) bool {
	_, err := os.Stat(filepath.Join(common, "reftable"))
	return err == nil
}

package git

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"

	"gaggle/internal/fleet"
)

// TwinAt returns the commit that a branch at a URL stands at when it is sha in all but its message and its signature; "" when it is
// another one, or there is no such branch. Most ways to sign never give the same commit twice, so a push that was
// made before a crash is found by this.
func (s *Store) TwinAt(ctx context.Context, repo fleet.Repository, url, branch, sha string) (string, error) {
	m, err := s.mirror(repo)
	if err != nil {
		return "", err
	}
	remote, err := ParseRemote(url)
	if err != nil {
		return "", err
	}
	if !ValidBranch(branch) || !validOID(sha) {
		return "", fleet.Errorf(fleet.CodeInternal, "git: %q on %q cannot be compared", clean(sha), clean(branch))
	}
	dir, remove, err := scratch(filepath.Join(s.cfg.Dir, tempDir))
	if err != nil {
		return "", diskError(err, "no temporary folder")
	}
	defer remove()
	dir = filepath.Join(dir, "git")
	if err := makeGitDir(dir, gitDir{bare: true, sha256: len(sha) == 64, head: "ref: refs/heads/none", alternate: m.objects()}); err != nil {
		return "", diskError(err, "no temporary folder")
	}
	failed := func(err error) error {
		return classify(err, "branch "+branch+" of "+clean(repo.Name)+" could not be read")
	}
	at, err := s.branchAt(ctx, remote, "refs/heads/"+branch)
	if err != nil || at == "" || at == sha {
		return at, failed(err)
	}
	fetch := command{gitDir: dir, service: "upload-pack", args: []string{"fetch", "--quiet", "--no-progress", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
		"--no-recurse-submodules", "--", remote.URL, "+refs/heads/" + branch + ":" + headRef}}
	if err := s.runRemote(ctx, remote, fetch); err != nil {
		return "", failed(err)
	}
	ours, err := s.output(ctx, command{gitDir: dir, args: []string{"cat-file", "commit", sha}})
	if err != nil {
		return "", failed(err)
	}
	theirs, err := s.output(ctx, command{gitDir: dir, args: []string{"cat-file", "commit", headRef}})
	if err != nil || unsigned(ours) != unsigned(theirs) {
		return "", failed(err)
	}
	// The branch may have moved between the two looks.
	at, err = s.line(ctx, command{gitDir: dir, args: []string{"rev-parse", "--verify", headRef}})
	return at, failed(err)
}

// unsigned is the header of a commit object without its signature.
func unsigned(object []byte) string {
	header, _, _ := bytes.Cut(object, []byte("\n\n"))
	var out strings.Builder
	skip := false
	for line := range strings.Lines(string(header)) {
		skip = strings.HasPrefix(line, "gpgsig") || skip && strings.HasPrefix(line, " ")
		if !skip {
			out.WriteString(strings.TrimRight(line, "\n") + "\n")
		}
	}
	return out.String()
}

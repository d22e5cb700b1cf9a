package git

import (
	"bytes"
	"context"
	"strings"

	"gaggle/internal/fleet"
)

// Push puts a commit of the mirror on a branch of the remote, when that branch stands at exactly expectOld ("" when it must
// not exist). A branch that stands at the commit already is fine. Anything else on it is branch_taken.
func (s *Store) Push(ctx context.Context, repo fleet.Repository, sha, branch, expectOld string) error {
	m, err := s.mirror(repo)
	if err != nil {
		return err
	}
	return s.pushTo(ctx, m, m.remote, sha, branch, expectOld)
}

// PushTo is Push to another place than the repository's clone URL.
func (s *Store) PushTo(ctx context.Context, repo fleet.Repository, url, sha, branch, expectOld string) error {
	m, err := s.mirror(repo)
	if err != nil {
		return err
	}
	remote, err := ParseRemote(url)
	if err != nil {
		return err
	}
	return s.pushTo(ctx, m, remote, sha, branch, expectOld)
}

func (s *Store) pushTo(ctx context.Context, m *mirror, remote Remote, sha, branch, expectOld string) error {
	if !ValidBranch(branch) || !validOID(sha) || expectOld != "" && !validOID(expectOld) {
		return fleet.Errorf(fleet.CodeInternal, "git: cannot push %q to branch %q", clean(sha), clean(branch))
	}
	ref := "refs/heads/" + branch
	c := command{gitDir: m.dir, service: "receive-pack", args: []string{"push", "--quiet", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", "--force-with-lease=" + ref + ":" + expectOld}}
	c.args = append(c.args, "--", remote.URL, sha+":"+ref)
	var out bytes.Buffer
	c.stdout = &limitedWriter{w: &out, left: 64 << 10}
	err := s.runRemote(ctx, remote, c)
	if err == nil {
		return nil
	}
	if lower := strings.ToLower(out.String() + stderrOf(err)); strings.Contains(lower, "cannot lock ref") || strings.Contains(lower, "failed to update ref") || strings.Contains(lower, "incorrect old value") {
		// The other half of an earlier, killed push may just be ending.
		if there, lookErr := s.branchAt(ctx, remote, ref); lookErr == nil && there == sha {
			return nil
		}
		return &fleet.Error{Code: fleet.CodeConflict, Message: "another git holds branch " + branch + " of the remote", Hint: "try again", Err: err}
	}
	return classify(pushError(err, out.String(), branch), "the push to branch "+branch+" failed")
}

// pushError reads the one line that push --porcelain prints about a ref that was refused:
// "!<tab>from:to<tab>[rejected] (stale info)".
func pushError(err error, out, branch string) error {
	words := ""
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "!") {
			words = strings.ToLower(line)
		}
	}
	all := words + " " + strings.ToLower(stderrOf(err))
	has := func(list ...string) bool {
		for _, w := range list {
			if strings.Contains(all, w) {
				return true
			}
		}
		return false
	}
	switch {
	case words == "":
		return err
	case has("stale info", "fetch first", "non-fast-forward", "already exists"):
		return &fleet.Error{Code: fleet.CodeBranchTaken, Message: "branch " + branch + " holds other commits than expected", Hint: "somebody pushed to it: look at the branch, then delete it or leave the target to its owner", Err: err}
	case has("protected branch", "gh006", "gh013", "protected"):
		return &fleet.Error{Code: fleet.CodeProtected, Message: "branch " + branch + " is protected", Hint: "let Gaggle's user push to gaggle/ branches", Err: err}
	}
	return &fleet.Error{Code: fleet.CodePushRejected, Message: "the remote refused branch " + branch, Hint: "its own message says why", Err: &failure{sub: "push", exit: 1, stderr: clean(strings.TrimPrefix(words, "!")), err: err}}
}

// RemoteBranch asks where a branch of the remote stands; "" when it does not exist.
func (s *Store) RemoteBranch(ctx context.Context, repo fleet.Repository, branch string) (string, error) {
	m, err := s.mirror(repo)
	if err != nil {
		return "", err
	}
	if !ValidBranch(branch) {
		return "", fleet.Errorf(fleet.CodeInvalid, "%q is not a branch name", clean(branch))
	}
	sha, err := s.branchAt(ctx, m.remote, "refs/heads/"+branch)
	return sha, m.explain(repo, err)
}

func (s *Store) branchAt(ctx context.Context, remote Remote, ref string) (string, error) {
	if remote.Path != "" {
		_, common, err := gitFolders(remote.Path)
		if err != nil {
			return "", err
		}
		if sha, err := localRef(common, ref); err == nil && !usesReftable(common) {
			return sha, nil
		}
	}
	out := &limited{max: 1 << 20}
	if err := s.runRemote(ctx, remote, command{service: "upload-pack", args: []string{"ls-remote", "--quiet", "--", remote.URL, ref}, stdout: out}); err != nil {
		return "", err
	}
	_, refs := parseRemoteRefs(out.buf.String())
	return refs[ref], nil
}

// limitedWriter drops what comes after the limit.
type limitedWriter struct {
	w    *bytes.Buffer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	keep := min(len(p), l.left)
	l.w.Write(p[:keep])
	l.left -= keep
	return len(p), nil
}

package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gaggle/internal/fleet"
)

// Hosted is a repository on this machine, bare or not, whose branches the local forge serves. Objects are read and
// written with a configuration of Gaggle's own; only moving a ref runs git on the repository itself.
type Hosted struct {
	Path   string
	store  *Store
	dir    string // git directory of the work tree at Path
	common string // git directory that holds refs and objects
}

// Hosted opens the repository at a path.
func (s *Store) Hosted(path string) (*Hosted, error) {
	dir, common, err := gitFolders(path)
	if err != nil {
		return nil, err
	}
	return &Hosted{Path: path, store: s, dir: dir, common: common}, nil
}

// MakeHosted makes a bare repository at path that holds the default branch of repo with all its history, or
// brings that branch up to date there when nobody has merged anything into it. The caller keeps two from doing so at once.
func (s *Store) MakeHosted(ctx context.Context, repo fleet.Repository, path string) (*Hosted, error) {
	m, err := s.mirror(repo)
	if err != nil {
		return nil, err
	}
	tip, err := s.tip(ctx, m.remote)
	if err != nil {
		return nil, m.explain(repo, err)
	}
	if _, err := os.Stat(path); err == nil {
		return s.followUpstream(ctx, m, tip, path)
	}
	dir, remove, err := scratch(filepath.Join(s.cfg.Dir, tempDir))
	if err != nil {
		return nil, diskError(err, "no temporary folder")
	}
	defer remove()
	fresh := filepath.Join(dir, "hosted.git")
	if err := makeGitDir(fresh, gitDir{bare: true, sha256: len(tip.Commit) == 64, head: "ref: " + tip.Ref}); err != nil {
		return nil, diskError(err, "the repository cannot be made")
	}
	if err := s.fetchAll(ctx, m, fresh, "+"+tip.Ref+":"+upstreamRef, "+"+tip.Ref+":"+tip.Ref); err != nil {
		return nil, m.explain(repo, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, diskError(err, "the repository cannot be made")
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, diskError(err, "the repository cannot be put in place")
	}
	return s.Hosted(path)
}

// upstreamRef remembers where upstream stood, which tells whether the branch has merges of its own.
const upstreamRef = "refs/gaggle/upstream"

func (s *Store) followUpstream(ctx context.Context, m *mirror, tip Tip, path string) (*Hosted, error) {
	h, err := s.Hosted(path)
	if err != nil {
		return nil, err
	}
	sweepLocks(path)
	was, err := localRef(h.common, upstreamRef)
	if err != nil || was == tip.Commit {
		return h, err
	}
	now, err := localRef(h.common, tip.Ref)
	if err != nil {
		return nil, err
	}
	specs := []string{"+" + tip.Ref + ":" + upstreamRef}
	if now == was || now == "" {
		specs = append(specs, "+"+tip.Ref+":"+tip.Ref)
	}
	return h, s.fetchAll(ctx, m, path, specs...)
}

func (s *Store) fetchAll(ctx context.Context, m *mirror, dir string, refspecs ...string) error {
	c := command{gitDir: dir, service: "upload-pack", args: []string{"fetch", "--quiet", "--no-progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--update-head-ok"}}
	c.args = append(append(c.args, "--", m.remote.URL), refspecs...)
	return s.runRemote(ctx, m.remote, c)
}

// Branch returns the commit of a branch; "" when there is no such branch.
func (h *Hosted) Branch(ctx context.Context, name string) (string, error) {
	if !ValidBranch(name) {
		return "", fleet.Errorf(fleet.CodeInvalid, "%q is not a branch name", clean(name))
	}
	// Gone is not the same as without that branch.
	if _, err := os.Stat(filepath.Join(h.common, "HEAD")); err != nil {
		return "", &fleet.Error{Code: fleet.CodeRepoGone, Message: "there is no git repository at " + h.Path, Err: err}
	}
	if !usesReftable(h.common) {
		if sha, err := localRef(h.common, "refs/heads/"+name); !errors.Is(err, errAskGit) {
			return sha, err
		}
	}
	sha, err := h.store.line(ctx, command{gitDir: h.common, args: []string{"for-each-ref", "--format=%(objectname)", "refs/heads/" + name}})
	return sha, classify(err, "branch "+name+" could not be read")
}

// moveBranch sets a branch to a commit, when it still stands at old; both may be "" for no branch.
func (h *Hosted) moveBranch(ctx context.Context, name, sha, old, why string) error {
	verb := fmt.Sprintf("update refs/heads/%s\x00%s\x00%s\x00", name, sha, or(old, strings.Repeat("0", len(sha))))
	if sha == "" {
		verb = fmt.Sprintf("delete refs/heads/%s\x00%s\x00", name, old)
	}
	env := []string{"GIT_COMMITTER_NAME=Gaggle", "GIT_COMMITTER_EMAIL=gaggle@localhost"}
	// Killed halfway it would leave lock files in a repository that is not Gaggle's.
	err := h.store.run(ctx, command{gitDir: h.common, env: env, whole: true, args: []string{"update-ref", "-m", why, "-z", "--stdin"}, stdin: strings.NewReader(verb)})
	if err != nil && strings.Contains(stderrOf(err), "cannot lock ref") {
		return &fleet.Error{Code: fleet.CodeConflict, Message: "branch " + name + " moved meanwhile, or another git holds it", Hint: "try again; a .lock file that a killed git left must be deleted by hand", Err: err}
	}
	return classify(err, "branch "+name+" could not be moved")
}

// DeleteBranch removes a branch that still stands at expect, and is not checked out; a branch that is gone is fine.
func (h *Hosted) DeleteBranch(ctx context.Context, name, expect string) error {
	now, err := h.Branch(ctx, name)
	if err != nil || now == "" {
		return err
	}
	if now != expect {
		return fleet.Errorf(fleet.CodeConflict, "branch %s holds other commits than expected", name)
	}
	if wt, err := h.checkedOut(name); err != nil || wt != nil {
		return or(err, error(fleet.Errorf(fleet.CodeConflict, "branch %s is checked out", name)))
	}
	return h.moveBranch(ctx, name, "", expect, "gaggle: delete")
}

// Contains reports whether commit is in the history of tip.
func (h *Hosted) Contains(ctx context.Context, tip, commit string) (bool, error) {
	if tip == commit {
		return true, nil
	}
	o, done, err := h.objects()
	if err != nil {
		return false, err
	}
	defer done()
	err = o.run(ctx, command{args: []string{"merge-base", "--is-ancestor", commit, tip}})
	if exitedWith(err, 1) {
		return false, nil
	}
	return err == nil, classify(err, "the history of "+h.Path+" could not be read")
}

// objects is a git directory of Gaggle's own over the repository's objects: what the repository configures (merge
// drivers, filters, hooks) does not apply in it.
func (h *Hosted) objects() (*workshop, func(), error) { return h.workshop(false) }

// workshop makes one whose new objects go to the repository, or, when aside, away with it.
func (h *Hosted) workshop(aside bool) (*workshop, func(), error) {
	dir, remove, err := scratch(filepath.Join(h.store.cfg.Dir, tempDir))
	if err != nil {
		return nil, nil, diskError(err, "no temporary folder")
	}
	shallow, err := os.ReadFile(filepath.Join(h.common, "shallow"))
	if err != nil && !missing(err) {
		remove()
		return nil, nil, diskError(err, "the repository cannot be read")
	}
	config, _ := os.ReadFile(filepath.Join(h.common, "config"))
	g := gitDir{bare: true, sha256: strings.Contains(strings.ToLower(string(config)), "sha256"), head: "ref: refs/heads/none", shallow: shallow}
	w := &workshop{store: h.store, dir: filepath.Join(dir, "git"), objects: filepath.Join(h.common, "objects")}
	if aside {
		g.alternate, w.objects = w.objects, filepath.Join(w.dir, "objects")
	}
	if err := makeGitDir(w.dir, g); err != nil {
		remove()
		return nil, nil, diskError(err, "no temporary folder")
	}
	return w, remove, nil
}

// workshop runs git on one repository's objects with a git directory that belongs to Gaggle.
type workshop struct {
	store   *Store
	dir     string
	objects string
}

func (w *workshop) prepare(c command) command {
	c.gitDir = w.dir
	c.env = append(c.env, "GIT_OBJECT_DIRECTORY="+w.objects)
	return c
}

func (w *workshop) run(ctx context.Context, c command) error { return w.store.run(ctx, w.prepare(c)) }

func (w *workshop) line(ctx context.Context, c command) (string, error) {
	return w.store.line(ctx, w.prepare(c))
}

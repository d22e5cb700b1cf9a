package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

const (
	headRef    = "refs/gaggle/head"        // the one ref of a mirror; a fixed name, so that no branch name can clash with an older one
	remoteHead = "refs/gaggle/remote-head" // stands only while a mirror is made
	stateFile  = "gaggle.json"             // what is known about the mirror; its time is when the remote was last asked
	manyPacks  = 40                        // packs after which a mirror is packed anew
)

// mirror is the place of one repository in the store.
type mirror struct {
	store  *Store
	name   string // of the folder, without ".git"
	remote Remote
	dir    string
}

// state is the content of stateFile.
type state struct {
	URL    string `json:"url"`
	Branch string `json:"branch"`
	Commit string `json:"commit"`
	Tree   string `json:"tree"`
	Made   string `json:"made"` // tells a mirror from the one that stood here before
}

func (st state) head() Head { return Head{Branch: st.Branch, Commit: st.Commit, Tree: st.Tree} }

func (s *Store) mirror(repo fleet.Repository) (*mirror, error) {
	remote, err := ParseRemote(repo.URL)
	if err != nil {
		return nil, err
	}
	if remote.Path != "" && !s.cfg.AllowFile {
		return nil, fleet.Errorf(fleet.CodeInvalid, "%s: local paths are not allowed as clone URLs here", repo.Name)
	}
	name := Escape(repo.Name)
	if name == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "a repository has no name")
	}
	return &mirror{store: s, name: name, remote: remote, dir: filepath.Join(s.cfg.Dir, name+".git")}, nil
}

// Escape makes a name of any bytes the name of one folder, or one part of a branch name: no two names meet, not even
// where the file system ignores case, none is hidden, leaves its parent, or is what git forbids.
func Escape(name string) string {
	var b strings.Builder
	upper := false
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-' && i > 0, c == '.' && plainDot(name, i):
			b.WriteByte(c)
		case c >= 'A' && c <= 'Z':
			upper = true
			b.WriteByte(c)
		case c == '/':
			b.WriteByte('+')
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	out := b.String()
	if upper || len(out) > 120 {
		sum := sha256.Sum256([]byte(name))
		out = out[:min(len(out), 120)] + "=" + hex.EncodeToString(sum[:6])
	}
	return out
}

// plainDot reports whether the dot at i is one inside a word, as in "v1.2" or "go.mod".
func plainDot(name string, i int) bool {
	return i > 0 && i+1 < len(name) && name[i-1] != '.' && name[i+1] != '.' && name[i-1] != '/' && name[i+1] != '/' && !strings.EqualFold(name[i:], ".lock")
}

func (m *mirror) objects() string { return filepath.Join(m.dir, "objects") }

// state reads what is known; ok is false when the mirror is missing, unreadable or of another URL.
func (m *mirror) state() (st state, asked time.Time, ok bool) {
	f, err := os.Open(filepath.Join(m.dir, stateFile))
	if err != nil {
		return st, asked, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || json.NewDecoder(f).Decode(&st) != nil {
		return st, asked, false
	}
	return st, info.ModTime(), st.URL == m.remote.URL && validOID(st.Commit) && validOID(st.Tree)
}

func writeState(dir string, st state) error {
	data, err := json.Marshal(st)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, stateFile+".new")
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, stateFile))
}

// Refresh makes the mirror of a repository, or brings it up to the newest commit of its default branch, and
// returns that commit. A remote that was asked within maxAge is not asked again. When nothing is new, a remote on
// this machine costs a few file reads and any other remote one question. A mirror that is made is one fetch where the
// repository names its default branch rightly. A damaged mirror is made anew, once.
func (s *Store) Refresh(ctx context.Context, repo fleet.Repository, maxAge time.Duration) (Head, error) {
	m, err := s.mirror(repo)
	if err != nil {
		return Head{}, err
	}
	st, asked, ok := m.state()
	if age := time.Since(asked); ok && age < maxAge && age > -clockSlack {
		return st.head(), nil
	}
	if !ok && m.remote.Path == "" && ValidBranch(repo.DefaultBranch) {
		if st, err = m.first(ctx, repo.DefaultBranch); !errors.Is(err, errGuess) {
			return st.head(), m.explain(repo, err)
		}
	}
	tip, err := s.tip(ctx, m.remote)
	if err != nil {
		return Head{}, m.explain(repo, err)
	}
	if ok && st.Commit == tip.Commit && st.Branch == tip.Branch {
		m.touch()
		return st.head(), nil
	}
	st, err = m.update(ctx, tip, "")
	if err != nil {
		return Head{}, m.explain(repo, err)
	}
	return st.head(), nil
}

// touch records that the remote was asked just now. It may fail, on a read-only disk: then it is asked again.
func (m *mirror) touch() {
	now := time.Now()
	_ = os.Chtimes(filepath.Join(m.dir, stateFile), now, now)
}

// distrust has the mirror made anew by whoever uses it next.
func (m *mirror) distrust() { _ = os.Remove(filepath.Join(m.dir, stateFile)) }

func (m *mirror) explain(repo fleet.Repository, err error) error {
	return classify(err, "repository "+clean(repo.Name)+" could not be read")
}

// lock takes the mirror for writing. Readers need no lock: objects are only ever added.
func (m *mirror) lock(ctx context.Context) (held context.Context, unlock func(), err error) {
	turn, err := m.store.busy.lock(ctx, m.name)
	if err != nil {
		return nil, nil, err
	}
	held, file, err := LockFile(ctx, filepath.Join(m.store.cfg.Dir, locksDir, m.name))
	if err != nil {
		turn()
		return nil, nil, err
	}
	return held, func() { file(); turn() }, nil
}

// update fetches tip under the lock. damagedMade names the mirror that was found damaged ("" for none): when that
// one still stands, it is replaced by a new one.
func (m *mirror) update(ctx context.Context, tip Tip, damagedMade string) (state, error) {
	ctx, unlock, err := m.lock(ctx)
	if err != nil {
		return state{}, err
	}
	defer unlock()
	st, _, ok := m.state()
	if ok && st.Made != damagedMade {
		if st.Commit == tip.Commit && st.Branch == tip.Branch {
			return st, nil // somebody else was quicker
		}
		next, err := m.fetch(ctx, m.dir, tip, st.Made)
		// What git cannot explain by the remote, the disk or the credential is put down to the mirror.
		var coded *fleet.Error
		if _, _, known := signOf(err); err == nil || ctx.Err() != nil || errors.As(err, &coded) || known && !damaged(err) {
			return next, err
		}
	}
	return m.remake(ctx, tip)
}

// errGuess says that a remote's default branch was not the one that it was thought to be.
var errGuess = errors.New("the default branch is another one")

// first makes a mirror that is not there, of the branch that the forge has named as the default one. It fetches what HEAD
// points at along with it: as long as both are one commit, nothing has to be asked beforehand. Otherwise, and where git
// gives no better reason for having failed, it is errGuess.
func (m *mirror) first(ctx context.Context, branch string) (state, error) {
	ctx, unlock, err := m.lock(ctx)
	if err != nil {
		return state{}, err
	}
	defer unlock()
	if st, _, ok := m.state(); ok {
		return st, nil // somebody else was quicker
	}
	st, err := m.remake(ctx, Tip{Branch: branch, Ref: "refs/heads/" + branch})
	var coded *fleet.Error
	if _, _, known := signOf(err); err != nil && ctx.Err() == nil && !known && !errors.As(err, &coded) {
		return state{}, errGuess
	}
	return st, err
}

// remake builds the mirror in a scratch folder and puts it in the place of what stands there.
func (m *mirror) remake(ctx context.Context, tip Tip) (state, error) {
	parent := filepath.Join(m.store.cfg.Dir, tempDir)
	dir, remove, err := scratch(parent)
	if err != nil {
		return state{}, diskError(err, "the mirror cannot be made")
	}
	defer remove()
	fresh := filepath.Join(dir, "new.git")
	if err := makeGitDir(fresh, gitDir{bare: true, sha256: len(tip.Commit) == 64, head: "ref: refs/heads/none"}); err != nil {
		return state{}, diskError(err, "the mirror cannot be made")
	}
	st, err := m.fetch(ctx, fresh, tip, filepath.Base(dir)+"-"+fmt.Sprint(time.Now().UnixNano()))
	if err != nil {
		if damaged(err) {
			return state{}, &fleet.Error{Code: fleet.CodeMirrorCorrupt, Message: "the repository could not be mirrored", Hint: "check the source with git fsck", Err: err}
		}
		return state{}, err
	}
	if err := os.Rename(m.dir, filepath.Join(dir, "old.git")); err != nil && !missing(err) {
		return state{}, diskError(err, "the damaged mirror cannot be moved away")
	}
	if err := os.Rename(fresh, m.dir); err != nil {
		return state{}, diskError(err, "the mirror cannot be put in place")
	}
	return st, nil
}

// fetch brings tip's branch into the git directory and records it. A tip without a commit is a guess: it is errGuess when
// HEAD is at another one. The caller holds the lock.
func (m *mirror) fetch(ctx context.Context, dir string, tip Tip, made string) (state, error) {
	sweepLocks(dir)
	specs, revs := []string{"+" + tip.Ref + ":" + headRef}, []string{"rev-parse", headRef + "^{commit}", headRef + "^{tree}"}
	if tip.Commit == "" {
		specs, revs = append(specs, "+HEAD:"+remoteHead), append(revs, remoteHead+"^{commit}")
		defer os.Remove(filepath.Join(dir, filepath.FromSlash(remoteHead)))
	}
	if err := m.fetchRef(ctx, dir, specs...); err != nil {
		return state{}, err
	}
	// The branch may have moved since tip was read, so what counts is what arrived.
	out, err := m.store.line(ctx, command{gitDir: dir, args: revs})
	if err != nil {
		return state{}, errors.Join(errDamaged, err)
	}
	commit, tree, _ := strings.Cut(out, "\n")
	tree, head, guessed := strings.Cut(tree, "\n")
	if guessed && head != commit {
		return state{}, errGuess
	}
	st := state{URL: m.remote.URL, Branch: tip.Branch, Commit: commit, Tree: tree, Made: made}
	if !validOID(commit) || !validOID(tree) {
		return state{}, errDamaged
	}
	if err := writeState(dir, st); err != nil {
		return state{}, diskError(err, "the mirror cannot be written")
	}
	m.repack(ctx, dir)
	return st, nil
}

// fetchRef fetches refspecs with the newest commit only: what lies before it is never read here, and a huge
// history would cost more than all other work together.
func (m *mirror) fetchRef(ctx context.Context, dir string, refspecs ...string) error {
	c := command{gitDir: dir, service: "upload-pack", args: []string{"-c", "fetch.unpackLimit=1", "-c", "core.fsync=none", "fetch", "--quiet", "--no-progress",
		"--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--update-shallow", "--", m.remote.URL}}
	c.args = append(c.args, refspecs...)
	return m.store.runRemote(ctx, m.remote, c)
}

// repack keeps a mirror that was fetched many times from falling apart into packs. What no ref names is kept:
// an attempt may still be based on it. A failure changes nothing.
func (m *mirror) repack(ctx context.Context, dir string) {
	packs, _ := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.idx"))
	if len(packs) > manyPacks {
		_ = m.store.run(ctx, command{gitDir: dir, args: []string{"repack", "-a", "-d", "-k", "-l", "-q", "--window=0"}})
	}
}

// sweepLocks removes what a killed git left in a mirror: lock files, and temporary packs. The caller holds the
// mirror's lock, under which alone such files are made.
func sweepLocks(dir string) {
	for _, pattern := range []string{"*.lock", "refs/gaggle/*.lock", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/info/*.lock", "objects/tmp_objdir-*", "objects/incoming-*", "shallow_*"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range found {
			os.RemoveAll(f)
		}
	}
	// Commit writes objects without the lock, so only what is surely nobody's any more is removed.
	objects, _ := filepath.Glob(filepath.Join(dir, "objects", "[0-9a-f][0-9a-f]", "tmp_obj_*"))
	for _, f := range objects {
		if info, err := os.Lstat(f); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.Remove(f)
		}
	}
}

// healed runs an operation on a mirror that Refresh has made, making the mirror when it is missing, and making
// it anew, once, when the operation finds it damaged.
func (m *mirror) healed(ctx context.Context, op func() error) error {
	st, _, ok := m.state()
	var err error
	if ok {
		if err = op(); err == nil || !damaged(err) {
			return err
		}
	}
	tip, terr := m.store.tip(ctx, m.remote)
	if terr != nil {
		return errors.Join(terr, err)
	}
	if _, uerr := m.update(ctx, tip, st.Made); uerr != nil {
		return uerr
	}
	if err = op(); damaged(err) {
		return &fleet.Error{Code: fleet.CodeMirrorCorrupt, Message: "the mirror was made anew and still lacks what was asked for", Hint: "the repository was rewritten, or is itself damaged", Err: err}
	}
	return err
}

// ensure makes sure that a commit is there, asking the remote for it by name when it is not.
func (m *mirror) ensure(ctx context.Context, commit string) error {
	if !validOID(commit) {
		return fleet.Errorf(fleet.CodeInternal, "git: %q is not a commit", clean(commit))
	}
	if st, _, ok := m.state(); ok && st.Commit == commit {
		return nil
	}
	has := func() error {
		return m.store.run(ctx, command{gitDir: m.dir, args: []string{"cat-file", "-e", commit + "^{tree}"}})
	}
	if has() == nil {
		return nil
	}
	ctx, unlock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if has() == nil {
		return nil
	}
	sweepLocks(m.dir)
	if err := m.fetchRef(ctx, m.dir, "+"+commit+":refs/gaggle/base-"+commit); err != nil {
		return &fleet.Error{Code: fleet.CodeConflict, Message: "commit " + commit + " is no longer in the repository", Hint: "its history was rewritten: start again from the present head", Err: err}
	}
	return nil
}

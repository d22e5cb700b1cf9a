package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// MergeMethod is how a branch comes into another.
type MergeMethod string

// The methods that forges know.
const (
	MergeCommit MergeMethod = "merge"
	MergeSquash MergeMethod = "squash"
	MergeRebase MergeMethod = "rebase"
)

// MergeSpec describes one merge into a branch of a hosted repository.
type MergeSpec struct {
	Method  MergeMethod
	Base    string // branch
	Head    string // commit
	Message string // of the merge or squash commit; a rebase keeps the commits' own
	Author  Identity
	Date    time.Time
}

// Merged is a merge that was worked out, and not yet made visible.
type Merged struct {
	Base string // branch
	From string // its commit before
	To   string // its commit after
}

const mostRebased = 250 // commits; more than any forge rebases

// PrepareMerge works out a merge and writes its commits, which no ref names yet. A conflict is merge_conflict and
// names the files. Landing it is a second step, so that a caller can write down what it is about to do.
func (h *Hosted) PrepareMerge(ctx context.Context, spec MergeSpec) (Merged, error) {
	m, err := h.prepareMerge(ctx, spec)
	return m, classify(err, "the merge into "+spec.Base+" failed")
}

func (h *Hosted) prepareMerge(ctx context.Context, spec MergeSpec) (Merged, error) {
	if !validOID(spec.Head) {
		return Merged{}, fleet.Errorf(fleet.CodeInternal, "git: %q is not a commit", clean(spec.Head))
	}
	base, err := h.Branch(ctx, spec.Base)
	if err != nil {
		return Merged{}, err
	}
	if base == "" {
		return Merged{}, fleet.Errorf(fleet.CodeNotFound, "there is no branch %s to merge into", spec.Base)
	}
	w, done, err := h.objects()
	if err != nil {
		return Merged{}, err
	}
	defer done()
	m := Merged{Base: spec.Base, From: base}
	if spec.Method == MergeRebase {
		m.To, err = w.rebase(ctx, base, spec)
		return m, err
	}
	tree, err := w.mergeTrees(ctx, base, spec.Head)
	if err != nil {
		return Merged{}, err
	}
	commit := CommitSpec{Message: spec.Message, Author: spec.Author, Date: spec.Date}
	switch spec.Method {
	case MergeCommit:
		m.To, err = w.store.commitTree(ctx, w.dir, tree, []string{base, spec.Head}, commit, "GIT_OBJECT_DIRECTORY="+w.objects)
	case MergeSquash:
		m.To, err = w.store.commitTree(ctx, w.dir, tree, []string{base}, commit, "GIT_OBJECT_DIRECTORY="+w.objects)
	default:
		err = fleet.Errorf(fleet.CodeInvalid, "%q is not a way to merge: merge, squash or rebase", clean(string(spec.Method)))
	}
	return m, err
}

// Conflicts says whether a merge of two commits would meet a conflict. It leaves nothing behind.
func (h *Hosted) Conflicts(ctx context.Context, ours, theirs string) (bool, error) {
	if !validOID(ours) || !validOID(theirs) {
		return false, fleet.Errorf(fleet.CodeInternal, "git: %q or %q is not a commit", clean(ours), clean(theirs))
	}
	w, done, err := h.workshop(true)
	if err != nil {
		return false, err
	}
	defer done()
	_, err = w.mergeTrees(ctx, ours, theirs)
	if fleet.CodeOf(err) == fleet.CodeMergeConflict {
		return true, nil
	}
	return false, classify(err, "the branches of "+h.Path+" could not be compared")
}

// mergeTrees merges two commits and returns the tree.
func (w *workshop) mergeTrees(ctx context.Context, ours, theirs string) (string, error) {
	var out bytes.Buffer
	err := w.run(ctx, command{args: []string{"merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs}, stdout: &limitedWriter{w: &out, left: 1 << 20}})
	fields := strings.Split(strings.TrimRight(out.String(), "\x00"), "\x00")
	if exitedWith(err, 1) && len(fields) > 1 {
		files := fields[1:]
		shown := make([]string, 0, 5)
		for _, f := range files[:min(len(files), 5)] {
			shown = append(shown, show(f))
		}
		list := strings.Join(shown, ", ")
		if len(files) > 5 {
			list += fmt.Sprintf(" and %d more", len(files)-5)
		}
		return "", &fleet.Error{Code: fleet.CodeMergeConflict, Message: "both sides changed " + list, Hint: "the base moved: run the target again"}
	}
	if err != nil && strings.Contains(stderrOf(err), "unrelated histories") {
		return "", &fleet.Error{Code: fleet.CodeMergeConflict, Message: "the two branches have no common history", Err: err}
	}
	if err == nil && !validOID(fields[0]) {
		err = errors.New("git merge-tree printed no tree")
	}
	return fields[0], err
}

// rebase copies the commits that head has and base has not onto base, one by one.
func (w *workshop) rebase(ctx context.Context, base string, spec MergeSpec) (string, error) {
	list, err := w.line(ctx, command{args: []string{"rev-list", "--reverse", "--topo-order", fmt.Sprintf("--max-count=%d", mostRebased+1), spec.Head, "^" + base}})
	if err != nil {
		return "", err
	}
	commits := strings.Fields(list)
	if len(commits) > mostRebased {
		return "", fleet.Errorf(fleet.CodeUnsupported, "more than %d commits cannot be rebased here", mostRebased)
	}
	onto := base
	for _, c := range commits {
		if onto, err = w.copyCommit(ctx, c, onto, spec); err != nil {
			return "", err
		}
	}
	return onto, nil
}

func (w *workshop) copyCommit(ctx context.Context, commit, onto string, spec MergeSpec) (string, error) {
	raw, err := w.store.output(ctx, w.prepare(command{args: []string{"cat-file", "commit", commit}}))
	if err != nil {
		return "", err
	}
	header, message, _ := bytes.Cut(raw, []byte("\n\n"))
	var author, encoding string
	var parents []string
	for line := range strings.Lines(string(header)) {
		line = strings.TrimSuffix(line, "\n")
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "parent":
			parents = append(parents, value)
		case "author":
			author = line + "\n"
		case "encoding":
			encoding = line + "\n"
		}
	}
	if len(parents) != 1 {
		return "", fleet.Errorf(fleet.CodeUnsupported, "commit %s is a merge or a first commit, which cannot be rebased", commit)
	}
	if parents[0] == onto {
		return commit, nil
	}
	// merge-tree finds the merge base itself. A stand-in for onto whose only parent is the commit's own makes
	// that parent the merge base, which is what a cherry-pick is.
	ontoTree, err := w.line(ctx, command{args: []string{"rev-parse", onto + "^{tree}"}})
	if err != nil {
		return "", err
	}
	standIn, err := w.store.commitTree(ctx, w.dir, ontoTree, parents, CommitSpec{Message: "stand-in", Author: spec.Author, Date: spec.Date}, "GIT_OBJECT_DIRECTORY="+w.objects)
	if err != nil {
		return "", err
	}
	tree, err := w.mergeTrees(ctx, standIn, commit)
	if err != nil || tree == ontoTree {
		return onto, err // nothing of it is new
	}
	committer := fmt.Sprintf("committer %s <%s> %d +0000\n", oneLine(spec.Author.Name), oneLine(spec.Author.Email), spec.Date.Unix())
	object := "tree " + tree + "\nparent " + onto + "\n" + author + committer + encoding + "\n" + string(message)
	return w.line(ctx, command{args: []string{"hash-object", "-t", "commit", "-w", "--stdin"}, stdin: strings.NewReader(object)})
}

// Land makes a prepared merge visible: the branch moves, if it still stands where it stood. Where the branch is
// checked out, the work tree moves with it, provided that it is clean; otherwise nothing happens and the error
// says what to do. Calling it again after it was killed at any moment finishes it.
func (h *Hosted) Land(ctx context.Context, m Merged) error {
	now, err := h.Branch(ctx, m.Base)
	if err != nil || now == m.To {
		return err
	}
	if now != m.From {
		return &fleet.Error{Code: fleet.CodeConflict, Message: "branch " + m.Base + " moved meanwhile", Hint: "try again"}
	}
	wt, err := h.checkedOut(m.Base)
	if err != nil {
		return err
	}
	if wt != nil {
		if err := wt.move(ctx, m.From, m.To); err != nil {
			return classify(err, "the work tree at "+wt.path+" could not be updated")
		}
	}
	return h.moveBranch(ctx, m.Base, m.To, m.From, "gaggle: merge")
}

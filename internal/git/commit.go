package git

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// CommitSpec says what a commit holds. The same spec makes the same commit, on any machine, at any time.
type CommitSpec struct {
	Base    string // what Diff applies to, and the parent
	Onto    string // the parent, where that is another commit than Base
	Diff    []byte // applied to Base; as Checkout.Diff made it
	Tree    string // when set, the tree that must come out; a Diff that makes another one is a defect
	Message string
	Author  Identity // also the committer
	Date    time.Time
	Sign    *Signing // nil: not signed
}

// Signing says how a commit is signed. Only ssh keys give the same commit twice.
type Signing struct {
	Format string // "ssh" or "openpgp"
	Key    string // file of the ssh key, or name of the OpenPGP key
	Home   string // HOME for the signing program; "" for none
}

// Commit makes a commit in the repository's mirror and returns its name. Nothing but the mirror is touched.
func (s *Store) Commit(ctx context.Context, repo fleet.Repository, spec CommitSpec) (string, error) {
	m, err := s.mirror(repo)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(spec.Message) == "" || strings.ContainsRune(spec.Message, 0) || spec.Author.Name == "" || spec.Date.IsZero() {
		return "", fleet.Errorf(fleet.CodeInternal, "git: a commit needs a message, an author and a date")
	}
	var sha string
	err = m.healed(ctx, func() error {
		if err := m.ensure(ctx, spec.Base); err != nil {
			return err
		}
		parent := or(spec.Onto, spec.Base)
		if err := m.ensure(ctx, parent); err != nil {
			return err
		}
		tree, err := s.treeOf(ctx, m, spec)
		if err != nil {
			return err
		}
		sha, err = s.commitTree(ctx, m.dir, tree, []string{parent}, spec)
		return err
	})
	return sha, classify(err, "the commit for "+clean(repo.Name)+" could not be made")
}

// treeOf applies the diff to the base in an index of its own and writes the tree.
func (s *Store) treeOf(ctx context.Context, m *mirror, spec CommitSpec) (string, error) {
	dir, remove, err := scratch(filepath.Join(s.cfg.Dir, tempDir))
	if err != nil {
		return "", diskError(err, "no temporary folder")
	}
	defer remove()
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if err := s.run(ctx, command{gitDir: m.dir, env: env, args: []string{"read-tree", spec.Base}}); err != nil {
		return "", err
	}
	if len(spec.Diff) > 0 {
		err := s.run(ctx, command{gitDir: m.dir, env: env, args: []string{"apply", "--cached", "--whitespace=nowarn", "-"}, stdin: bytes.NewReader(spec.Diff)})
		if err != nil {
			return "", applyError(err)
		}
	}
	tree, err := s.line(ctx, command{gitDir: m.dir, env: env, args: []string{"write-tree"}})
	if err != nil {
		return "", err
	}
	if spec.Tree != "" && tree != spec.Tree {
		return "", fleet.Errorf(fleet.CodeInternal, "git: the diff made tree %s, not %s", tree, spec.Tree)
	}
	return tree, nil
}

// commitTree writes the commit object.
func (s *Store) commitTree(ctx context.Context, gitDir, tree string, parents []string, spec CommitSpec, env ...string) (string, error) {
	args := []string{"-c", "i18n.commitEncoding=UTF-8"}
	date := fmt.Sprintf("@%d +0000", spec.Date.Unix())
	env = append(env, "GIT_AUTHOR_NAME="+oneLine(spec.Author.Name), "GIT_AUTHOR_EMAIL="+oneLine(spec.Author.Email), "GIT_AUTHOR_DATE="+date,
		"GIT_COMMITTER_NAME="+oneLine(spec.Author.Name), "GIT_COMMITTER_EMAIL="+oneLine(spec.Author.Email), "GIT_COMMITTER_DATE="+date)
	sign := "--no-gpg-sign"
	if spec.Sign != nil {
		if spec.Sign.Format != "ssh" && spec.Sign.Format != "openpgp" {
			return "", fleet.Errorf(fleet.CodeSignature, "%q is not a way to sign commits: ssh or openpgp", clean(spec.Sign.Format))
		}
		if spec.Sign.Format == "ssh" {
			if _, err := os.Stat(spec.Sign.Key); err != nil {
				return "", &fleet.Error{Code: fleet.CodeSignature, Message: "the signing key cannot be read", Err: err}
			}
		}
		args = append(args, "-c", "gpg.format="+spec.Sign.Format)
		sign = "--gpg-sign=" + spec.Sign.Key
		if spec.Sign.Home != "" {
			env = append(env, "HOME="+spec.Sign.Home)
		}
	}
	args = append(args, "commit-tree", sign)
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	args = append(args, tree)
	sha, err := s.line(ctx, command{gitDir: gitDir, env: env, args: args, stdin: strings.NewReader(strings.TrimRight(spec.Message, "\n") + "\n")})
	if err != nil && spec.Sign != nil && strings.Contains(stderrOf(err), "sign") {
		return "", &fleet.Error{Code: fleet.CodeSignature, Message: "the commit could not be signed", Hint: "check the key and its program", Err: err}
	}
	return sha, err
}

// oneLine makes a name fit for a commit's header.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' {
			return ' '
		}
		return r
	}, s))
}

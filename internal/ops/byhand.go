package ops

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"gaggle/internal/fleet"
	"gaggle/internal/gateway"
	"gaggle/internal/judge"
	"gaggle/internal/sandbox"
	"gaggle/internal/spec"
	"gaggle/internal/verify"
)

// VerifyInput names a folder and the component in it.
type VerifyInput struct {
	Dir  string   `json:"dir"`
	Path string   `json:"path"` // of the component, inside Dir. Defaults to "."
	Run  []string `json:"run,omitempty"`
}

// Verify runs a folder's verifiers in the sandbox, on a copy: what they leave behind, or do on purpose, does not reach
// the folder.
func (o *Ops) Verify(ctx context.Context, in VerifyInput) (*fleet.Report, error) {
	root, err := os.OpenRoot(in.Dir)
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the folder cannot be read", Hint: "gaggle verify DIR", Err: err}
	}
	defer root.Close()
	settings := verify.Settings{Auto: true, Campaign: in.Run}
	if data, err := root.ReadFile(spec.RepoFile); err == nil {
		cfg, err := spec.ParseRepository(spec.RepoFile, data)
		if err != nil {
			return nil, err
		}
		own := cfg.For(or(in.Path, ".")).Verify
		settings.Repository, settings.Auto = own.Run, !own.Manual
	}
	verifiers := verify.For(root.FS(), or(in.Path, "."), settings)
	if len(verifiers) == 0 {
		return &fleet.Report{Checks: []fleet.Check{}}, nil
	}
	work := filepath.Join(o.cfg.Data, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(work, "verify-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = sandbox.Remove(dir) }()
	tree := filepath.Join(dir, "tree")
	if err := os.CopyFS(tree, withoutGit{root.FS()}); err != nil {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "the folder cannot be copied for the sandbox", Err: err}
	}
	runner, err := o.runner(ctx)
	if err != nil {
		return nil, err
	}
	report, err := runner.VerifyTree(ctx, tree, dir, verifiers)
	return &report, err
}

// withoutGit is a tree without its git directory, which the verifiers have no business with.
type withoutGit struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (f withoutGit) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.FS, name)
	kept := entries[:0]
	for _, e := range entries {
		if e.Name() != ".git" {
			kept = append(kept, e)
		}
	}
	return kept, err
}

// ReadLink implements fs.ReadLinkFS, so that links are copied as links.
func (f withoutGit) ReadLink(name string) (string, error) { return fs.ReadLink(f.FS, name) }

// Lstat implements fs.ReadLinkFS.
func (f withoutGit) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(f.FS, name) }

// JudgeInput is a diff and what it should do.
type JudgeInput struct {
	Prompt string `json:"prompt"`
	Diff   []byte `json:"diff"`
	Model  string `json:"model,omitempty"`
}

// Validate checks the input.
func (in JudgeInput) Validate() error {
	switch {
	case in.Prompt == "":
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "the judge needs the prompt", Hint: "--prompt says what the change should do"}
	case len(in.Diff) == 0:
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "there is no diff to judge", Hint: "--diff FILE, or - for standard input: git diff | gaggle judge --prompt … --diff -"}
	}
	return nil
}

// judgeBudget is what one judgement by hand may cost.
const judgeBudget = 5 * fleet.Dollar

// Judge has a model compare a diff with a prompt.
func (o *Ops) Judge(ctx context.Context, in JudgeInput) (*fleet.Verdict, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	door, err := gateway.New(gateway.Config{Upstreams: o.cfg.Models.upstreams(), Redactor: o.redact})
	if err != nil {
		return nil, err
	}
	session, err := door.Open(ctx, gateway.SessionConfig{Meter: gateway.NewBudget(gateway.BudgetConfig{Name: "judgement", Limit: judgeBudget})})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	j, err := o.cfg.Models.judge(in.Model, session)
	if err != nil {
		return nil, err
	}
	v, err := j.Judge(ctx, judge.Input{Prompt: in.Prompt, Diff: in.Diff})
	return &v, err
}

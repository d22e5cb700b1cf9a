package ops

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// PullsInput narrows a list of pull requests on the local forge.
type PullsInput struct {
	Repository string        `json:"repository,omitempty"`
	States     []forge.State `json:"states,omitempty"`
}

// Pulls lists pull requests, newest first.
func (o *Ops) Pulls(ctx context.Context, in PullsInput) ([]forge.Pull, error) {
	for _, s := range in.States {
		if !slices.Contains([]forge.State{forge.StateOpen, forge.StateMerged, forge.StateClosed}, s) {
			return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("%q is not a pull request's state", s), Hint: "open, merged, closed or all"}
		}
	}
	var repo *fleet.Repository
	if in.Repository != "" {
		r, err := o.repository(ctx, in.Repository)
		if err != nil {
			return nil, err
		}
		repo = &r
	}
	pulls := []forge.Pull{}
	for p, err := range o.forge.List(ctx, repo, in.States...) {
		if err != nil && p.Number == 0 {
			return nil, err
		}
		pulls = append(pulls, p)
	}
	return pulls, nil
}

// PullInput names a pull request.
type PullInput struct {
	Repository string       `json:"repository"`
	Number     int          `json:"number"`
	Method     forge.Method `json:"method,omitempty"`
	Comment    string       `json:"comment,omitempty"`
}

// Validate checks the input.
func (in PullInput) Validate() error {
	if in.Repository == "" || in.Number <= 0 {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "name a repository and a pull request's number", Hint: "gaggle pr list shows both"}
	}
	if in.Method != "" && !slices.Contains([]forge.Method{forge.MethodMerge, forge.MethodSquash, forge.MethodRebase}, in.Method) {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "there is no merge method " + string(in.Method), Hint: "merge, squash or rebase"}
	}
	return nil
}

func (o *Ops) pull(ctx context.Context, in PullInput, do func(fleet.Repository) error) (forge.Pull, error) {
	if err := in.Validate(); err != nil {
		return forge.Pull{}, err
	}
	repo, err := o.repository(ctx, in.Repository)
	if err != nil {
		return forge.Pull{}, err
	}
	if do != nil {
		if err := do(repo); err != nil {
			return forge.Pull{}, err
		}
	}
	return o.forge.Get(ctx, repo, in.Number)
}

// Pull reads one pull request of the local forge.
func (o *Ops) Pull(ctx context.Context, in PullInput) (forge.Pull, error) {
	return o.pull(ctx, in, nil)
}

// MergePull merges one.
func (o *Ops) MergePull(ctx context.Context, in PullInput) (forge.Pull, error) {
	return o.pull(ctx, in, func(r fleet.Repository) error {
		return o.forge.Merge(ctx, r, in.Number, forge.MergeSpec{Method: in.Method})
	})
}

// ClosePull closes one without a merge.
func (o *Ops) ClosePull(ctx context.Context, in PullInput) (forge.Pull, error) {
	return o.pull(ctx, in, func(r fleet.Repository) error { return o.forge.Close(ctx, r, in.Number, in.Comment) })
}

// RemarkInput is what a person says of a pull request on the local forge.
type RemarkInput struct {
	Repository string `json:"repository"`
	Number     int    `json:"number"`
	Author     string `json:"author,omitempty"` // defaults to whoever runs gaggle
	Body       string `json:"body"`
	Verdict    string `json:"verdict,omitempty"`  // approved, changes_requested
	Outsider   bool   `json:"outsider,omitempty"` // the author may not write to the repository
}

// Remark adds a comment or a review.
func (o *Ops) Remark(ctx context.Context, in RemarkInput) (forge.Remark, error) {
	if err := (PullInput{Repository: in.Repository, Number: in.Number}).Validate(); err != nil {
		return forge.Remark{}, err
	}
	repo, err := o.repository(ctx, in.Repository)
	if err != nil {
		return forge.Remark{}, err
	}
	return o.forge.Say(ctx, repo, in.Number, forge.Remark{Author: cmp.Or(in.Author, o.cfg.Actor), Body: in.Body, Verdict: in.Verdict, MayWrite: !in.Outsider})
}

// CheckInput is what CI reports of a pull request's head, or of another commit, on the local forge.
type CheckInput struct {
	Repository string           `json:"repository"`
	Number     int              `json:"number"`
	Commit     string           `json:"commit,omitempty"` // defaults to the pull request's head
	Name       string           `json:"name"`
	State      forge.CheckState `json:"state"`
	Summary    string           `json:"summary,omitempty"`
	URL        string           `json:"url,omitempty"`
	Log        string           `json:"log,omitempty"`
}

// ReportCheck records what CI says, and returns the pull request with what its checks come to.
func (o *Ops) ReportCheck(ctx context.Context, in CheckInput) (forge.Pull, error) {
	if err := (PullInput{Repository: in.Repository, Number: in.Number}).Validate(); err != nil {
		return forge.Pull{}, err
	}
	repo, err := o.repository(ctx, in.Repository)
	if err != nil {
		return forge.Pull{}, err
	}
	p, err := o.forge.Get(ctx, repo, in.Number)
	if err != nil {
		return forge.Pull{}, err
	}
	check := forge.Check{Name: in.Name, State: in.State, Summary: in.Summary, URL: in.URL}
	if err := o.forge.SetCheck(ctx, repo, cmp.Or(in.Commit, p.HeadSHA), check, []byte(in.Log)); err != nil {
		return forge.Pull{}, err
	}
	return o.forge.Get(ctx, repo, in.Number)
}

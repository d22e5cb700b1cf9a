package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// PullsInput narrows a list of pull requests.
type PullsInput struct {
	Repository string        `json:"repository,omitempty"`
	Campaign   string        `json:"campaign,omitempty"`
	States     []forge.State `json:"states,omitempty"`
}

// Pulls lists pull requests, newest first: all of the local forge, and those of campaigns on other forges as they were last seen there.
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
	if in.Campaign == "" && (repo == nil || onLocal(*repo)) {
		for p, err := range o.forge.List(ctx, repo, in.States...) {
			if err != nil && p.Number == 0 {
				return nil, err
			}
			pulls = append(pulls, p)
		}
	}
	more, err := o.campaignPulls(ctx, in)
	if err != nil || len(more) == 0 {
		return pulls, err
	}
	pulls = append(pulls, more...)
	slices.SortStableFunc(pulls, func(a, b forge.Pull) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return pulls, nil
}

func onLocal(r fleet.Repository) bool { return r.Forge == "" || r.Forge == "local" }

// campaignPulls lists the pull requests of one campaign, or those of all campaigns that are not on the local forge.
func (o *Ops) campaignPulls(ctx context.Context, in PullsInput) ([]forge.Pull, error) {
	repos, err := o.store.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]fleet.Repository, len(repos))
	for _, r := range repos {
		byName[r.Name] = r.Repository
	}
	rows, err := o.store.Campaigns(ctx)
	if in.Campaign != "" {
		var row store.Campaign
		row, err = o.campaign(ctx, in.Campaign)
		rows = []store.Campaign{row}
	}
	if err != nil {
		return nil, err
	}
	var pulls []forge.Pull
	type key struct {
		repository string
		number     int
	}
	seen := map[key]bool{} // several targets may share one
	var states []fleet.State
	if slices.Equal(in.States, []forge.State{forge.StateOpen}) {
		states = []fleet.State{fleet.Proposed, fleet.Revising}
	}
	for _, row := range rows {
		var c spec.Campaign
		if err := json.Unmarshal([]byte(row.Spec), &c); err != nil {
			return nil, &fleet.Error{Code: fleet.CodeInternal, Message: fmt.Sprintf("the stored file of campaign %q cannot be read", row.Name), Err: err}
		}
		for after := int64(0); ; {
			page, err := o.store.Followed(ctx, row.Name, states, after, 500)
			if err != nil {
				return nil, err
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1].ID
			for _, t := range page {
				repo, known := byName[t.Repository]
				p := targetPull(t, c.PullRequest.Title)
				if t.PullNumber > 0 && (in.Campaign != "" || known && !onLocal(repo)) && (in.Repository == "" || in.Repository == t.Repository) && (len(in.States) == 0 || slices.Contains(in.States, p.State)) {
					p.BaseBranch = repo.DefaultBranch
					if seen[key{t.Repository, t.PullNumber}] {
						continue
					}
					seen[key{t.Repository, t.PullNumber}] = true
					if t.Follows() {
						leader, err := o.store.Target(ctx, t.Batch)
						if err != nil {
							return nil, err
						}
						p.HeadBranch = leader.Branch
					}
					pulls = append(pulls, p)
				}
			}
		}
	}
	return pulls, nil
}

// targetPull is a target's pull request as it was last seen.
func targetPull(t store.Followed, title string) forge.Pull {
	p := forge.Pull{Repository: t.Repository, Number: t.PullNumber, URL: t.PullURL, Title: title, State: forge.StateClosed, HeadBranch: t.Branch, HeadSHA: t.HeadCommit, MergeSHA: t.Follow.MergeSHA,
		CreatedAt: t.Follow.OpenedAt, UpdatedAt: t.Follow.Changed}
	switch t.State {
	case fleet.Proposed, fleet.Revising:
		p.State = forge.StateOpen
		if t.Follow.CI != "before" {
			p.CI = forge.CheckState(t.Follow.CI)
		} else {
			p.CI = forge.CheckFailed
		}
	case fleet.Merged:
		p.State = forge.StateMerged
	}
	return p
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

func (o *Ops) pull(ctx context.Context, in PullInput, do func(forge.Forge, fleet.Repository) error) (forge.Pull, error) {
	if err := in.Validate(); err != nil {
		return forge.Pull{}, err
	}
	repo, err := o.repository(ctx, in.Repository)
	if err != nil {
		return forge.Pull{}, err
	}
	f, err := o.forgeNamed(repo.Forge)
	if err != nil {
		return forge.Pull{}, err
	}
	if do != nil {
		if err := do(f, repo); err != nil {
			return forge.Pull{}, err
		}
	}
	return f.Get(ctx, repo, in.Number)
}

// Pull reads one pull request.
func (o *Ops) Pull(ctx context.Context, in PullInput) (forge.Pull, error) {
	return o.pull(ctx, in, nil)
}

// MergePull merges one.
func (o *Ops) MergePull(ctx context.Context, in PullInput) (forge.Pull, error) {
	return o.pull(ctx, in, func(f forge.Forge, r fleet.Repository) error {
		return f.Merge(ctx, r, in.Number, forge.MergeSpec{Method: in.Method})
	})
}

// ClosePull closes one without a merge.
func (o *Ops) ClosePull(ctx context.Context, in PullInput) (forge.Pull, error) {
	return o.pull(ctx, in, func(f forge.Forge, r fleet.Repository) error { return f.Close(ctx, r, in.Number, in.Comment) })
}

// ClosePullsInput names a campaign whose open pull requests are closed.
type ClosePullsInput struct {
	Campaign string `json:"campaign"`
	Comment  string `json:"comment,omitempty"` // left on each
}

// Validate checks the input.
func (in ClosePullsInput) Validate() error { return SelectInput{Campaign: in.Campaign}.Validate() }

// OpenPulls counts a campaign's pull requests that are open as far as is known.
func (o *Ops) OpenPulls(ctx context.Context, campaign string) (int, error) {
	if _, err := o.campaign(ctx, campaign); err != nil {
		return 0, err
	}
	counts, err := o.store.Counts(ctx, campaign)
	n := 0
	for _, c := range counts {
		if c.State == fleet.Proposed || c.State == fleet.Revising {
			n += c.Targets
		}
	}
	return n, err
}

// ClosePulls closes all open pull requests of a campaign, on whatever forges they are, and deletes their branches. Their
// targets rest as closed. It may be repeated after it was stopped. progress, when not nil, is called with every new event of the campaign.
func (o *Ops) ClosePulls(ctx context.Context, in ClosePullsInput, progress func(store.Event)) (*engine.Closing, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if _, err := o.campaign(ctx, in.Campaign); err != nil {
		return nil, err
	}
	e, err := o.engine(ctx, 1, false)
	if err != nil {
		return nil, err
	}
	stop, err := o.tail(ctx, []string{in.Campaign}, progress)
	if err != nil {
		return nil, err
	}
	comment := cmp.Or(in.Comment, "Closed by "+o.cfg.Actor+", together with all pull requests of campaign "+in.Campaign+".")
	out, err := e.ClosePulls(ctx, in.Campaign, comment, o.cfg.Actor)
	if tailErr := stop(); err == nil {
		err = tailErr
	}
	return &out, err
}

// hosted says that something is done on the built-in forge only.
func hosted(repo fleet.Repository, what string) error {
	if onLocal(repo) {
		return nil
	}
	return &fleet.Error{Code: fleet.CodeUnsupported, Message: "repository " + repo.Name + " is on " + repo.Forge + ": " + what + " there", Hint: "this command plays the part of people and CI on the built-in forge"}
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
	if err := hosted(repo, "people comment"); err != nil {
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
	if err := hosted(repo, "CI reports its checks"); err != nil {
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

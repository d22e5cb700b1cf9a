package gitlab

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	sdk "gitlab.com/gitlab-org/api/client-go/v2"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// most is GitLab's limit on the length of a description, in characters.
const most = 1 << 20

// mostTitle is what GitLab takes of a title, behind the word that marks a draft.
const mostTitle = 255 - len("Draft: ")

// Find implements forge.Forge.
func (f *Forge) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	m, err := f.find(ctx, repo, branch)
	if err != nil {
		return forge.Pull{}, err
	}
	if m == nil {
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return toPull(repo.Name, m), nil
}

// find returns the open merge request with that head, or else the newest; nil when there is none.
func (f *Forge) find(ctx context.Context, repo fleet.Repository, branch string) (*sdk.BasicMergeRequest, error) {
	pid, slug, err := f.project(repo)
	if err != nil {
		return nil, err
	}
	list, _, err := f.api.MergeRequests.ListProjectMergeRequests(pid, &sdk.ListProjectMergeRequestsOptions{
		SourceBranch: &branch, State: sdk.Ptr("all"), OrderBy: sdk.Ptr("created_at"), Sort: sdk.Ptr("desc"), ListOptions: sdk.ListOptions{PerPage: 20},
	}, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); err != nil {
		return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "with head "+branch))
	}
	list = slices.DeleteFunc(list, func(m *sdk.BasicMergeRequest) bool {
		return m.SourceBranch != branch || m.SourceProjectID != m.TargetProjectID
	})
	if len(list) == 0 {
		return nil, nil
	}
	f.mu.Lock()
	f.slugs[list[0].ProjectID] = strings.ToLower(slug)
	f.mu.Unlock()
	if i := slices.IndexFunc(list, func(m *sdk.BasicMergeRequest) bool { return m.State == "opened" }); i >= 0 {
		return list[i], nil
	}
	return list[0], nil
}

// Open implements forge.Forge. A reviewer whom GitLab does not know is left out, as the returned merge request shows.
// GitLab refuses a second one with the same head and target, so it is not asked first.
func (f *Forge) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec, err := spec.Whole(mostTitle, most)
	if err != nil {
		return forge.Pull{}, err
	}
	reviewers, err := f.userIDs(ctx, spec.Reviewers)
	if err != nil {
		return forge.Pull{}, err
	}
	title := spec.Title
	if spec.Draft {
		title = "Draft: " + title
	}
	opt := &sdk.CreateMergeRequestOptions{Title: &title, Description: &spec.Body, SourceBranch: &spec.HeadBranch, TargetBranch: &spec.BaseBranch, ReviewerIDs: &reviewers}
	if len(spec.Labels) > 0 {
		opt.Labels = sdk.Ptr(sdk.LabelOptions(spec.Labels))
	}
	var m *sdk.MergeRequest
	err = f.change(ctx, spec.Repo, func(pid any) (err error) {
		m, _, err = f.api.MergeRequests.CreateMergeRequest(pid, opt, sdk.WithContext(ctx))
		return err
	})
	switch status := transport.StatusOf(err); {
	case err == nil:
		if _, slug, err := f.project(spec.Repo); err == nil {
			f.mu.Lock()
			f.slugs[m.ProjectID] = strings.ToLower(slug)
			f.mu.Unlock()
		}
		return f.notEmpty(ctx, spec, m)
	case status == http.StatusConflict || transport.Says(err, "already exists"):
		found, err := f.find(ctx, spec.Repo, spec.HeadBranch)
		if err != nil {
			return forge.Pull{}, err
		}
		if found == nil || found.State != "opened" {
			return forge.Pull{}, fleet.Errorf(fleet.CodeConflict, "a pull request with head %s came and went", spec.HeadBranch)
		}
		return f.update(ctx, spec, found, reviewers)
	case transport.Says(err, "source_branch", "source branch", "target_branch", "target branch"):
		return forge.Pull{}, &fleet.Error{Code: fleet.CodeNotFound, Message: "repository " + spec.Repo.Name + " lacks branch " + spec.HeadBranch + " or " + spec.BaseBranch, Err: err}
	}
	return forge.Pull{}, f.missing(ctx, spec.Repo, err, fleet.Errorf(fleet.CodeForgeAuth, "the credential may not open merge requests in %s", spec.Repo.Name))
}

// notEmpty closes a merge request again that changes nothing.
func (f *Forge) notEmpty(ctx context.Context, spec forge.PullSpec, m *sdk.MergeRequest) (forge.Pull, error) {
	if refs := m.DiffRefs; refs.HeadSha == "" || refs.BaseSha != refs.HeadSha {
		return toPull(spec.Repo.Name, &m.BasicMergeRequest), nil
	}
	if err := f.Close(ctx, spec.Repo, int(m.IID), ""); err != nil {
		return forge.Pull{}, err
	}
	return forge.Pull{}, fleet.Errorf(fleet.CodeForge, "branch %s has no commit that %s lacks", spec.HeadBranch, spec.BaseBranch)
}

// update brings an open merge request up to the spec in one call, and makes none where nothing differs.
func (f *Forge) update(ctx context.Context, spec forge.PullSpec, m *sdk.BasicMergeRequest, reviewers []int64) (forge.Pull, error) {
	now := toPull(spec.Repo.Name, m)
	opt, differs := &sdk.UpdateMergeRequestOptions{}, false
	if now.Title != spec.Title || now.Body != spec.Body || now.BaseBranch != spec.BaseBranch {
		title := spec.Title
		if now.Draft {
			title = "Draft: " + title
		}
		opt.Title, opt.Description, opt.TargetBranch, differs = &title, &spec.Body, &spec.BaseBranch, true
	}
	if labels := forge.Lacking(now.Labels, spec.Labels); len(labels) > 0 {
		opt.AddLabels, differs = sdk.Ptr(sdk.LabelOptions(labels)), true
	}
	var all []int64
	for _, r := range m.Reviewers {
		all = append(all, r.ID)
	}
	asked := len(all)
	for _, id := range reviewers {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	if len(all) > asked {
		opt.ReviewerIDs, differs = &all, true
	}
	var full *sdk.MergeRequest
	err := f.change(ctx, spec.Repo, func(pid any) (err error) {
		if differs {
			full, _, err = f.api.MergeRequests.UpdateMergeRequest(pid, m.IID, opt, sdk.WithContext(ctx))
		} else {
			full, _, err = f.api.MergeRequests.GetMergeRequest(pid, m.IID, nil, sdk.WithContext(ctx))
		}
		return err
	})
	if err != nil {
		return forge.Pull{}, f.missing(ctx, spec.Repo, err, forge.NotFound(spec.Repo, "!"+strconv.Itoa(now.Number)))
	}
	return f.notEmpty(ctx, spec, full)
}

// userIDs looks users up, each once, and all that are new in one call.
func (f *Forge) userIDs(ctx context.Context, names []string) ([]int64, error) {
	names = forge.Lacking(nil, names)
	var unknown []string
	f.mu.Lock()
	for _, name := range names {
		if _, known := f.users[strings.ToLower(name)]; !known {
			unknown = append(unknown, name)
		}
	}
	f.mu.Unlock()
	if len(unknown) > 0 {
		found, err := f.lookUp(ctx, unknown)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		for _, name := range unknown {
			f.users[strings.ToLower(name)] = found[strings.ToLower(name)]
		}
		f.mu.Unlock()
	}
	ids := []int64{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		if id := f.users[strings.ToLower(name)]; id != 0 {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Get implements forge.Forge.
func (f *Forge) Get(ctx context.Context, repo fleet.Repository, number int) (forge.Pull, error) {
	m, err := f.get(ctx, repo, number)
	if err != nil {
		return forge.Pull{}, err
	}
	return full(repo.Name, m), nil
}

func (f *Forge) get(ctx context.Context, repo fleet.Repository, number int) (*sdk.MergeRequest, error) {
	pid, slug, err := f.project(repo)
	if err != nil {
		return nil, err
	}
	m, _, err := f.api.MergeRequests.GetMergeRequest(pid, int64(number), nil, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); err != nil {
		return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "!"+strconv.Itoa(number)))
	}
	f.mu.Lock()
	f.slugs[m.ProjectID] = strings.ToLower(slug)
	f.mu.Unlock()
	return m, nil
}

// Close implements forge.Forge. The comment comes first, so that a merge request is never closed without its reason.
func (f *Forge) Close(ctx context.Context, repo fleet.Repository, number int, comment string) error {
	m, err := f.get(ctx, repo, number)
	if err != nil || m.State != "opened" {
		return err
	}
	if err := forge.SayWhy(ctx, f, repo, number, comment, most); err != nil {
		return err
	}
	return f.change(ctx, repo, func(pid any) error {
		_, _, err := f.api.MergeRequests.UpdateMergeRequest(pid, int64(number), &sdk.UpdateMergeRequestOptions{StateEvent: sdk.Ptr("close")}, sdk.WithContext(ctx))
		return err
	})
}

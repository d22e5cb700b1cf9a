package bitbucket

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

const heads = "refs/heads/"

// Find implements forge.Forge.
func (f *DataCenter) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	p, err := f.find(ctx, repo, branch)
	if err != nil {
		return forge.Pull{}, err
	}
	if p == nil {
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return p.pull(repo.Name), nil
}

// find returns the open pull request with that head, or else the newest; nil when there is none.
func (f *DataCenter) find(ctx context.Context, repo fleet.Repository, branch string) (*dcPull, error) {
	at, err := f.at(repo, "api", "/pull-requests")
	if err != nil {
		return nil, err
	}
	var newest *dcPull
	for p, err := range starts[dcPull](ctx, f, at, url.Values{"at": {heads + branch}, "direction": {"OUTGOING"}, "state": {"ALL"}, "limit": {"100"}}) {
		if err != nil {
			return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "with head "+branch))
		}
		if p.From.ID != heads+branch || p.From.Repository.ID != p.To.Repository.ID {
			continue
		}
		if p.State == "OPEN" {
			f.learn(repo, &p)
			return &p, nil
		}
		if newest == nil || p.ID > newest.ID {
			newest = &p
		}
	}
	return newest, nil
}

// Open implements forge.Forge. A reviewer whom the server does not take is left out, as the returned pull request shows, and
// so are labels, which it does not have. The server refuses a second one with the same branches, so it is not asked first.
func (f *DataCenter) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec, err := spec.Whole(longestTitle, longestBody)
	if err != nil {
		return forge.Pull{}, err
	}
	at, err := f.at(spec.Repo, "api", "/pull-requests")
	if err != nil {
		return forge.Pull{}, err
	}
	reviewers, err := f.users(ctx, spec.Reviewers)
	if err != nil {
		return forge.Pull{}, err
	}
	for tries := 0; ; tries++ {
		var p dcPull
		in := map[string]any{"title": spec.Title, "description": spec.Body, "draft": spec.Draft, "fromRef": map[string]any{"id": heads + spec.HeadBranch}, "toRef": map[string]any{"id": heads + spec.BaseBranch}}
		err := f.send(ctx, http.MethodPost, at, in, nil, reviewers, &p)
		if err == nil {
			f.learn(spec.Repo, &p)
			return p.pull(spec.Repo.Name), nil
		}
		t := troubleOf(err)
		switch {
		case t.is("DuplicatePullRequestException"):
			found, err := f.find(ctx, spec.Repo, spec.HeadBranch)
			if err != nil {
				return forge.Pull{}, err
			}
			if found != nil && found.State == "OPEN" {
				pull, err := f.update(ctx, spec, found, reviewers)
				if !troubleOf(err).is("PullRequestOutOfDateException") || tries >= 3 {
					return pull, err
				}
			} else if tries >= 3 {
				return forge.Pull{}, fleet.Errorf(fleet.CodeConflict, "a pull request with head %s came and went", spec.HeadBranch)
			}
			continue
		case t.is("EmptyPullRequestException") || transport.Says(err, "already up-to-date"):
			err = &fleet.Error{Code: fleet.CodeForge, Message: "branch " + spec.HeadBranch + " has no commit that " + spec.BaseBranch + " lacks", Err: err}
		case t.is("NoSuchBranchException", "NoSuchRefException", "NoSuchObjectException"):
			err = &fleet.Error{Code: fleet.CodeNotFound, Message: "repository " + spec.Repo.Name + " lacks branch " + spec.HeadBranch + " or " + spec.BaseBranch, Err: err}
		default:
			err = f.missing(ctx, spec.Repo, err, fleet.Errorf(fleet.CodeNotFound, "repository %s lacks branch %s or %s", spec.Repo.Name, spec.HeadBranch, spec.BaseBranch))
		}
		return forge.Pull{}, err
	}
}

// send makes or changes a pull request, and again without those of more whom the server objects to.
func (f *DataCenter) send(ctx context.Context, method, at string, in map[string]any, have, more []string, out *dcPull) error {
	for {
		list := []any{}
		for _, name := range slices.Concat(have, more) {
			list = append(list, map[string]any{"user": map[string]any{"name": name}})
		}
		in["reviewers"] = list
		_, err := f.http.JSON(ctx, method, at, in, out)
		t := troubleOf(err)
		if !t.is("InvalidPullRequestReviewersException") || len(more) == 0 {
			return err
		}
		kept := slices.DeleteFunc(slices.Clone(more), func(name string) bool {
			for _, r := range t.Reviewers {
				if strings.EqualFold(r.Name, name) {
					return true
				}
			}
			return false
		})
		if len(kept) == len(more) {
			kept = nil // it does not say who
		}
		more = kept
	}
}

// update brings an open pull request up to the spec, and calls only where something differs. The server takes the reviewers
// as a whole, so those that people asked are sent along.
func (f *DataCenter) update(ctx context.Context, spec forge.PullSpec, p *dcPull, more []string) (forge.Pull, error) {
	f.learn(spec.Repo, p)
	now := p.pull(spec.Repo.Name)
	more = forge.Lacking(append(slices.Clone(now.Reviewers), now.Author), more)
	if now.Title == spec.Title && now.Body == spec.Body && now.BaseBranch == spec.BaseBranch && len(more) == 0 {
		return now, nil
	}
	at, err := f.pullAt(spec.Repo, p.ID, "")
	if err != nil {
		return forge.Pull{}, err
	}
	in := map[string]any{"version": p.Version, "title": spec.Title, "description": spec.Body, "draft": p.Draft}
	if now.BaseBranch != spec.BaseBranch {
		in["toRef"] = map[string]any{"id": heads + spec.BaseBranch}
	}
	var changed dcPull
	if err := f.send(ctx, http.MethodPut, at, in, now.Reviewers, more, &changed); err != nil {
		return forge.Pull{}, f.missing(ctx, spec.Repo, err, forge.NotFound(spec.Repo, "#"+strconv.Itoa(p.ID)))
	}
	return changed.pull(spec.Repo.Name), nil
}

// users looks those reviewers up that are given by mail address, each once. One who is not found is left out.
func (f *DataCenter) users(ctx context.Context, names []string) ([]string, error) {
	var found []string
	for _, name := range forge.Lacking(nil, names) {
		if strings.Contains(name, "@") {
			user, known := f.mails.get(name)
			if !known {
				for u, err := range starts[dcUser](ctx, f, f.site.String()+"/rest/api/latest/users", url.Values{"filter": {name}, "limit": {"100"}}) {
					if err != nil {
						return nil, err
					}
					if strings.EqualFold(u.Email, name) || strings.EqualFold(u.Name, name) {
						user = u.Name
						break
					}
				}
				f.mails.put(name, user)
			}
			name = user
		}
		found = append(found, forge.Lacking(found, []string{name})...)
	}
	return found, nil
}

// Get implements forge.Forge.
func (f *DataCenter) Get(ctx context.Context, repo fleet.Repository, number int) (forge.Pull, error) {
	p, err := f.get(ctx, repo, number)
	if err != nil {
		return forge.Pull{}, err
	}
	if err := f.try(ctx, repo, p); err != nil {
		return forge.Pull{}, err
	}
	return p.pull(repo.Name), nil
}

// try has the server find out whether an open pull request can be merged. It does so only when somebody asks, and remembers
// the answer until a branch moves.
func (f *DataCenter) try(ctx context.Context, repo fleet.Repository, p *dcPull) error {
	if p.State != "OPEN" || p.Properties.MergeResult.Current {
		return nil
	}
	at, err := f.pullAt(repo, p.ID, "/merge")
	if err != nil {
		return err
	}
	var can struct{ Conflicted bool }
	_, err = f.http.JSON(ctx, http.MethodGet, at, nil, &can)
	if status := transport.StatusOf(err); status >= 400 && status < 500 {
		return nil // not said: it was closed a moment ago
	}
	p.Properties.MergeResult.Current = err == nil
	p.Properties.MergeResult.Outcome = map[bool]string{true: "CONFLICTED", false: "CLEAN"}[can.Conflicted]
	return err
}

func (f *DataCenter) get(ctx context.Context, repo fleet.Repository, number int) (*dcPull, error) {
	at, err := f.pullAt(repo, number, "")
	if err != nil {
		return nil, err
	}
	var p dcPull
	if _, err := f.http.JSON(ctx, http.MethodGet, at, nil, &p); err != nil {
		return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
	}
	f.learn(repo, &p)
	return &p, nil
}

// Close implements forge.Forge. The comment comes first, so that a pull request is never closed without its reason.
func (f *DataCenter) Close(ctx context.Context, repo fleet.Repository, number int, comment string) error {
	for tries := 0; ; tries++ {
		p, err := f.get(ctx, repo, number)
		if err != nil || p.State != "OPEN" {
			return err
		}
		if err := forge.SayWhy(ctx, f, repo, number, comment, longestBody); err != nil {
			return err
		}
		at, err := f.pullAt(repo, number, "/decline?version="+strconv.Itoa(p.Version))
		if err != nil {
			return err
		}
		_, err = f.http.JSON(ctx, http.MethodPost, at, map[string]any{"version": p.Version}, nil)
		if !troubleOf(err).is("PullRequestOutOfDateException", "IllegalPullRequestStateException") || tries >= 3 {
			return f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
		}
	}
}

// Merge implements forge.Forge. The server takes no head that is expected. So where the branch stands is read just before, what
// people changed meanwhile is refused by the version, and when something else was merged all the same that is said.
func (f *DataCenter) Merge(ctx context.Context, repo fleet.Repository, number int, spec forge.MergeSpec) error {
	strategy := map[forge.Method]string{"": "no-ff", forge.MethodMerge: "no-ff", forge.MethodSquash: "squash", forge.MethodRebase: "rebase-ff-only"}[spec.Method]
	if strategy == "" {
		return fleet.Errorf(fleet.CodeInvalid, "there is no merge method %s", spec.Method)
	}
	name := "#" + strconv.Itoa(number)
	for tries := 0; ; tries++ {
		p, err := f.get(ctx, repo, number)
		if err != nil {
			return err
		}
		switch {
		case p.State == "MERGED":
			return nil
		case p.State != "OPEN":
			return fleet.Errorf(fleet.CodeConflict, "%s is closed", name)
		case spec.ExpectHead != "" && p.From.Commit != spec.ExpectHead:
			return moved(name)
		case p.Draft:
			return fleet.Errorf(fleet.CodeForge, "%s is a draft", name)
		}
		if spec.ExpectHead != "" {
			if tip, err := f.tip(ctx, repo, p.From.Branch); err != nil {
				return err
			} else if tip != spec.ExpectHead {
				return moved(name)
			}
		}
		at, err := f.pullAt(repo, number, "/merge?version="+strconv.Itoa(p.Version))
		if err != nil {
			return err
		}
		var merged dcPull
		_, err = f.http.JSON(ctx, http.MethodPost, at, map[string]any{"strategyId": strategy, "version": p.Version}, &merged)
		if err == nil {
			return asExpected(name, merged.From.Commit, spec)
		}
		if transport.StatusOf(err) < 400 || transport.StatusOf(err) >= 500 {
			return err
		}
		say := func(code fleet.Code, what string) error {
			return &fleet.Error{Code: code, Message: name + " " + what, Err: err}
		}
		t := troubleOf(err)
		switch {
		case t.is("PullRequestOutOfDateException", "IllegalPullRequestStateException"):
			if tries < 3 {
				continue // as it stands now
			}
			return say(fleet.CodeConflict, "changes all the time")
		case t.Conflicted, t.is("PullRequestMergeConflictException"):
			return say(fleet.CodeMergeConflict, "conflicts with its base")
		case t.is("PullRequestMergeVetoedException"):
			return say(fleet.CodeProtected, "is held back by the rules of the repository")
		case transport.Says(err, "archived"):
			return archived(repo, err)
		case transport.Says(err, "strategy"):
			return &fleet.Error{Code: fleet.CodeUnsupported, Message: "the repository does not allow the merge method " + string(spec.Method), Err: forge.ErrUnsupported}
		}
		return f.missing(ctx, repo, err, forge.NotFound(repo, name))
	}
}

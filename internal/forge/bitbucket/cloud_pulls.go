package bitbucket

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// quote writes a text for Bitbucket's query language.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// query is a list of pull requests in all the given states, as the host names them.
func query(q string, sort string, states ...string) string {
	v := url.Values{"pagelen": {"50"}, "state": states, "sort": {sort}}
	if len(states) == 0 {
		v["state"] = []string{"OPEN", "MERGED", "DECLINED", "SUPERSEDED"}
	}
	if q != "" {
		v.Set("q", q)
	}
	fields := []string{"next"}
	for _, name := range pullFields {
		fields = append(fields, "values."+name)
	}
	v.Set("fields", strings.Join(fields, ","))
	return "?" + v.Encode()
}

// Find implements forge.Forge.
func (f *Cloud) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	p, err := f.find(ctx, repo, branch)
	if err != nil {
		return forge.Pull{}, err
	}
	slug, err := f.slug(repo)
	if err != nil {
		return forge.Pull{}, err
	}
	if p == nil {
		f.absent.put(slug+"\n"+branch, f.now())
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return f.pull(ctx, repo, p)
}

// find returns the open pull request with that head, or else the newest; nil when there is none.
func (f *Cloud) find(ctx context.Context, repo fleet.Repository, branch string) (*cloudPull, error) {
	at, err := f.at(repo, "/pullrequests"+query("source.branch.name="+quote(branch), "-created_on"))
	if err != nil {
		return nil, err
	}
	var newest *cloudPull
	for p, err := range pages[cloudPull](ctx, f, at) {
		if err != nil {
			return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "with head "+branch))
		}
		if p.Source.Branch.Name != branch || p.Source.Repository.UUID != p.Destination.Repository.UUID {
			continue
		}
		if p.State == "OPEN" {
			f.learn(repo, &p)
			return &p, nil
		}
		if newest == nil {
			newest = &p
		}
	}
	return newest, nil
}

// Open implements forge.Forge. A reviewer whom Bitbucket does not take is left out, as the returned pull request shows,
// and so are labels, which it does not have.
func (f *Cloud) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	spec, err := spec.Whole(longestTitle, longestBody)
	if err != nil {
		return forge.Pull{}, err
	}
	slug, err := f.slug(spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	// One with the same branches would be overwritten, with the reviewers that people asked. It is looked for, unless the
	// caller did so a moment ago.
	key := slug + "\n" + spec.HeadBranch
	if seen, ok := f.absent.get(key); !ok || f.now().Sub(seen) > time.Minute {
		p, err := f.find(ctx, spec.Repo, spec.HeadBranch)
		if err != nil {
			return forge.Pull{}, err
		}
		if p != nil && p.State == "OPEN" {
			return f.update(ctx, spec, p)
		}
	}
	f.absent.drop(key)
	reviewers, err := f.users(ctx, slug, spec.Reviewers)
	if err != nil {
		return forge.Pull{}, err
	}
	at, err := f.at(spec.Repo, "/pullrequests?fields="+url.QueryEscape(strings.Join(pullFields, ",")))
	if err != nil {
		return forge.Pull{}, err
	}
	branch := func(name string) map[string]any { return map[string]any{"branch": map[string]any{"name": name}} }
	in := map[string]any{"title": spec.Title, "description": spec.Body, "source": branch(spec.HeadBranch), "destination": branch(spec.BaseBranch), "close_source_branch": false, "draft": spec.Draft}
	var p cloudPull
	err = f.send(ctx, http.MethodPost, at, in, nil, reviewers, &p)
	switch status := transport.StatusOf(err); {
	case err == nil:
		f.learn(spec.Repo, &p)
		return f.pull(ctx, spec.Repo, &p)
	case transport.Says(err, "no changes to be pulled"):
		return forge.Pull{}, &fleet.Error{Code: fleet.CodeForge, Message: "branch " + spec.HeadBranch + " has no commit that " + spec.BaseBranch + " lacks", Err: err}
	case status == http.StatusBadRequest && transport.Says(err, "branch not found"):
		return forge.Pull{}, &fleet.Error{Code: fleet.CodeNotFound, Message: "repository " + spec.Repo.Name + " lacks branch " + spec.HeadBranch + " or " + spec.BaseBranch, Err: err}
	}
	return forge.Pull{}, f.missing(ctx, spec.Repo, err, fleet.Errorf(fleet.CodeForgeAuth, "the credential may not open pull requests in %s", spec.Repo.Name))
}

// send makes or changes a pull request, and again without those of more whom the host objects to.
func (f *Cloud) send(ctx context.Context, method, at string, in map[string]any, have, more []cloudUser, out *cloudPull) error {
	for {
		list := []map[string]any{}
		for _, r := range slices.Concat(have, more) {
			u := map[string]any{"uuid": r.UUID}
			if r.UUID == "" {
				u = map[string]any{"account_id": r.AccountID}
			}
			list = append(list, u)
		}
		in["reviewers"] = list
		_, err := f.http.JSON(ctx, method, at, in, out)
		if transport.StatusOf(err) != http.StatusBadRequest || len(more) == 0 || !transport.Says(err, "reviewer", "cannot be added to this pull request") {
			return err
		}
		kept := slices.DeleteFunc(slices.Clone(more), func(u cloudUser) bool {
			return u.DisplayName != "" && transport.Says(err, u.DisplayName) || u.UUID != "" && transport.Says(err, u.UUID)
		})
		if len(kept) == len(more) { // it does not say who: first of all those that nobody looked up
			kept = slices.DeleteFunc(kept, func(u cloudUser) bool { return u.DisplayName == "" })
		}
		if len(kept) == len(more) {
			kept = nil
		}
		more = kept
	}
}

// update brings an open pull request up to the spec, and calls only where something differs. Bitbucket takes the reviewers as
// a whole, so those that people asked are sent along.
func (f *Cloud) update(ctx context.Context, spec forge.PullSpec, p *cloudPull) (forge.Pull, error) {
	slug, err := f.slug(spec.Repo)
	if err != nil {
		return forge.Pull{}, err
	}
	more, err := f.users(ctx, slug, spec.Reviewers)
	if err != nil {
		return forge.Pull{}, err
	}
	more = slices.DeleteFunc(more, func(u cloudUser) bool {
		return slices.ContainsFunc(append(slices.Clone(p.Reviewers), p.Author), func(v cloudUser) bool {
			return u.UUID != "" && u.UUID == v.UUID || u.AccountID != "" && u.AccountID == v.AccountID
		})
	})
	now := toPull(spec.Repo.Name, p)
	if now.Title == spec.Title && now.Body == spec.Body && now.BaseBranch == spec.BaseBranch && len(more) == 0 {
		return f.pull(ctx, spec.Repo, p)
	}
	at, err := f.pullAt(spec.Repo, p.ID, "?fields="+url.QueryEscape(strings.Join(pullFields, ",")))
	if err != nil {
		return forge.Pull{}, err
	}
	in := map[string]any{"title": spec.Title, "description": spec.Body, "draft": p.Draft}
	if now.BaseBranch != spec.BaseBranch {
		in["destination"] = map[string]any{"branch": map[string]any{"name": spec.BaseBranch}}
	}
	var changed cloudPull
	if err := f.send(ctx, http.MethodPut, at, in, p.Reviewers, more, &changed); err != nil {
		return forge.Pull{}, f.missing(ctx, spec.Repo, err, forge.NotFound(spec.Repo, "#"+strconv.Itoa(p.ID)))
	}
	return f.pull(ctx, spec.Repo, &changed)
}

// Get implements forge.Forge. What an open one conflicts with is asked for once for each pair of commits.
func (f *Cloud) Get(ctx context.Context, repo fleet.Repository, number int) (forge.Pull, error) {
	p, err := f.get(ctx, repo, number)
	if err != nil {
		return forge.Pull{}, err
	}
	out, err := f.pull(ctx, repo, p)
	if err == nil && out.State == forge.StateOpen {
		out.Conflicts, err = f.conflicts(ctx, repo, p, false)
	}
	return out, err
}

func (f *Cloud) get(ctx context.Context, repo fleet.Repository, number int) (*cloudPull, error) {
	at, err := f.pullAt(repo, number, "?fields="+url.QueryEscape(strings.Join(pullFields, ",")))
	if err != nil {
		return nil, err
	}
	var p cloudPull
	if _, err := f.http.JSON(ctx, http.MethodGet, at, nil, &p); err != nil {
		return nil, f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
	}
	f.learn(repo, &p)
	return &p, nil
}

// pair names the commits that would be merged.
func (p *cloudPull) pair() string {
	return strings.Join([]string{p.Destination.Repository.UUID, p.Source.Commit.Hash, p.Destination.Commit.Hash}, " ")
}

// tried says whether the host was ever asked whether it can merge it.
func (f *Cloud) tried(p *cloudPull) bool {
	_, ok := f.merges.get(p.pair())
	return ok
}

// clashed says whether the host was last seen not to be able to merge it.
func (f *Cloud) clashed(p *cloudPull) bool {
	known, _ := f.merges.get(p.pair())
	return known.conflicts
}

// conflicts looks for files that the host could not merge. What it found within the hour is taken for it, unless a fresh look
// is asked for.
func (f *Cloud) conflicts(ctx context.Context, repo fleet.Repository, p *cloudPull, fresh bool) (bool, error) {
	key := p.pair()
	if known, ok := f.merges.get(key); ok && !fresh && f.now().Sub(known.at) < time.Hour {
		return known.conflicts, nil
	}
	at, err := f.pullAt(repo, p.ID, "/diffstat")
	if err != nil {
		return false, err
	}
	found := false
	type stat struct{ Status string }
	for s, err := range pages[stat](ctx, f, at) {
		if status := transport.StatusOf(err); status >= 400 && status < 500 {
			return false, nil // not said: a branch is gone, or a diff too large
		}
		if err != nil {
			return false, err
		}
		if found = strings.Contains(s.Status, "conflict"); found {
			break
		}
	}
	f.merges.put(key, tried{found, f.now()})
	return found, nil
}

// Close implements forge.Forge. The comment comes first, so that a pull request is never closed without its reason.
func (f *Cloud) Close(ctx context.Context, repo fleet.Repository, number int, comment string) error {
	p, err := f.get(ctx, repo, number)
	if err != nil || p.State != "OPEN" {
		return err
	}
	if err := forge.SayWhy(ctx, f, repo, number, comment, longestBody); err != nil {
		return err
	}
	at, err := f.pullAt(repo, number, "/decline")
	if err != nil {
		return err
	}
	_, err = f.http.JSON(ctx, http.MethodPost, at, nil, nil)
	return f.missing(ctx, repo, err, forge.NotFound(repo, "#"+strconv.Itoa(number)))
}

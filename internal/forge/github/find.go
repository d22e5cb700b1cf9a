package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

const findQuery = `query Find($owner:String!,$name:String!,$branch:String!){repository(owner:$owner,name:$name){id labels(first:100){nodes{name}} ` +
	`pullRequests(headRefName:$branch,first:20,orderBy:{field:CREATED_AT,direction:DESC}){nodes{` + pullFields + ` isCrossRepository}}}}`

// vacancy is what is known of a repository where a pull request may be made.
type vacancy struct {
	at     time.Time
	id     string   // of the repository
	labels []string // the first hundred of the repository's
}

// Find implements forge.Forge.
func (f *Forge) Find(ctx context.Context, repo fleet.Repository, branch string) (forge.Pull, error) {
	p, none, err := f.find(ctx, repo, branch)
	if err != nil {
		return forge.Pull{}, err
	}
	if p == nil {
		f.mu.Lock()
		f.absent[repo.URL+"\n"+branch] = none
		f.mu.Unlock()
		return forge.Pull{}, forge.NotFound(repo, "with head "+branch)
	}
	return *p, nil
}

// find returns the open pull request with that head, or else the newest; when there is none, where to make one.
func (f *Forge) find(ctx context.Context, repo fleet.Repository, branch string) (*forge.Pull, *vacancy, error) {
	owner, name, err := f.slug(repo)
	if err != nil {
		return nil, nil, err
	}
	var data struct {
		Repository *struct {
			ID           string
			Labels       struct{ Nodes []struct{ Name string } }
			PullRequests struct{ Nodes []pullNode }
		}
	}
	problems, err := f.query(ctx, findQuery, map[string]any{"owner": owner, "name": name, "branch": branch}, &data)
	if err != nil {
		return nil, nil, err
	}
	if data.Repository == nil {
		if slices.ContainsFunc(problems, func(p problem) bool { return p.Type == "NOT_FOUND" }) {
			return nil, nil, gone(owner, name)
		}
		return nil, nil, fleet.Errorf(fleet.CodeForgeAuth, "GitHub does not show repository %s/%s: %.200q", owner, name, fmt.Sprint(problems))
	}
	nodes := slices.DeleteFunc(data.Repository.PullRequests.Nodes, func(n pullNode) bool { return n.IsCrossRepository || n.HeadRefName != branch })
	if len(nodes) == 0 {
		none := &vacancy{at: time.Now(), id: data.Repository.ID}
		for _, l := range data.Repository.Labels.Nodes {
			none.labels = append(none.labels, l.Name)
		}
		return nil, none, nil
	}
	i := max(0, slices.IndexFunc(nodes, func(n pullNode) bool { return n.State == "OPEN" }))
	p := nodes[i].pull(repo.Name, problems)
	return &p, nil, nil
}

// vacant returns what Find saw a moment ago, when that was no pull request, and forgets it.
func (f *Forge) vacant(repo fleet.Repository, branch string) *vacancy {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := repo.URL + "\n" + branch
	v := f.absent[key]
	delete(f.absent, key)
	for k, v := range f.absent {
		if time.Since(v.at) > time.Hour {
			delete(f.absent, k)
		}
	}
	if v == nil || time.Since(v.at) >= 5*time.Minute {
		return nil
	}
	return v
}

func gone(owner, name string) error {
	return &fleet.Error{Code: fleet.CodeRepoGone, Message: "GitHub has no repository " + owner + "/" + name + " for this credential", Hint: "it was deleted, or made private to it"}
}

// teamOf is the slug of a team among reviewers, which has a slash before it.
func teamOf(reviewer string) (slug string, team bool) {
	_, slug, team = strings.Cut(reviewer, "/")
	return slug, team
}

package github

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

const pullFields = `number url title body isDraft state headRefName headRefOid baseRefName createdAt updatedAt author{login} mergeCommit{oid} ` +
	`labels(first:50){nodes{name}} reviewRequests(first:50){nodes{requestedReviewer{...on User{login} ...on Team{slug}}}} ` +
	`mergeable isInMergeQueue autoMergeRequest{enabledAt} commits(last:1){nodes{commit{statusCheckRollup{state}}}}`

type pullNode struct {
	Number                               int
	URL, Title, Body, State              string
	IsDraft                              bool
	HeadRefName, HeadRefOid, BaseRefName string
	CreatedAt, UpdatedAt                 time.Time
	Author                               *struct{ Login string }
	MergeCommit                          *struct{ Oid string }
	Labels                               struct{ Nodes []struct{ Name string } }
	ReviewRequests                       struct {
		Nodes []struct{ RequestedReviewer *struct{ Login, Slug string } }
	}
	Repository        struct{ NameWithOwner string }
	IsCrossRepository bool
	Mergeable         string
	IsInMergeQueue    bool
	AutoMergeRequest  *struct{ EnabledAt string }
	Commits           struct {
		Nodes []struct {
			Commit struct{ StatusCheckRollup *struct{ State string } }
		}
	}
}

// ci is what the checks of the head come to. GitHub leaves them out, with a problem beside them, where the credential may
// not read them.
func (n *pullNode) ci(problems []problem) forge.CheckState {
	if len(n.Commits.Nodes) == 0 || slices.ContainsFunc(problems, func(p problem) bool { return slices.Contains(p.Path, any("statusCheckRollup")) }) {
		return ""
	}
	rollup := n.Commits.Nodes[0].Commit.StatusCheckRollup
	if rollup == nil {
		return forge.CheckNone
	}
	return map[string]forge.CheckState{"SUCCESS": forge.CheckPassed, "PENDING": forge.CheckPending, "EXPECTED": forge.CheckPending, "FAILURE": forge.CheckFailed, "ERROR": forge.CheckFailed}[rollup.State]
}

func (n *pullNode) pull(repository string, problems []problem) forge.Pull {
	p := forge.Pull{Repository: repository, Number: n.Number, URL: n.URL, Title: n.Title, Body: n.Body, State: forge.State(strings.ToLower(n.State)), Draft: n.IsDraft,
		HeadBranch: n.HeadRefName, HeadSHA: n.HeadRefOid, BaseBranch: n.BaseRefName, CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt}
	if n.Author != nil {
		p.Author = n.Author.Login
	}
	if n.MergeCommit != nil && p.State == forge.StateMerged {
		p.MergeSHA = n.MergeCommit.Oid
	}
	if p.State == forge.StateOpen {
		p.Conflicts, p.Queued, p.CI = n.Mergeable == "CONFLICTING", n.IsInMergeQueue || n.AutoMergeRequest != nil, n.ci(problems)
	}
	for _, l := range n.Labels.Nodes {
		p.Labels = append(p.Labels, l.Name)
	}
	for _, r := range n.ReviewRequests.Nodes {
		if r.RequestedReviewer == nil {
			continue
		}
		if r.RequestedReviewer.Login != "" {
			p.Reviewers = append(p.Reviewers, r.RequestedReviewer.Login)
		} else if r.RequestedReviewer.Slug != "" {
			p.Reviewers = append(p.Reviewers, "team/"+r.RequestedReviewer.Slug)
		}
	}
	return p
}

// problem is one error of a GraphQL reply, which may come beside data.
type problem struct {
	Type, Message string
	Path          []any
}

type page struct {
	HasNextPage bool
	EndCursor   string
}

// query asks GraphQL. Problems that are about a part of the answer are returned beside it.
func (f *Forge) query(ctx context.Context, query string, variables map[string]any, data any) ([]problem, error) {
	reply := struct {
		Data   any
		Errors []problem
	}{Data: data}
	if _, err := f.http.JSON(ctx, http.MethodPost, f.graphql, map[string]any{"query": query, "variables": variables}, &reply); err != nil {
		return nil, err
	}
	for _, p := range reply.Errors {
		if p.Type == "RATE_LIMITED" || strings.Contains(strings.ToLower(p.Message), "secondary rate limit") {
			// The budget that the reply's header tells is known already; a secondary limit holds everything back.
			if strings.Contains(strings.ToLower(p.Message), "secondary") {
				f.http.Pause(ctx, time.Minute)
			}
			return nil, transport.Limited(time.Minute, "GitHub limits the rate of GraphQL")
		}
		if len(p.Path) == 0 {
			return nil, fleet.Errorf(fleet.CodeForge, "GitHub's GraphQL refused: %.200q", p.Message)
		}
	}
	return reply.Errors, nil
}

const discoverQuery = `query Repositories($owner:String!,$after:String,$fork:Boolean){repositoryOwner(login:$owner){repositories(first:100,after:$after,isFork:$fork,ownerAffiliations:[OWNER],orderBy:{field:NAME,direction:ASC}){` +
	`nodes{nameWithOwner url isArchived isFork visibility diskUsage repositoryTopics(first:50){nodes{topic{name}}} defaultBranchRef{name target{oid ...on Commit{tree{oid}}}}} pageInfo{hasNextPage endCursor}}}}`

// TellsHeads implements forge.HeadTeller.
func (f *Forge) TellsHeads() bool { return true }

// Discover implements forge.Discoverer: a call for each hundred repositories.
func (f *Forge) Discover(ctx context.Context, scope forge.Scope) iter.Seq2[fleet.Repository, error] {
	return func(yield func(fleet.Repository, error) bool) {
		variables := map[string]any{"owner": scope.Owner}
		if !scope.Forks {
			variables["fork"] = false
		}
		for {
			var data struct {
				RepositoryOwner *struct {
					Repositories struct {
						Nodes    []repoNode
						PageInfo page
					}
				}
			}
			problems, err := f.query(ctx, discoverQuery, variables, &data)
			if err == nil && data.RepositoryOwner == nil {
				err = &fleet.Error{Code: fleet.CodeNotFound, Message: "GitHub knows no organisation or user " + scope.Owner, Hint: "the credential may also lack the right to see it"}
			} else if err == nil && len(problems) > 0 {
				err = &fleet.Error{Code: fleet.CodeForge, Message: fmt.Sprintf("GitHub listed a part of %s only: %.200q", scope.Owner, problems[0].Message), Err: forge.ErrPassing}
			}
			if err != nil {
				yield(fleet.Repository{}, err)
				return
			}
			for _, n := range data.RepositoryOwner.Repositories.Nodes {
				if scope.Takes(n.traits()) && !yield(n.repository(f.site.Host), nil) {
					return
				}
			}
			next := data.RepositoryOwner.Repositories.PageInfo
			if !next.HasNextPage || next.EndCursor == "" {
				return
			}
			variables["after"] = next.EndCursor
		}
	}
}

type repoNode struct {
	NameWithOwner, URL, Visibility string
	IsArchived, IsFork             bool
	DiskUsage                      int64
	RepositoryTopics               struct {
		Nodes []struct{ Topic struct{ Name string } }
	}
	DefaultBranchRef *struct {
		Name   string
		Target struct {
			Oid  string
			Tree struct{ Oid string }
		}
	}
}

func (n repoNode) traits() forge.Traits {
	t := forge.Traits{Archived: n.IsArchived, Fork: n.IsFork, Visibility: strings.ToLower(n.Visibility), Size: n.DiskUsage << 10}
	for _, topic := range n.RepositoryTopics.Nodes {
		t.Topics = append(t.Topics, topic.Topic.Name)
	}
	return t
}

func (n repoNode) repository(forgeName string) fleet.Repository {
	r := fleet.Repository{Name: n.NameWithOwner, URL: n.URL + ".git", Forge: forgeName, Archived: n.IsArchived}
	if b := n.DefaultBranchRef; b != nil {
		r.DefaultBranch, r.Head, r.Tree = b.Name, b.Target.Oid, b.Target.Tree.Oid
	}
	return r
}

// together is how many pull requests are asked for at once: GitHub refuses queries that take it more than ten seconds.
const together = 50

// Follow implements forge.Follower. GitHub answers for fifty in one call, so it yields all as they stand.
func (f *Forge) Follow(ctx context.Context, among []forge.PullRef, _ time.Time) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		for chunk := range slices.Chunk(among, together) {
			var head, body strings.Builder
			variables := map[string]any{}
			for i, ref := range chunk {
				owner, name, err := f.slug(ref.Repo)
				if err != nil {
					if !yield(ref.Unread(), err) {
						return
					}
					continue
				}
				fmt.Fprintf(&head, "$o%d:String!,$r%d:String!,$n%d:Int!,", i, i, i)
				fmt.Fprintf(&body, "p%d:repository(owner:$o%d,name:$r%d){pullRequest(number:$n%d){%s}}", i, i, i, i, pullFields)
				variables[fmt.Sprintf("o%d", i)], variables[fmt.Sprintf("r%d", i)], variables[fmt.Sprintf("n%d", i)] = owner, name, ref.Number
			}
			if body.Len() == 0 {
				continue
			}
			var data map[string]*struct{ PullRequest *pullNode }
			problems, err := f.query(ctx, "query Follow("+head.String()+"){"+body.String()+"}", variables, &data)
			if err != nil {
				yield(forge.Pull{}, err)
				return
			}
			for i, ref := range chunk {
				alias := fmt.Sprintf("p%d", i)
				if _, asked := variables["o"+alias[1:]]; !asked {
					continue
				}
				pull, err := ref.Unread(), error(nil)
				switch at := data[alias]; {
				case at != nil && at.PullRequest != nil:
					pull = at.PullRequest.pull(ref.Repo.Name, problems)
				case !slices.ContainsFunc(problems, func(p problem) bool { return p.Path[0] == any(alias) && p.Type == "NOT_FOUND" }):
					err = &fleet.Error{Code: fleet.CodeForge, Message: "GitHub left a pull request out of its answer", Err: forge.ErrPassing}
				case at == nil:
					err = fleet.Errorf(fleet.CodeRepoGone, "GitHub has no repository %s for this credential", ref.Repo.Name)
				default:
					err = forge.NotFound(ref.Repo, fmt.Sprint("#", ref.Number))
				}
				if !yield(pull, err) {
					return
				}
			}
		}
	}
}

const ownQuery = `query Own($after:String,$states:[PullRequestState!]){viewer{pullRequests(first:100,after:$after,states:$states,orderBy:{field:CREATED_AT,direction:DESC}){` +
	`nodes{` + pullFields + ` repository{nameWithOwner}} pageInfo{hasNextPage endCursor}}}}`

func (f *Forge) listOwn(ctx context.Context, states []forge.State) iter.Seq2[forge.Pull, error] {
	return func(yield func(forge.Pull, error) bool) {
		variables := map[string]any{}
		if len(states) > 0 {
			var wanted []string
			for _, s := range states {
				wanted = append(wanted, strings.ToUpper(string(s)))
			}
			variables["states"] = wanted
		}
		for {
			var data struct {
				Viewer struct {
					PullRequests struct {
						Nodes    []pullNode
						PageInfo page
					}
				}
			}
			problems, err := f.query(ctx, ownQuery, variables, &data)
			if err != nil {
				yield(forge.Pull{}, err)
				return
			}
			for _, n := range data.Viewer.PullRequests.Nodes {
				if !yield(n.pull(n.Repository.NameWithOwner, problems), nil) {
					return
				}
			}
			next := data.Viewer.PullRequests.PageInfo
			if !next.HasNextPage || next.EndCursor == "" {
				return
			}
			variables["after"] = next.EndCursor
		}
	}
}

package gitlab

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// query asks GraphQL. An answer that is not whole is an error.
func (f *Forge) query(ctx context.Context, query string, variables map[string]any, data any) error {
	reply := struct {
		Data   any
		Errors []struct{ Message string }
	}{Data: data}
	if _, err := f.http.JSON(ctx, http.MethodPost, f.site.String()+"/api/graphql", map[string]any{"query": query, "variables": variables}, &reply); err != nil {
		return err
	}
	if len(reply.Errors) > 0 {
		return fleet.Errorf(fleet.CodeForge, "GitLab's GraphQL refused: %.200q", reply.Errors[0].Message)
	}
	return nil
}

// openQuery costs about 120 of the 250 points of complexity that GitLab grants a query: each field one, those that ask the
// git servers two, connections five, and everything twice for a page of a hundred.
const openQuery = `query Open($after:String){currentUser{authoredMergeRequests(state:opened,first:100,after:$after){nodes{` +
	`iid title description draft webUrl sourceBranch targetBranch diffHeadSha createdAt updatedAt projectId reference(full:true) author{username} ` +
	`labels{nodes{title}} reviewers{nodes{username}} conflicts detailedMergeStatus autoMergeEnabled headPipeline{status}} pageInfo{hasNextPage endCursor}}}}`

type node struct {
	IID, Title, Description, WebURL         string
	Draft                                   bool
	SourceBranch, TargetBranch, DiffHeadSha string
	CreatedAt, UpdatedAt                    time.Time
	ProjectID                               int64
	Reference                               string
	Author                                  *struct{ Username string }
	Labels                                  struct{ Nodes []struct{ Title string } }
	Reviewers                               struct{ Nodes []struct{ Username string } }
	Conflicts                               bool
	DetailedMergeStatus                     string
	AutoMergeEnabled                        bool
	HeadPipeline                            *struct{ Status string }
}

func (n *node) pull(repository string) forge.Pull {
	number, _ := strconv.Atoi(n.IID)
	p := forge.Pull{Repository: repository, Number: number, URL: n.WebURL, Title: n.Title, Body: n.Description, State: forge.StateOpen, Draft: n.Draft,
		HeadBranch: n.SourceBranch, HeadSHA: n.DiffHeadSha, BaseBranch: n.TargetBranch, CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt,
		Conflicts: conflicts(n.Conflicts, n.DetailedMergeStatus), Queued: n.AutoMergeEnabled, CI: forge.CheckNone}
	if n.Draft {
		p.Title = cutDraft(n.Title)
	}
	if n.Author != nil {
		p.Author = n.Author.Username
	}
	for _, l := range n.Labels.Nodes {
		p.Labels = append(p.Labels, l.Title)
	}
	for _, r := range n.Reviewers.Nodes {
		p.Reviewers = append(p.Reviewers, r.Username)
	}
	if n.HeadPipeline != nil {
		p.CI = pipelineState(n.HeadPipeline.Status)
	}
	return p
}

// conflicts says whether GitLab knows that it cannot merge. A project that only fast-forwards wants a rebase first.
func conflicts(has bool, status string) bool {
	status = strings.ToLower(status)
	return has || status == "conflict" || status == "need_rebase"
}

// pipelineState is "" for a pipeline that a person stopped or has to start: only its jobs say what it has come to.
func pipelineState(status string) forge.CheckState {
	switch strings.ToLower(status) {
	case "success", "skipped":
		return forge.CheckPassed
	case "failed":
		return forge.CheckFailed
	case "canceled", "canceling", "manual", "":
		return ""
	}
	return forge.CheckPending
}

// open yields the open merge requests that the account made, of the whole server, a hundred in a call.
func (f *Forge) open(ctx context.Context) iter.Seq2[*node, error] {
	return func(yield func(*node, error) bool) {
		variables := map[string]any{}
		for {
			var data struct {
				CurrentUser *struct {
					AuthoredMergeRequests struct {
						Nodes    []node
						PageInfo struct {
							HasNextPage bool
							EndCursor   string
						}
					}
				}
			}
			err := f.query(ctx, openQuery, variables, &data)
			if err == nil && data.CurrentUser == nil {
				err = fleet.Errorf(fleet.CodeForgeAuth, "GitLab does not know who the token belongs to")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			list := data.CurrentUser.AuthoredMergeRequests
			for i := range list.Nodes {
				if !yield(&list.Nodes[i], nil) {
					return
				}
			}
			if !list.PageInfo.HasNextPage || list.PageInfo.EndCursor == "" {
				return
			}
			variables["after"] = list.PageInfo.EndCursor
		}
	}
}

const usersQuery = `query Users($names:[String!]){users(usernames:$names,first:100){nodes{id username}}}`

// lookUp finds the numbers of users, by their names in small letters; nobody is left out.
func (f *Forge) lookUp(ctx context.Context, names []string) (map[string]int64, error) {
	var data struct {
		Users struct {
			Nodes []struct{ ID, Username string }
		}
	}
	if err := f.query(ctx, usersQuery, map[string]any{"names": names}, &data); err != nil {
		return nil, err
	}
	found := map[string]int64{}
	for _, u := range data.Users.Nodes {
		found[strings.ToLower(u.Username)] = numberOf(u.ID)
	}
	return found, nil
}

// numberOf is the number at the end of an id such as "gid://gitlab/User/5"; 0 where there is none.
func numberOf(gid string) int64 {
	n, err := strconv.ParseInt(gid[strings.LastIndex(gid, "/")+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// headsAtOnce is how many projects one call asks the heads of: each costs GitLab three looks at a git server.
const headsAtOnce = 50

const headsQuery = `query Heads($ids:[ID!]){projects(ids:$ids,first:50){nodes{id repository{rootRef tree{lastCommit{sha}}}}}}`

// heads asks where the default branches of projects stand. One that has no commit, or does not show its code, is left out.
func (f *Forge) heads(ctx context.Context, projects []int64) (map[int64][2]string, error) {
	ids := make([]string, len(projects))
	for i, p := range projects {
		ids[i] = "gid://gitlab/Project/" + strconv.FormatInt(p, 10)
	}
	var data struct {
		Projects struct {
			Nodes []struct {
				ID         string
				Repository *struct {
					RootRef string
					Tree    *struct{ LastCommit *struct{ Sha string } }
				}
			}
		}
	}
	if err := f.query(ctx, headsQuery, map[string]any{"ids": ids}, &data); err != nil {
		return nil, err
	}
	told := map[int64][2]string{}
	for _, n := range data.Projects.Nodes {
		if r := n.Repository; r != nil && r.Tree != nil && r.Tree.LastCommit != nil {
			told[numberOf(n.ID)] = [2]string{r.RootRef, r.Tree.LastCommit.Sha}
		}
	}
	return told, nil
}

package github

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// made is a pull request that GraphQL made, with the numbers of what it is to be dressed with.
type made struct {
	forge.Pull
	id                   string
	labels, users, teams map[string]string // by name
}

// make makes a pull request in one call, together with the labels that its repository lacks, and learns the numbers of all
// labels and reviewers. It returns nil where GraphQL refuses, whatever the reason.
func (f *Forge) make(ctx context.Context, spec forge.PullSpec, where *vacancy) (*made, error) {
	var head, labels, nested, teams strings.Builder
	variables := map[string]any{"repo": where.id, "base": spec.BaseBranch, "branch": spec.HeadBranch, "title": spec.Title, "body": spec.Body, "draft": spec.Draft}
	take := func(kind string, i int, value string) string {
		name := fmt.Sprintf("%s%d", kind, i)
		fmt.Fprintf(&head, ",$%s:String!", name)
		variables[name] = value
		return name
	}
	wanted := forge.Lacking(nil, spec.Labels)
	lacks := forge.Lacking(where.labels, wanted)
	for i, l := range wanted {
		v := take("l", i, l)
		if slices.Contains(lacks, l) { // refused, and no harm done, where it is one past the first hundred
			fmt.Fprintf(&labels, "n%d:createLabel(input:{repositoryId:$repo,name:$%s,color:\"70c24a\"}){label{id}} ", i, v)
		}
		fmt.Fprintf(&nested, "%s:label(name:$%s){id} ", v, v)
	}
	reviewers := forge.Lacking(nil, spec.Reviewers)
	for i, r := range reviewers {
		if slug, team := teamOf(r); team {
			v := take("t", i, slug)
			fmt.Fprintf(&teams, "%s:team(slug:$%s){id} ", v, v)
		} else {
			v := take("u", i, r)
			fmt.Fprintf(&nested, "%s:assignableUsers(first:20,query:$%s){nodes{id login}} ", v, v)
		}
	}
	if teams.Len() > 0 {
		fmt.Fprintf(&nested, "owner{...on Organization{%s}}", teams.String())
	}
	query := "mutation Make($repo:ID!,$base:String!,$branch:String!,$title:String!,$body:String!,$draft:Boolean!" + head.String() + "){" + labels.String() +
		"createPullRequest(input:{repositoryId:$repo,baseRefName:$base,headRefName:$branch,title:$title,body:$body,draft:$draft}){pullRequest{id " + pullFields + " repository{nameWithOwner " + nested.String() + "}}}}"
	var data struct {
		CreatePullRequest *struct {
			PullRequest *struct {
				ID string
				pullNode
				Repository map[string]json.RawMessage
			}
		}
	}
	problems, err := f.query(transport.Writing(ctx), query, variables, &data)
	if forge.Passing(err) || ctx.Err() != nil {
		return nil, err
	}
	if err != nil || data.CreatePullRequest == nil || data.CreatePullRequest.PullRequest == nil {
		return nil, nil
	}
	n := data.CreatePullRequest.PullRequest
	out := &made{Pull: n.pull(spec.Repo.Name, problems), id: n.ID, labels: map[string]string{}, users: map[string]string{}, teams: map[string]string{}}
	for i, l := range wanted {
		var label *struct{ ID string }
		if read(n.Repository[fmt.Sprintf("l%d", i)], &label) && label != nil {
			out.labels[l] = label.ID
		}
	}
	var owner map[string]json.RawMessage
	read(n.Repository["owner"], &owner)
	for i, r := range reviewers {
		var team *struct{ ID string }
		var found struct{ Nodes []struct{ ID, Login string } }
		if read(owner[fmt.Sprintf("t%d", i)], &team) && team != nil {
			out.teams[r] = team.ID
		}
		if read(n.Repository[fmt.Sprintf("u%d", i)], &found) {
			for _, u := range found.Nodes {
				if strings.EqualFold(u.Login, r) {
					out.users[r] = u.ID
				}
			}
		}
	}
	return out, nil
}

func read(raw json.RawMessage, into any) bool {
	return len(raw) > 0 && json.Unmarshal(raw, into) == nil
}

// finish adds labels and reviewers to a pull request that was just made, in one call for all whose numbers are known.
func (f *Forge) finish(ctx context.Context, spec forge.PullSpec, owner, name string, m *made) (forge.Pull, error) {
	known := func(names []string, ids map[string]string) (some, numbers []string) {
		numbers = []string{}
		for _, n := range names {
			if ids[n] != "" {
				some, numbers = append(some, n), append(numbers, ids[n])
			}
		}
		return some, numbers
	}
	variables := map[string]any{"pull": m.id}
	head, body := "$pull:ID!", ""
	labels := forge.Lacking(m.Labels, spec.Labels)
	some, numbers := known(labels, m.labels)
	label := len(labels) > 0 && len(some) == len(labels) // or else REST adds them all the same
	if label {
		head, body, variables["labels"] = head+",$labels:[ID!]!", "addLabelsToLabelable(input:{labelableId:$pull,labelIds:$labels}){clientMutationId} ", numbers
	}
	reviewers := forge.Lacking([]string{m.Author}, spec.Reviewers)
	users, userIDs := known(reviewers, m.users)
	teams, teamIDs := known(reviewers, m.teams)
	ask := slices.Concat(users, teams)
	if len(ask) > 0 {
		head, variables["users"], variables["teams"] = head+",$users:[ID!],$teams:[ID!]", userIDs, teamIDs
		body += "requestReviews(input:{pullRequestId:$pull,userIds:$users,teamIds:$teams,union:true}){clientMutationId}"
	}
	if body == "" {
		return f.dress(ctx, spec, owner, name, m.Pull, false)
	}
	var data any
	problems, err := f.query(transport.Writing(ctx), "mutation Dress("+head+"){"+body+"}", variables, &data)
	if forge.Passing(err) || ctx.Err() != nil {
		return forge.Pull{}, err
	}
	worked := func(mutation string) bool {
		return err == nil && !slices.ContainsFunc(problems, func(p problem) bool { return p.Path[0] == any(mutation) })
	}
	if label && worked("addLabelsToLabelable") {
		m.Labels = append(m.Labels, labels...)
	}
	if len(ask) > 0 && worked("requestReviews") {
		for _, a := range ask {
			if slug, team := teamOf(a); team {
				a = "team/" + slug
			}
			m.Reviewers = append(m.Reviewers, a)
		}
		spec.Reviewers = slices.DeleteFunc(slices.Clone(spec.Reviewers), func(r string) bool { return slices.Contains(ask, r) })
	}
	return f.dress(ctx, spec, owner, name, m.Pull, false) // what is still missing
}

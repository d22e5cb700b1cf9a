package simulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The descriptor of the group that may push.
const contributors = "Microsoft.TeamFoundation.Identity;S-1-9-1551374245-contributors"

func descriptor(name string) string {
	return `Microsoft.IdentityModel.Claims.ClaimsIdentity;tenant\` + name
}

func value(text string) map[string]any {
	return map[string]any{"$type": "System.String", "$value": text}
}

func (a *azure) looks(s *server, on func(string, func(*call)), pull func(string, func(*call, *Pull))) {
	pull("GET /pullrequests/{n}/threads", a.threads)
	pull("POST /pullrequests/{n}/threads", func(c *call, p *Pull) {
		var in struct {
			Status   string
			Comments []struct{ Content string }
		}
		if !c.read(&in) {
			return
		}
		if len(in.Comments) != 1 || in.Comments[0].Content == "" {
			explain(c.w, http.StatusBadRequest, "GitArgumentException", "A thread needs a comment.")
			return
		}
		out := a.thread(c.host.comment(p, in.Comments[0].Content))
		out["status"] = in.Status
		c.json(http.StatusOK, out)
	})
	on("GET /commits/{commit}/statuses", func(c *call) {
		out := []any{}
		for i, x := range c.repo.Checks {
			state, ok := map[string]string{"success": "succeeded", "pending": "pending", "failure": "failed", "neutral": "notApplicable"}[x.State]
			if ok && x.Commit == c.r.PathValue("commit") {
				out = append(out, map[string]any{"id": i + 1, "state": state, "context": map[string]any{"name": "build/" + x.Name, "genre": "continuous-integration"}, "targetUrl": c.url + "/org/x/_build/results?buildId=" + strconv.Itoa(i+1), "creationDate": time.Now().Format(time.RFC3339Nano)})
			}
		}
		collection(c, out, func(x any) any { return x })
	})
	s.handle("GET /org/_apis/connectionData", func(c *call) {
		if !strings.Contains(c.r.URL.Query().Get("api-version"), "preview") {
			explain(c.w, http.StatusBadRequest, "VssInvalidPreviewVersionException", "The requested version \"7.1\" of the resource is under preview. The -preview flag must be supplied in the api-version for such requests.")
			return
		}
		c.json(http.StatusOK, map[string]any{"authenticatedUser": a.identity(Self, false), "deploymentType": "onPremises"})
	})
	s.handle("GET /org/_apis/identities", a.identities)
	s.handle("GET /org/_apis/accesscontrollists/{namespace}", func(c *call) {
		out, q := []any{}, c.r.URL.Query()
		if strings.Count(q.Get("token"), "/") == 1 { // rights are given for projects here
			aces := map[string]any{}
			for d := range strings.SplitSeq(q.Get("descriptors"), ",") {
				if d == contributors {
					aces[d] = map[string]any{"descriptor": d, "allow": 16502, "deny": 0, "extendedInfo": map[string]any{"effectiveAllow": 16502}}
				}
			}
			out = append(out, map[string]any{"token": q.Get("token"), "inheritPermissions": true, "acesDictionary": aces, "includeExtendedInfo": true})
		}
		collection(c, out, func(x any) any { return x })
	})
	s.handle("GET /org/{project}/_apis/policy/evaluations", a.evaluations)
	s.handle("GET /org/{project}/_apis/build/builds", a.builds)
	a.deployments(s)
	build := func(pattern string, do func(*call, *Repo, *Check)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.handle(method+" /org/{project}/_apis/build/builds/{build}"+path, func(c *call) {
			n, _ := strconv.Atoi(c.r.PathValue("build"))
			if list, ok := a.inProject(c); ok {
				for _, r := range list { // the builds of the first repository that has any
					if n >= 1 && n <= len(r.Checks) {
						do(c, r, &r.Checks[n-1])
						return
					}
				}
				explain(c.w, http.StatusNotFound, "BuildNotFoundException", "The requested build "+strconv.Itoa(n)+" could not be found.")
			}
		})
	}
	build("GET ", func(c *call, r *Repo, k *Check) { c.json(http.StatusOK, a.build(c, r, k)) })
	build("PATCH ", func(c *call, r *Repo, k *Check) {
		if c.r.URL.Query().Get("retry") != "true" || k.State == "success" {
			explain(c.w, http.StatusBadRequest, "BuildRequestValidationFailedException", "The build cannot be retried.")
			return
		}
		k.State = map[string]string{"rejected": "running"}[k.State]
		if k.State == "" {
			k.State = "pending"
		}
		k.Reruns++
		c.json(http.StatusOK, a.build(c, r, k))
	})
	build("GET /timeline", func(c *call, _ *Repo, k *Check) {
		c.json(http.StatusOK, map[string]any{"id": guid(0xe0, 1), "records": []any{
			map[string]any{"id": guid(0xe1, 1), "type": "Job", "name": "Job", "result": "failed", "state": "completed", "order": 1, "log": map[string]any{"id": 1}},
			map[string]any{"id": guid(0xe1, 2), "type": "Task", "name": "Checkout", "result": "succeeded", "state": "completed", "order": 1, "log": map[string]any{"id": 2}},
			map[string]any{"id": guid(0xe1, 3), "type": "Task", "name": k.Name, "result": "failed", "state": "completed", "order": 2, "log": map[string]any{"id": 3}, "issues": []any{map[string]any{"type": "error", "message": "exit code 1"}}},
		}})
	})
	build("GET /logs/{log}", func(c *call, _ *Repo, k *Check) {
		if c.r.Header.Get("Accept") != "text/plain" {
			c.json(http.StatusOK, map[string]any{"count": 1, "value": []string{k.Log}})
			return
		}
		c.w.Header().Set("Content-Type", "text/plain")
		if c.r.PathValue("log") == "3" {
			_, _ = c.w.Write([]byte(k.Log))
		}
	})
}

// builds are those that ended since a time.
func (a *azure) builds(c *call) {
	since, _ := time.Parse(time.RFC3339, c.r.URL.Query().Get("minTime"))
	list, ok := a.inProject(c)
	if !ok {
		return
	}
	out := []any{}
	for _, r := range list {
		if c.r.URL.Query().Get("repositoryId") == repoID(r) {
			for _, commit := range r.built() {
				out = append(out, map[string]any{"id": r.build(commit), "status": "completed", "sourceBranch": c.r.URL.Query().Get("branchName"), "sourceVersion": commit, "definition": map[string]any{"id": r.ID, "name": "deploy"}, "repository": map[string]any{"id": repoID(r), "type": "TfsGit"}})
			}
		}
		if c.r.URL.Query().Get("repositoryId") != "" {
			continue
		}
		for i, x := range r.Checks {
			for _, p := range r.pulls {
				if p.HeadSHA == x.Commit && !x.At.Before(since) && x.State != "pending" && x.State != "running" {
					out = append(out, map[string]any{"id": i + 1, "status": "completed", "sourceBranch": "refs/pull/" + strconv.Itoa(p.Number) + "/merge", "repository": map[string]any{"id": repoID(r), "type": "TfsGit"}})
				}
			}
		}
	}
	collection(c, out, func(x any) any { return x })
}

func (*azure) build(c *call, r *Repo, k *Check) map[string]any {
	n, _ := strconv.Atoi(c.r.PathValue("build"))
	out := map[string]any{"id": n, "status": "completed", "result": "failed", "repository": map[string]any{"id": repoID(r), "type": "TfsGit"}, "definition": map[string]any{"id": n, "name": k.Name}}
	switch k.State {
	case "success", "approved":
		out["result"] = "succeeded"
	case "pending", "running":
		out["status"] = "inProgress"
		delete(out, "result")
	}
	return out
}

// evaluations are of the checks whose state is a policy's, and of a policy about reviewers.
func (a *azure) evaluations(c *call) {
	if !strings.HasSuffix(c.r.URL.Query().Get("api-version"), "preview.1") {
		explain(c.w, http.StatusBadRequest, "VssInvalidPreviewVersionException", "The requested version \"7.1\" of the resource is under preview.")
		return
	}
	list, ok := a.inProject(c)
	if !ok {
		return
	}
	artifact := strings.Split(c.r.URL.Query().Get("artifactId"), "/")
	n, _ := strconv.Atoi(artifact[len(artifact)-1])
	out := []any{}
	policy := func(kind, status string, blocking bool, settings, context map[string]any) {
		out = append(out, map[string]any{"evaluationId": guid(0xf0, len(out)), "artifactId": c.r.URL.Query().Get("artifactId"), "status": status, "context": context,
			"configuration": map[string]any{"id": len(out) + 1, "isEnabled": true, "isBlocking": blocking, "type": map[string]any{"id": kind}, "settings": settings}})
	}
	for _, r := range list {
		if n < 1 || n > len(r.pulls) {
			continue
		}
		for i, x := range r.Checks {
			if x.Commit == r.pulls[n-1].HeadSHA && slices.Contains([]string{"queued", "running", "approved", "rejected", "broken"}, x.State) {
				policy("0609b952-1397-4640-95ec-e00a01b2c241", x.State, true, map[string]any{"displayName": "PR " + x.Name, "buildDefinitionId": i + 1}, map[string]any{"buildId": i + 1, "buildDefinitionName": x.Name})
			}
		}
		if len(r.Refuses) > 0 {
			allows := map[string]any{}
			for word, strategy := range map[string]string{"allowNoFastForward": "noFastForward", "allowSquash": "squash", "allowRebase": "rebase"} {
				allows[word] = !slices.Contains(r.Refuses, strategy)
			}
			policy("fa4e907d-c16b-4a4c-9dfa-4916e5d171ab", "approved", true, allows, nil)
		}
	}
	policy("fa4e907d-c16b-4a4b-9dfa-4906e5d171dd", "queued", true, map[string]any{"minimumApproverCount": 1}, nil)
	collection(c, out, func(x any) any { return x })
}

func (*azure) identity(name string, member bool) map[string]any {
	out := map[string]any{"id": personID(name), "descriptor": descriptor(name), "providerDisplayName": strings.ToUpper(name), "isActive": true, "memberOf": []string{}, "properties": map[string]any{"Account": value(name), "Mail": value(name + "@example.com"), "Domain": value("tenant")}}
	if member {
		out["memberOf"] = []string{"Microsoft.TeamFoundation.Identity;S-1-9-1551374245-everybody", contributors}
	}
	return out
}

func (a *azure) identities(c *call) {
	q, out := c.r.URL.Query(), []any{}
	names, members := append([]string{Self}, known...), []string{}
	for _, r := range c.host.repos {
		for _, p := range r.pulls {
			for _, x := range p.Comments {
				names = add(names, x.Author)
				if x.MayWrite {
					members = add(members, x.Author)
				}
			}
		}
	}
	for _, name := range names {
		if id := q.Get("identityIds"); id == personID(name) || id == "" && q.Get("searchFilter") == "General" && q.Get("filterValue") == name {
			out = append(out, a.identity(name, slices.Contains(members, name) && strings.HasPrefix(q.Get("queryMembership"), "expanded")))
		}
	}
	collection(c, out, func(x any) any { return x })
}

func (*azure) thread(x Comment) map[string]any {
	at := x.At.Format(time.RFC3339Nano)
	comment := map[string]any{"id": 1, "parentCommentId": 0, "author": human(x.Author), "content": x.Body, "publishedDate": at, "commentType": "text"}
	return map[string]any{"id": x.ID, "publishedDate": at, "lastUpdatedDate": at, "comments": []any{comment}, "threadContext": nil, "properties": map[string]any{}, "isDeleted": false}
}

func (a *azure) threads(c *call, p *Pull) {
	var out []any
	for _, x := range p.Comments {
		if x.Verdict == "" || x.Body != "" {
			out = append(out, a.thread(x))
		}
		if x.Verdict != "" { // the host notes votes in threads of their own
			vote := map[string]string{"approved": "10", "changes_requested": "-5"}[x.Verdict]
			t := a.thread(Comment{ID: 1000 + x.ID, Author: x.Author, Body: strings.ToUpper(x.Author) + " voted " + vote, At: x.At})
			t["comments"].([]any)[0].(map[string]any)["commentType"] = "system"
			t["properties"] = map[string]any{"CodeReviewThreadType": value("VoteUpdate"), "CodeReviewVoteResult": value(vote), "CodeReviewVotedByIdentity": value("1")}
			t["identities"] = map[string]any{"1": human(x.Author)}
			out = append(out, t)
		}
	}
	collection(c, out, func(x any) any { return x })
}

func (a *azure) query(c *call) {
	var in struct {
		Queries []struct {
			Type  string
			Items []string
		}
	}
	if !c.read(&in) {
		return
	}
	results := []any{}
	for _, q := range in.Queries {
		found := map[string]any{}
		for _, commit := range q.Items {
			list, err := c.host.list(c.ctx, c.repo, func(p *Pull) bool { return p.HeadSHA == commit })
			if err != nil {
				c.fail(http.StatusInternalServerError, err.Error())
				return
			}
			of := []any{}
			for _, p := range list {
				of = append(of, a.pull(p, true))
			}
			if len(of) > 0 {
				found[commit] = of
			}
		}
		results = append(results, found)
	}
	c.json(http.StatusOK, map[string]any{"queries": in.Queries, "results": results})
}

func (*azure) refs(c *call) {
	out := []any{}
	branch := strings.TrimPrefix(c.r.URL.Query().Get("filter"), "heads/")
	if tips, _, err := c.host.tips(c.ctx, c.repo, branch); err == nil && tips[0] != "" {
		out = append(out, map[string]any{"name": "refs/heads/" + branch + "-2", "objectId": tips[0]}, map[string]any{"name": "refs/heads/" + branch, "objectId": tips[0]})
	}
	collection(c, out, func(x any) any { return x })
}

func (*azure) updateRefs(c *call) {
	type update struct {
		Name string
		Old  string `json:"oldObjectId"`
		New  string `json:"newObjectId"`
	}
	var in []update
	if !c.read(&in) {
		return
	}
	collection(c, in, func(u update) any {
		status := "staleOldObjectId"
		branch := strings.TrimPrefix(u.Name, "refs/heads/")
		tips, repo, err := c.host.tips(c.ctx, c.repo, branch)
		if c.repo.Protected {
			status = "rejectedByPolicy"
		} else if err == nil && tips[0] == u.Old && tips[0] != "" && strings.Trim(u.New, "0") == "" && repo.DeleteBranch(c.ctx, branch, u.Old) == nil {
			status = "succeeded"
		}
		return map[string]any{"name": u.Name, "oldObjectId": u.Old, "newObjectId": u.New, "updateStatus": status, "success": status == "succeeded", "repositoryId": repoID(c.repo)}
	})
}

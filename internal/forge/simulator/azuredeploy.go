package simulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// built are the commits that a pipeline has built to deploy them, and build is the number of the build of one.
func (r *Repo) built() (commits []string) {
	for _, d := range r.Deploys {
		commits = add(commits, d.Commit)
	}
	return commits
}

func (r *Repo) build(commit string) int { return 1000*r.ID + slices.Index(r.built(), commit) + 1 }

// deployments serves environments with what was deployed to them, and releases.
func (a *azure) deployments(s *server) {
	s.handle("GET /org/{project}/_apis/distributedtask/environments", func(c *call) {
		if names, ok := a.environments(c); ok {
			out := []any{}
			for i, name := range names {
				out = append(out, map[string]any{"id": i + 1, "name": name})
			}
			collection(c, out, func(x any) any { return x })
		}
	})
	s.handle("GET /org/{project}/_apis/distributedtask/environments/{env}/environmentdeploymentrecords", func(c *call) {
		names, ok := a.environments(c)
		if !ok {
			return
		}
		n, _ := strconv.Atoi(c.r.PathValue("env"))
		if n < 1 || n > len(names) {
			explain(c.w, http.StatusNotFound, "EnvironmentNotFoundException", "No environment found with identifier "+c.r.PathValue("env")+".")
			return
		}
		list, _ := a.inProject(c)
		out := []any{}
		for _, r := range list {
			for i, d := range r.Deploys {
				if d.Release || d.Environment != names[n-1] {
					continue
				}
				record := map[string]any{"id": i + 1, "environmentId": n, "stageName": "deploy", "jobName": "deploy", "stageAttempt": max(d.Attempt, 1), "jobAttempt": 1, "planType": "Build",
					"definition": map[string]any{"id": r.ID, "name": "deploy"}, "owner": map[string]any{"id": r.build(d.Commit), "name": "20261123.1"}, "queueTime": stamp(time.Now())}
				if d.State != "" {
					record["result"], record["finishTime"] = d.State, stamp(time.Now())
				}
				out = append(out, record)
			}
		}
		collection(c, out, func(x any) any { return x })
	})
	s.handle("GET /org/{project}/_apis/release/releases", func(c *call) {
		list, ok := a.inProject(c)
		if !ok {
			return
		}
		q, out := c.r.URL.Query(), []any{}
		for _, r := range list {
			for i, d := range r.Deploys {
				if d.Release && q.Get("artifactTypeId") == "Build" && q.Get("$expand") == "environments" && q.Get("artifactVersionId") == strconv.Itoa(r.build(d.Commit)) && strings.HasSuffix(q.Get("sourceId"), ":"+strconv.Itoa(r.ID)) {
					out = append(out, map[string]any{"id": i + 1, "name": "Release-1", "status": "active", "createdOn": stamp(time.Now()),
						"environments": []any{map[string]any{"id": 1, "name": d.Environment, "status": d.State, "modifiedOn": stamp(time.Now())}, map[string]any{"id": 2, "name": "later", "status": "notStarted"}}})
				}
			}
		}
		collection(c, out, func(x any) any { return x })
	})
}

// environments are those of the project that the path names.
func (a *azure) environments(c *call) (names []string, ok bool) {
	list, ok := a.inProject(c)
	for _, r := range list {
		for _, d := range r.Deploys {
			if !d.Release {
				names = add(names, d.Environment)
			}
		}
	}
	slices.Sort(names)
	return names, ok
}

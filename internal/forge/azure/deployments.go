package azure

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

const (
	mostBuilds        = 5         // builds of a commit whose releases are asked for
	mostEnvironments  = 20        // environments that one question asks, beside those that the pipelines were seen to deploy to
	namesAge          = time.Hour // how long the environments of a project are believed, and a refusal
	previewOfReleases = "7.1-preview.8"
	recordsAge        = time.Minute // how long what was deployed to one is believed, by all repositories of the project
)

// deploy is a job that deploys to an environment: what the host keeps of each.
type deploy struct {
	Stage        string   `json:"stageName"`
	Job          string   `json:"jobName"`
	StageAttempt int      `json:"stageAttempt"`
	JobAttempt   int      `json:"jobAttempt"`
	Result       string   `json:"result"` // none while it goes on
	Queued       moment   `json:"queueTime"`
	Finished     moment   `json:"finishTime"`
	Definition   numbered `json:"definition"`
	Build        numbered `json:"owner"`
}

type numbered struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// environments are those of a project, and what was deployed to them lately.
type environments struct {
	at      time.Time
	list    []numbered
	refused time.Time
	of      map[int]map[int]bool // environments that a pipeline deploys to, by its number
	asked   map[int]time.Time
	records map[int][]deploy
	unshown time.Time // when the releases were refused
}

// shipped is what is known of a commit. Lists are of what came last, so what they named once is kept.
type shipped struct {
	builds map[int]int                 // with their pipelines
	seen   map[string]forge.Deployment // by environment and build, or release
}

// Deployments implements forge.Deployments. The host knows deployments of builds, and builds of commits: so the builds of the
// commit are one call, what went to an environment one for each environment, which all repositories of the project share for a
// minute, and releases one for each build. A commit that was built together with later ones has no build, and no deployment.
func (f *Forge) Deployments(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Deployment, error) {
	at, err := f.project(ctx, repo)
	if err != nil {
		return nil, err
	}
	s, builds, err := f.buildsOf(ctx, repo, at, commit)
	if refuses(err) && !gone(err) {
		return nil, forge.Unsupported("deployments on Azure DevOps are known by their builds, which the token may not read: it lacks the scope Build (read)")
	}
	if err != nil {
		return nil, missing(repo, err, err)
	}
	if len(builds) == 0 {
		return nil, nil
	}
	found := map[string]forge.Deployment{}
	unread, err := f.deployed(ctx, at.project, builds, found)
	if err != nil {
		return nil, err
	}
	hidden, err := f.released(ctx, at.project, builds, found)
	if err != nil {
		return nil, err
	}
	if unread && hidden {
		return nil, forge.Unsupported("the token may read neither environments nor releases: it lacks the scopes Environment (read & manage) and Release (read)")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, d := range found {
		s.seen[key] = d
	}
	all := []forge.Deployment{}
	for _, d := range s.seen {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b forge.Deployment) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Environment, b.Environment))
	})
	return all, nil
}

// buildsOf adds the builds of a commit that are among the last hundred of its branch to those that are known.
func (f *Forge) buildsOf(ctx context.Context, repo fleet.Repository, at ids, commit string) (*shipped, map[int]int, error) {
	q := url.Values{"repositoryId": {at.repo}, "repositoryType": {"TfsGit"}, "queryOrder": {"queueTimeDescending"}, "$top": {"100"}}
	if repo.DefaultBranch != "" {
		q.Set("branchName", heads+repo.DefaultBranch)
	}
	var list values[build]
	if err := f.within(ctx, repo, http.MethodGet, "/build/builds", q, nil, &list); err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := at.repo + " " + commit
	s := f.shipped[key]
	if s == nil {
		if len(f.shipped) > 5000 {
			clear(f.shipped)
		}
		s = &shipped{map[int]int{}, map[string]forge.Deployment{}}
		f.shipped[key] = s
	}
	for _, b := range list.Value {
		if b.Version == commit {
			s.builds[b.ID] = b.Definition.ID
		}
	}
	return s, maps.Clone(s.builds), nil
}

// latest asks for something that left its preview with 7.1, and for the preview where a server does not have it yet.
func latest(ctx context.Context, over *transport.Transport, at string, q url.Values, preview string, out any) error {
	err := send(ctx, over, http.MethodGet, at, q, nil, out)
	if transport.Says(err, "VssInvalidPreviewVersion") {
		q.Set("api-version", preview)
		err = send(ctx, over, http.MethodGet, at, q, nil, out)
	}
	return err
}

// in are the environments of a project.
func (f *Forge) in(project string) *environments {
	e := f.environments[project]
	if e == nil {
		e = &environments{of: map[int]map[int]bool{}, asked: map[int]time.Time{}, records: map[int][]deploy{}}
		f.environments[project] = e
	}
	return e
}

// deployed finds what builds deployed to environments; unread when the token may not read them.
func (f *Forge) deployed(ctx context.Context, project string, builds map[int]int, found map[string]forge.Deployment) (unread bool, err error) {
	at := f.site.url.String() + "/" + url.PathEscape(project) + "/_apis/distributedtask/environments"
	f.mu.Lock()
	e := f.in(project)
	old, refused := f.now().Sub(e.at) >= namesAge, f.now().Sub(e.refused) < namesAge
	f.mu.Unlock()
	if refused {
		return true, nil
	}
	if old {
		var list values[numbered]
		err := latest(ctx, f.http, at, url.Values{"$top": {"1000"}}, preview, &list)
		f.mu.Lock()
		if err == nil {
			e.at, e.list = f.now(), list.Value
		} else if refuses(err) {
			e.refused = f.now()
		}
		f.mu.Unlock()
		if err != nil {
			return refuses(err), unless(refuses(err), err)
		}
	}
	ask := f.ask(e, builds)
	for _, id := range ask {
		var list values[deploy]
		err := latest(ctx, f.http, at+"/"+strconv.Itoa(id)+"/environmentdeploymentrecords", url.Values{"top": {"100"}}, preview, &list)
		if err != nil && !refuses(err) { // one that is hidden or was deleted is none
			return false, err
		}
		f.mu.Lock()
		e.asked[id], e.records[id] = f.now(), list.Value
		for _, d := range list.Value {
			if e.of[d.Definition.ID] == nil {
				e.of[d.Definition.ID] = map[int]bool{}
			}
			e.of[d.Definition.ID][id] = true
		}
		f.mu.Unlock()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, env := range e.list {
		for id := range builds {
			if d, ok := sum(e.records[env.ID], id); ok {
				d.Environment = env.Name
				found[fmt.Sprint(env.Name, "\n", id)] = d
			}
		}
	}
	return false, nil
}

func unless(not bool, err error) error {
	if not {
		return nil
	}
	return err
}

// ask picks the environments that are asked: those that the pipelines were seen to deploy to, and some of the others in turn.
func (f *Forge) ask(e *environments, builds map[int]int) (ask []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := func(id int) bool {
		for _, definition := range builds {
			if e.of[definition][id] {
				return true
			}
		}
		return false
	}
	list := slices.Clone(e.list)
	slices.SortStableFunc(list, func(a, b numbered) int { return e.asked[a.ID].Compare(e.asked[b.ID]) })
	others := mostEnvironments
	for _, env := range list {
		switch {
		case f.now().Sub(e.asked[env.ID]) < recordsAge:
		case known(env.ID):
			ask = append(ask, env.ID)
		case others > 0:
			others--
			ask = append(ask, env.ID)
		}
	}
	return ask
}

// sum is what the last attempts of a build's jobs come to: a failure once one failed.
func sum(records []deploy, build int) (out forge.Deployment, ok bool) {
	last := map[string]deploy{}
	for _, d := range records {
		if d.Build.ID != build {
			continue
		}
		key := d.Stage + "\n" + d.Job
		if was, ok := last[key]; !ok || cmp.Or(cmp.Compare(d.StageAttempt, was.StageAttempt), cmp.Compare(d.JobAttempt, was.JobAttempt)) > 0 {
			last[key] = d
		}
	}
	rank := []string{"", "inactive", "success", "pending", "failure"}
	for _, d := range last {
		state := map[string]string{"": "pending", "succeeded": "success", "succeededWithIssues": "success", "failed": "failure", "abandoned": "failure"}[d.Result]
		if state = cmp.Or(state, "inactive"); slices.Index(rank, state) > slices.Index(rank, out.State) {
			out.State = state
		}
		for _, t := range []time.Time{d.Queued.Time, d.Finished.Time} {
			if t.After(out.At) {
				out.At = t
			}
		}
	}
	return out, len(last) > 0
}

type release struct {
	ID           int    `json:"id"`
	Created      moment `json:"createdOn"`
	Environments []struct {
		Name     string `json:"name"`
		Status   string `json:"status"`
		Modified moment `json:"modifiedOn"`
	} `json:"environments"`
}

// released finds what releases of builds were deployed where; hidden when the token may not read them.
func (f *Forge) released(ctx context.Context, project string, builds map[int]int, found map[string]forge.Deployment) (hidden bool, err error) {
	f.mu.Lock()
	e := f.in(project)
	hidden = f.now().Sub(e.unshown) < namesAge
	f.mu.Unlock()
	if hidden {
		return true, nil
	}
	ids := make([]int, 0, len(builds))
	for id := range builds {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	for _, id := range ids[:min(len(ids), mostBuilds)] {
		q := url.Values{"artifactTypeId": {"Build"}, "sourceId": {project + ":" + strconv.Itoa(builds[id])}, "artifactVersionId": {strconv.Itoa(id)}, "$expand": {"environments"}, "$top": {"50"}}
		var list values[release]
		err := latest(ctx, f.releases, f.site.releases.String()+"/"+url.PathEscape(project)+"/_apis/release/releases", q, previewOfReleases, &list)
		if refuses(err) {
			f.mu.Lock()
			e.unshown = f.now()
			f.mu.Unlock()
			return true, nil
		}
		if err != nil {
			return false, err
		}
		for _, r := range list.Value {
			for _, env := range r.Environments {
				d := forge.Deployment{Environment: env.Name, State: "pending", At: r.Created.Time}
				if !env.Modified.IsZero() {
					d.At = env.Modified.Time
				}
				switch env.Status {
				case "notStarted", "undefined":
					continue
				case "succeeded", "partiallySucceeded":
					d.State = "success"
				case "rejected":
					d.State = "failure"
				case "canceled":
					d.State = "inactive"
				}
				found[fmt.Sprint(env.Name, "\nrelease ", r.ID)] = d
			}
		}
	}
	return false, nil
}

// seesDeployments tries what tells of deployments.
func (f *Forge) seesDeployments(ctx context.Context, project string) forge.Ability {
	path := "/" + url.PathEscape(project) + "/_apis"
	environments := latest(ctx, f.http, f.site.url.String()+path+"/distributedtask/environments", url.Values{"$top": {"1"}}, preview, nil)
	releases := latest(ctx, f.releases, f.site.releases.String()+path+"/release/releases", url.Values{"$top": {"1"}}, previewOfReleases, nil)
	a := forge.Ability{Name: "deployments", OK: environments == nil || releases == nil}
	switch {
	case !a.OK:
		a.Detail = "the token lacks the scope Environment (read & manage), or Release (read)"
	case environments != nil:
		a.Detail = "of releases; for environments of pipelines the token lacks the scope Environment (read & manage)"
	case releases != nil:
		a.Detail = "of environments of pipelines; for releases the token lacks the scope Release (read)"
	}
	return a
}

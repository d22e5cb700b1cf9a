package bitbucket

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// result finds the number of a run of Bitbucket Pipelines in the URL of its status.
var result = regexp.MustCompile(`/results/(\d+)`)

// Checks implements forge.Checks. Statuses are told apart by their keys, so each is the newest of its kind.
func (f *Cloud) Checks(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	at, err := f.at(repo, "/commit/"+url.PathEscape(commit)+"/statuses?pagelen=100")
	if err != nil {
		return nil, err
	}
	type status struct{ Key, Name, State, URL, Description string }
	var all []forge.Check
	for s, err := range pages[status](ctx, f, at) {
		if err != nil {
			return nil, f.missing(ctx, repo, err, fleet.Errorf(fleet.CodeNotFound, "repository %s has no commit %s", repo.Name, commit))
		}
		c := forge.Check{Name: checkName(s.Name, s.Key), State: forge.CheckPending, URL: s.URL, Summary: s.Description}
		switch s.State {
		case "SUCCESSFUL":
			c.State = forge.CheckPassed
		case "FAILED":
			c.State, c.Log = forge.CheckFailed, f.pipeline(s.URL)
		case "STOPPED":
			c.State = forge.CheckSkipped
		}
		all = append(all, c)
	}
	return all, nil
}

// pipeline is the number of the run that a status is about; "" when another system posted it.
func (f *Cloud) pipeline(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host != f.site.Host || !strings.Contains(u.Path, "/pipelines") {
		return ""
	}
	if m := result.FindStringSubmatch(u.Path + "/" + u.Fragment); m != nil { // older ones have it behind "#!"
		return m[1]
	}
	return ""
}

// CheckLog implements forge.Checks, for the first step that failed of a run of Bitbucket Pipelines.
func (f *Cloud) CheckLog(ctx context.Context, repo fleet.Repository, log string, limit int64) ([]byte, error) {
	if log == "" || strings.Trim(log, "0123456789") != "" {
		return nil, forge.Unsupported("only runs of Bitbucket Pipelines have logs to read")
	}
	at, err := f.at(repo, "/pipelines/"+log+"/steps")
	if err != nil {
		return nil, err
	}
	type step struct {
		UUID  string
		State struct{ Result struct{ Name string } }
	}
	for s, err := range pages[step](ctx, f, at+"?pagelen=100") {
		if transport.StatusOf(err) == http.StatusNotFound {
			return nil, forge.Unsupported("Bitbucket Pipelines has no run " + log)
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains([]string{"FAILED", "ERROR", "EXPIRED"}, s.State.Result.Name) {
			return f.http.Tail(ctx, at+"/"+url.PathEscape(s.UUID)+"/log", limit)
		}
	}
	return nil, forge.Unsupported("no step of run " + log + " failed, so there is no log to read")
}

// Rerun implements forge.Rerunner, for runs of Bitbucket Pipelines: another run is started for what the last one was for,
// unless one is under way already, or has passed.
func (f *Cloud) Rerun(ctx context.Context, repo fleet.Repository, commit string, check forge.Check) error {
	none := forge.Unsupported("only runs of Bitbucket Pipelines can be started again, and " + check.Name + " is none that failed")
	if f.pipeline(check.URL) == "" {
		return none
	}
	checks, err := f.Checks(ctx, repo, commit)
	if err != nil {
		return err
	}
	number := ""
	for _, c := range checks {
		switch {
		case c.Name == check.Name && c.State != forge.CheckFailed && c.State != forge.CheckSkipped:
			return nil
		case c.Name == check.Name && c.Log != "":
			number = c.Log
		}
	}
	if number == "" {
		return none
	}
	at, err := f.at(repo, "/pipelines")
	if err != nil {
		return err
	}
	var was struct{ Target map[string]any }
	if _, err := f.http.JSON(ctx, http.MethodGet, at+"/"+number, nil, &was); err != nil {
		return f.missing(ctx, repo, err, fleet.Errorf(fleet.CodeNotFound, "Bitbucket Pipelines has no run %s", number))
	}
	target := map[string]any{}
	for _, name := range []string{"type", "ref_type", "ref_name", "source", "destination"} {
		if v, ok := was.Target[name].(string); ok {
			target[name] = v
		}
	}
	for name, keys := range map[string][]string{"commit": {"type", "hash"}, "destination_commit": {"type", "hash"}, "selector": {"type", "pattern"}, "pullrequest": {"id"}} {
		if v, ok := was.Target[name].(map[string]any); ok {
			part := map[string]any{}
			for _, k := range keys {
				if v[k] != nil {
					part[k] = v[k]
				}
			}
			target[name] = part
		}
	}
	_, err = f.http.JSON(ctx, http.MethodPost, at, map[string]any{"target": target}, nil)
	return err
}

// Deployments implements forge.Deployments, for those of Bitbucket Pipelines, among the hundred that the host gives first.
func (f *Cloud) Deployments(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Deployment, error) {
	at, err := f.at(repo, "/deployments?pagelen=100&sort=-state.started_on")
	if err != nil {
		return nil, err
	}
	var page struct {
		Values []struct {
			Environment struct{ UUID, Name string }
			Release     struct{ Commit cloudCommit }
			State       struct {
				Name   string // UNDEPLOYED, IN_PROGRESS, COMPLETED
				Status struct{ Name string }
				At     time.Time `json:"started_on"`
			}
		}
	}
	if _, err := f.http.JSON(ctx, http.MethodGet, at, nil, &page); err != nil {
		return nil, f.missing(ctx, repo, err, err)
	}
	all := []forge.Deployment{}
	names := map[string]string{}
	for _, d := range page.Values {
		if d.Release.Commit.Hash == "" || !strings.HasPrefix(commit, d.Release.Commit.Hash) {
			continue
		}
		if d.Environment.Name == "" && len(names) == 0 {
			if names, err = f.environments(ctx, repo); err != nil {
				return nil, err
			}
		}
		out := forge.Deployment{Environment: d.Environment.Name, State: "pending", At: d.State.At}
		if out.Environment == "" {
			out.Environment = names[d.Environment.UUID]
		}
		if d.State.Name == "COMPLETED" {
			out.State = map[string]string{"SUCCESSFUL": "success", "FAILED": "failure", "ERROR": "failure"}[d.State.Status.Name]
			if out.State == "" {
				out.State = "inactive"
			}
		}
		all = append(all, out)
	}
	slices.SortStableFunc(all, func(a, b forge.Deployment) int { return b.At.Compare(a.At) })
	return all, nil
}

func (f *Cloud) environments(ctx context.Context, repo fleet.Repository) (map[string]string, error) {
	at, err := f.at(repo, "/environments?pagelen=100")
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	type environment struct{ UUID, Name string }
	for e, err := range pages[environment](ctx, f, at) {
		if err != nil {
			return nil, err
		}
		names[e.UUID] = e.Name
	}
	return names, nil
}

package azure

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// The kinds of policies that are looked at.
const (
	buildPolicy    = "0609b952-1397-4640-95ec-e00a01b2c241"
	statusPolicy   = "cbdc66da-9728-4af8-aada-9a5a32e4a226"
	strategyPolicy = "fa4e907d-c16b-4a4c-9dfa-4916e5d171ab"
)

// evaluation is where a policy stands for a pull request.
type evaluation struct {
	Status        string `json:"status"` // queued, running, approved, rejected, notApplicable, broken
	Configuration struct {
		Type struct {
			ID string `json:"id"`
		} `json:"type"`
		Enabled  bool `json:"isEnabled"`
		Blocking bool `json:"isBlocking"`
		Settings struct {
			DisplayName   string `json:"displayName"`
			ManualOnly    bool   `json:"manualQueueOnly"`
			StatusName    string `json:"statusName"`
			StatusGenre   string `json:"statusGenre"`
			NoFastForward bool   `json:"allowNoFastForward"`
			Squash        bool   `json:"allowSquash"`
			OnlySquash    bool   `json:"useSquashMerge"` // of older servers
			Rebase        bool   `json:"allowRebase"`
		} `json:"settings"`
	} `json:"configuration"`
	Context struct {
		Build      int    `json:"buildId"`
		Definition string `json:"buildDefinitionName"`
	} `json:"context"`
}

// evaluations are those of the policies for a pull request.
func (f *Forge) evaluations(ctx context.Context, project string, n int) ([]evaluation, error) {
	var list values[evaluation]
	q := url.Values{"artifactId": {"vstfs:///CodeReview/CodeReviewId/" + project + "/" + number(n)}, "api-version": {preview}}
	err := f.call(ctx, http.MethodGet, "/"+url.PathEscape(project)+"/_apis/policy/evaluations", q, nil, &list)
	return list.Value, err
}

// Checks implements forge.Checks: the statuses of the commit, and the builds and statuses that policies want for the pull
// request whose head it is. Policies about people are no checks.
func (f *Forge) Checks(ctx context.Context, repo fleet.Repository, commit string) ([]forge.Check, error) {
	at, err := f.project(ctx, repo)
	if err != nil {
		return nil, err
	}
	n, err := f.headOf(ctx, repo, commit)
	if err != nil {
		return nil, err
	}
	return f.checks(ctx, repo, at, n, commit)
}

// checks are those of a commit that is the head of a pull request, or of none where its number is 0.
func (f *Forge) checks(ctx context.Context, repo fleet.Repository, at ids, n int, commit string) ([]forge.Check, error) {
	var statuses values[status]
	if err := f.on(ctx, repo, http.MethodGet, "/commits/"+url.PathEscape(commit)+"/statuses", url.Values{"latestOnly": {"true"}, "top": {"1000"}}, nil, &statuses); err != nil {
		return nil, missing(repo, err, fleet.Errorf(fleet.CodeNotFound, "repository %s has no commit %s", repo.Name, commit))
	}
	var all []forge.Check
	if n != 0 {
		evaluations, err := f.evaluations(ctx, at.project, n)
		if err != nil {
			return nil, missing(repo, err, err)
		}
		for _, e := range evaluations {
			if c, ok := f.toCheck(at, e); ok {
				all = append(all, c)
			}
		}
	}
	for _, s := range statuses.Value {
		// What a policy says of a build or status counts, for that is what holds the merge back.
		if c, ok := s.check(); ok && !slices.ContainsFunc(all, func(h forge.Check) bool { return h.Name == c.Name }) {
			all = append(all, c)
		}
	}
	return all, nil
}

// headOf finds the newest pull request whose head is a commit; 0 when there is none.
func (f *Forge) headOf(ctx context.Context, repo fleet.Repository, commit string) (int, error) {
	type query struct {
		Type  string   `json:"type"`
		Items []string `json:"items"`
	}
	in := map[string]any{"queries": []query{{"commit", []string{commit}}}}
	var out struct {
		Results []map[string][]pullRequest `json:"results"`
	}
	if err := f.on(ctx, repo, http.MethodPost, "/pullrequestquery", nil, in, &out); err != nil {
		return 0, missing(repo, err, err)
	}
	n := 0
	for _, result := range out.Results {
		for _, list := range result {
			for _, p := range list {
				if p.SourceCommit.ID == commit {
					n = max(n, p.Number)
				}
			}
		}
	}
	return n, nil
}

func (f *Forge) toCheck(at ids, e evaluation) (forge.Check, bool) {
	set := e.Configuration.Settings
	c := forge.Check{State: forge.CheckPending}
	switch e.Configuration.Type.ID {
	case buildPolicy:
		c.Name = cmp.Or(e.Context.Definition, set.DisplayName, "build")
		if e.Context.Build != 0 {
			c.URL = f.projectPath(at.project) + "/_build/results?buildId=" + strconv.Itoa(e.Context.Build)
		}
	case statusPolicy:
		c.Name = statusName(set.StatusGenre, set.StatusName)
	default:
		return c, false
	}
	switch e.Status {
	case "approved":
		c.State = forge.CheckPassed
	case "rejected", "broken":
		if c.State = forge.CheckFailed; !e.Configuration.Blocking {
			c.State = forge.CheckSkipped
		}
		if e.Context.Build != 0 {
			c.Log = strconv.Itoa(e.Context.Build)
		}
	case "notApplicable":
		c.State = forge.CheckSkipped
	case "queued":
		if e.Context.Build == 0 && set.ManualOnly { // until a person wants it
			c.State = forge.CheckSkipped
		}
	}
	return c, e.Configuration.Enabled
}

type status struct {
	State       string `json:"state"`
	Description string `json:"description"`
	Target      string `json:"targetUrl"`
	Context     struct {
		Name  string `json:"name"`
		Genre string `json:"genre"`
	} `json:"context"`
}

// statusName names a pipeline alike in a status and in a policy.
func statusName(genre, name string) string {
	if genre == "" || genre == "continuous-integration" {
		return strings.TrimPrefix(name, "build/")
	}
	return genre + "/" + name
}

// A status leads to a build by its URL, of the site or of the kind that only the host itself understands.
var buildLink = regexp.MustCompile(`(?:[?&]buildId=|^vstfs:///Build/Build/)([0-9]{1,9})(?:&|$)`)

func (s status) check() (forge.Check, bool) {
	c := forge.Check{Name: statusName(s.Context.Genre, s.Context.Name), URL: s.Target, Summary: s.Description, State: forge.CheckFailed}
	switch s.State {
	case "succeeded":
		c.State = forge.CheckPassed
	case "pending", "notSet":
		c.State = forge.CheckPending
	case "notApplicable":
		c.State = forge.CheckSkipped
	default:
		if m := buildLink.FindStringSubmatch(s.Target); m != nil {
			c.Log = m[1]
		}
	}
	return c, c.Name != ""
}

type build struct {
	ID         int    `json:"id"`
	Branch     string `json:"sourceBranch"` // refs/pull/N/merge for a policy's
	Version    string `json:"sourceVersion"`
	Result     string `json:"result"`
	Definition struct {
		ID int `json:"id"`
	} `json:"definition"`
	Repository struct {
		ID string `json:"id"`
	} `json:"repository"`
	Problems []struct {
		Message string `json:"message"`
	} `json:"validationResults"`
}

// build reads the build that a handle names. Whoever may post a status can name any, so it must be one of the repository.
func (f *Forge) build(ctx context.Context, repo fleet.Repository, handle string) (b build, err error) {
	none := forge.Unsupported("only builds of Azure Pipelines have logs to read, and can be run again")
	n, err := strconv.Atoi(handle)
	if err != nil || n <= 0 {
		return b, none
	}
	at, err := f.project(ctx, repo)
	if err != nil {
		return b, err
	}
	err = f.within(ctx, repo, http.MethodGet, "/build/builds/"+strconv.Itoa(n), nil, nil, &b)
	if transport.StatusOf(err) == http.StatusNotFound || err == nil && !strings.EqualFold(b.Repository.ID, at.repo) {
		return b, none
	}
	return b, err
}

type record struct {
	Type   string `json:"type"` // Stage, Job, Task, …
	Name   string `json:"name"`
	Result string `json:"result"`
	Order  int    `json:"order"`
	Finish string `json:"finishTime"`
	Log    *struct {
		ID int `json:"id"`
	} `json:"log"`
	Issues []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"issues"`
}

// mostLogs is how many failed steps of a build are read.
const mostLogs = 5

// CheckLog implements forge.Checks: the ends of the failed steps' logs, or what the build says is wrong where no step ran.
func (f *Forge) CheckLog(ctx context.Context, repo fleet.Repository, log string, limit int64) ([]byte, error) {
	b, err := f.build(ctx, repo, log)
	if err != nil {
		return nil, err
	}
	var timeline struct {
		Records []record `json:"records"`
	}
	if err := f.within(ctx, repo, http.MethodGet, "/build/builds/"+strconv.Itoa(b.ID)+"/timeline", nil, nil, &timeline); err != nil && transport.StatusOf(err) != http.StatusNotFound {
		return nil, err
	}
	failed := slices.DeleteFunc(timeline.Records, func(r record) bool { return r.Result != "failed" && r.Result != "abandoned" })
	slices.SortStableFunc(failed, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.Finish, b.Finish), cmp.Compare(a.Order, b.Order))
	})
	var text bytes.Buffer
	steps := slices.DeleteFunc(slices.Clone(failed), func(r record) bool { return r.Type != "Task" || r.Log == nil })
	for _, r := range steps[:min(len(steps), mostLogs)] {
		tail, err := f.log(ctx, repo, b.ID, r.Log.ID, limit)
		if err != nil {
			return nil, err
		}
		if len(steps) > 1 {
			fmt.Fprintf(&text, "== %s\n", r.Name)
		}
		text.Write(tail)
		if !bytes.HasSuffix(tail, []byte("\n")) {
			text.WriteByte('\n')
		}
	}
	if text.Len() == 0 {
		for _, p := range b.Problems {
			fmt.Fprintln(&text, p.Message)
		}
		for _, r := range failed {
			for _, i := range r.Issues {
				fmt.Fprintf(&text, "%s: %s: %s\n", r.Name, i.Type, i.Message)
			}
		}
	}
	return transport.LastBytes(&text, limit)
}

func (f *Forge) log(ctx context.Context, repo fleet.Repository, build, log int, limit int64) ([]byte, error) {
	at, err := f.project(ctx, repo)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/_apis/build/builds/%d/logs/%d?api-version=%s", f.projectPath(at.project), build, log, version), nil)
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeForge, "the log's URL cannot be asked")
	}
	req.Header.Set("Accept", "text/plain") // or else it comes as JSON, a string a line
	resp, err := f.http.Client().Do(req)
	if err != nil {
		return nil, transport.Error(ctx, err)
	}
	defer resp.Body.Close()
	tail, err := transport.LastBytes(resp.Body, limit)
	return tail, transport.Error(ctx, err)
}

// Rerun implements forge.Rerunner: the failed jobs of the build run again, in the same build.
func (f *Forge) Rerun(ctx context.Context, repo fleet.Repository, _ string, check forge.Check) error {
	b, err := f.build(ctx, repo, check.Log)
	if err != nil {
		return err
	}
	if b.Result != "failed" && b.Result != "canceled" && b.Result != "partiallySucceeded" {
		return nil // it runs again already, or has passed
	}
	return f.within(ctx, repo, http.MethodPatch, "/build/builds/"+strconv.Itoa(b.ID), url.Values{"retry": {"true"}}, map[string]any{}, nil)
}

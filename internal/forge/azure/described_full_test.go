//go:build full

package azure_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/build"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/core"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/git"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/identity"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/location"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/policy"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/release"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/security"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/taskagent"

	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/simulator"
)

// Microsoft's own client for Go is made from the description of the API, which no registry of packages has: its types say
// what requests and replies hold. The paths with their parameters are those of the published description of version 7.1.
var operations = []struct {
	method, path string
	query        []string
	request      func() any
	reply        func() any
}{
	{"GET", "/_apis/connectionData", nil, nil, of[location.ConnectionData]},
	{"GET", "/_apis/projects", []string{"$top", "$skip"}, nil, of[list[core.TeamProjectReference]]},
	{"GET", "/_apis/identities", []string{"identityIds", "searchFilter", "filterValue", "queryMembership"}, nil, of[list[identity.Identity]]},
	{"GET", "/_apis/accesscontrollists/{}", []string{"token", "descriptors", "includeExtendedInfo"}, nil, of[list[security.AccessControlList]]},
	{"GET", "/_apis/git/repositories", nil, nil, of[list[git.GitRepository]]},
	{"GET", "/_apis/git/repositories/{}", nil, nil, of[git.GitRepository]},
	{"GET", "/_apis/git/pullrequests", searched, nil, of[list[git.GitPullRequest]]},
	{"GET", "/_apis/git/repositories/{}/pullrequests", searched, nil, of[list[git.GitPullRequest]]},
	{"POST", "/_apis/git/repositories/{}/pullrequests", nil, of[git.GitPullRequest], of[git.GitPullRequest]},
	{"GET", "/_apis/git/repositories/{}/pullrequests/{}", nil, nil, of[git.GitPullRequest]},
	{"PATCH", "/_apis/git/repositories/{}/pullrequests/{}", nil, of[git.GitPullRequest], of[git.GitPullRequest]},
	{"POST", "/_apis/git/repositories/{}/pullrequests/{}/labels", nil, of[core.WebApiCreateTagRequestData], of[core.WebApiTagDefinition]},
	{"PUT", "/_apis/git/repositories/{}/pullrequests/{}/reviewers/{}", nil, of[git.IdentityRefWithVote], of[git.IdentityRefWithVote]},
	{"GET", "/_apis/git/repositories/{}/pullrequests/{}/threads", nil, nil, of[list[git.GitPullRequestCommentThread]]},
	{"POST", "/_apis/git/repositories/{}/pullrequests/{}/threads", nil, of[git.GitPullRequestCommentThread], of[git.GitPullRequestCommentThread]},
	{"POST", "/_apis/git/repositories/{}/pullrequestquery", nil, of[git.GitPullRequestQuery], of[git.GitPullRequestQuery]},
	{"GET", "/_apis/git/repositories/{}/commits/{}/statuses", []string{"top", "skip", "latestOnly"}, nil, of[list[git.GitStatus]]},
	{"GET", "/_apis/git/repositories/{}/diffs/commits", []string{"diffCommonCommit", "$top", "baseVersion", "baseVersionType", "targetVersion", "targetVersionType"}, nil, of[git.GitCommitDiffs]},
	{"GET", "/_apis/git/repositories/{}/refs", []string{"filter"}, nil, of[list[git.GitRef]]},
	{"POST", "/_apis/git/repositories/{}/refs", nil, of[[]git.GitRefUpdate], of[list[git.GitRefUpdateResult]]},
	{"GET", "/_apis/policy/evaluations", []string{"artifactId"}, nil, of[list[policy.PolicyEvaluationRecord]]},
	{"GET", "/_apis/build/builds", []string{"$top", "minTime", "queryOrder", "repositoryId", "repositoryType", "branchName"}, nil, of[list[build.Build]]},
	{"GET", "/_apis/build/builds/{}", nil, nil, of[build.Build]},
	{"PATCH", "/_apis/build/builds/{}", []string{"retry"}, of[build.Build], of[build.Build]},
	{"GET", "/_apis/build/builds/{}/timeline", nil, nil, of[build.Timeline]},
	{"GET", "/_apis/build/builds/{}/logs/{}", nil, nil, nil},
	{"GET", "/_apis/distributedtask/environments", []string{"$top"}, nil, of[list[taskagent.EnvironmentInstance]]},
	{"GET", "/_apis/distributedtask/environments/{}/environmentdeploymentrecords", []string{"top"}, nil, of[list[taskagent.EnvironmentDeploymentExecutionRecord]]},
	{"GET", "/_apis/release/releases", []string{"artifactTypeId", "sourceId", "artifactVersionId", "$expand", "$top"}, nil, of[list[release.Release]]},
}

var searched = []string{"searchCriteria.creatorId", "searchCriteria.sourceRefName", "searchCriteria.status", "$skip", "$top"}

type list[T any] struct {
	Count int `json:"count"`
	Value []T `json:"value"`
}

func of[T any]() any { return new(T) }

// words are the values that enumerations have.
var words = map[reflect.Type]any{
	reflect.TypeFor[git.PullRequestStatus]():           git.PullRequestStatusValues,
	reflect.TypeFor[git.PullRequestAsyncStatus]():      git.PullRequestAsyncStatusValues,
	reflect.TypeFor[git.GitPullRequestMergeStrategy](): git.GitPullRequestMergeStrategyValues,
	reflect.TypeFor[git.GitPullRequestQueryType]():     git.GitPullRequestQueryTypeValues,
	reflect.TypeFor[git.GitRefUpdateStatus]():          git.GitRefUpdateStatusValues,
	reflect.TypeFor[git.GitStatusState]():              git.GitStatusStateValues,
	reflect.TypeFor[git.CommentThreadStatus]():         git.CommentThreadStatusValues,
	reflect.TypeFor[git.CommentType]():                 git.CommentTypeValues,
	reflect.TypeFor[policy.PolicyEvaluationStatus]():   policy.PolicyEvaluationStatusValues,
	reflect.TypeFor[build.BuildStatus]():               build.BuildStatusValues,
	reflect.TypeFor[build.BuildResult]():               build.BuildResultValues,
	reflect.TypeFor[build.TaskResult]():                build.TaskResultValues,
	reflect.TypeFor[build.TimelineRecordState]():       build.TimelineRecordStateValues,
	reflect.TypeFor[taskagent.TaskResult]():            taskagent.TaskResultValues,
	reflect.TypeFor[release.EnvironmentStatus]():       release.EnvironmentStatusValues,
	reflect.TypeFor[release.ReleaseStatus]():           release.ReleaseStatusValues,
	reflect.TypeFor[core.ProjectVisibility]():          core.ProjectVisibilityValues,
}

// wrong lists the values that are in no enumeration.
func wrong(v reflect.Value) (all []string) {
	if set := words[v.Type()]; set != nil {
		known := reflect.ValueOf(set)
		for i := range known.NumField() {
			if known.Field(i).String() == v.String() {
				return nil
			}
		}
		return []string{v.Type().String() + " " + v.String()}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			all = wrong(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, wrong(v.Index(i))...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			all = append(all, wrong(v.MapIndex(k))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, wrong(v.Field(i))...)
			}
		}
	}
	return all
}

type described struct {
	*testing.T
	mu   sync.Mutex
	seen map[string]bool
}

func (d *described) check(x simulator.Exchange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := strings.TrimPrefix(x.Path, "/org")
	if _, rest, ok := strings.Cut(path, "/_apis/"); ok {
		path = "/_apis/" + rest // the project before it
	}
	for _, o := range operations {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(o.path), `\{\}`, "[^/]+") + "$"
		if o.method != x.Method || !regexp.MustCompile(pattern).MatchString(path) {
			continue
		}
		d.seen[o.method+" "+o.path] = true
		query, _ := url.ParseQuery(x.Query)
		for name := range query {
			if name != "api-version" && !slices.Contains(o.query, name) {
				d.Errorf("%s %s takes no parameter %s", o.method, o.path, name)
			}
		}
		if len(x.Request) > 0 {
			d.fits(x.Request, o.request, "request of "+o.method+" "+o.path)
		}
		if x.Status < 300 && o.reply != nil {
			d.fits(x.Reply, o.reply, "reply to "+o.method+" "+o.path)
		}
		return
	}
	d.Errorf("Azure DevOps describes no %s %s", x.Method, path)
}

func (d *described) fits(text []byte, into func() any, what string) {
	if into == nil {
		d.Errorf("%s: none is described", what)
		return
	}
	v := into()
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(v); err != nil {
		d.Errorf("%s: %v\n%.500s", what, err, text)
	}
	for _, w := range wrong(reflect.ValueOf(v)) {
		d.Errorf("%s: there is no %s", what, w)
	}
}

func TestConformanceToTheDescription(t *testing.T) {
	d := &described{T: t, seen: map[string]bool{}}
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		_, _, h := harness(t, 0, simulator.Faults{}, d.check)
		return h
	})
	host, f, h := harness(t, 0, simulator.Faults{}, d.check)
	sha := h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	host.With(simulator.Slug, func(r *simulator.Repo) {
		r.Deploys = []simulator.Deploy{{Commit: sha, Environment: "production", State: "succeeded"}, {Commit: sha, Environment: "shop", State: "inProgress", Release: true}}
		r.Checks = []simulator.Check{{Commit: sha, Name: "test", State: "rejected", Log: "FAIL\n"}, {Commit: sha, Name: "lint", State: "failure"}}
	})
	_, err := f.Checks(t.Context(), h.Repo, sha) // which asks for the ids first
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Open(t.Context(), h.Spec("gaggle/a"))
	if err != nil {
		t.Fatal(err)
	}
	host.Say(simulator.Slug, p.Number, simulator.Comment{Author: "ann", Body: "x", MayWrite: true, At: time.Now(), Verdict: "approved"})
	checks, err1 := f.Checks(t.Context(), h.Repo, sha)
	_, err2 := f.CheckLog(t.Context(), h.Repo, "1", 10)
	_, err3 := f.Reviews(t.Context(), h.Repo, p.Number, time.Now().Add(-time.Hour))
	_, _, err4 := f.Check(t.Context())
	err5 := f.Rerun(t.Context(), h.Repo, sha, checks[0])
	if list, err := f.Deployments(t.Context(), h.Repo, sha); err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, err := range f.Discover(t.Context(), forge.Scope{Owner: "org"}) {
		err5 = errors.Join(err5, err)
	}
	if err := errors.Join(err1, err2, err3, err4, err5, f.DeleteBranch(t.Context(), h.Repo, "gaggle/a", ""), f.DeleteBranch(t.Context(), h.Repo, "gaggle/a", sha)); err != nil {
		t.Error(err)
	}
	for _, o := range operations {
		if !d.seen[o.method+" "+o.path] {
			t.Errorf("%s %s was not seen", o.method, o.path)
		}
	}
}

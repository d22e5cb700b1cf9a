package azure_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/azure"
)

// stub is a host that answers by the end of a path, each time with the next of the answers and then with the last.
func stub(t *testing.T, answers map[string][]string) (*azure.Forge, fleet.Repository) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, key := range []string{r.Method + " " + r.URL.Path + "?" + r.URL.Query().Get("token"), r.Method + " " + r.URL.Path} {
			if list := answers[key]; len(list) > 0 {
				if len(list) > 1 {
					answers[key] = list[1:]
				}
				status, body := http.StatusOK, list[0]
				if code, rest, ok := strings.Cut(list[0], " "); ok && len(code) == 3 {
					_, _ = fmt.Sscan(code, &status)
					body = rest
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
				return
			}
		}
		t.Errorf("nobody should ask %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(srv.Close)
	f, err := azure.New(azure.Config{URL: srv.URL + "/org", Credential: forge.Fixed("token")})
	if err != nil {
		t.Fatal(err)
	}
	return f, fleet.Repository{Name: "p/r", URL: srv.URL + "/org/p/_git/r"}
}

const at = "/org/_apis/git/repositories/rid"

func standing(status, merge string) string {
	return `{"pullRequestId":7,"status":"` + status + `","mergeStatus":"` + merge + `","sourceRefName":"refs/heads/x","targetRefName":"refs/heads/main","lastMergeSourceCommit":{"commitId":"c1"},"completionQueueTime":"0001-01-01T00:00:00","mergeFailureMessage":"TF0 \u001b[31mit broke","repository":{"id":"rid","name":"r","project":{"id":"pid","name":"p"}}}`
}

// What becomes of a completion shows later, whatever the reply to it said.
func TestMergeInTheBackground(t *testing.T) {
	for name, c := range map[string]struct {
		looks []string
		patch string
		want  fleet.Code
	}{
		"done":            {[]string{standing("active", "queued"), standing("active", "succeeded"), standing("completed", "succeeded")}, standing("active", "conflicts"), ""},
		"done at once":    {nil, standing("completed", "succeeded"), ""},
		"conflict":        {[]string{standing("active", "queued"), standing("active", "conflicts")}, standing("active", "queued"), fleet.CodeMergeConflict},
		"policy":          {[]string{standing("active", "queued"), standing("active", "rejectedByPolicy")}, standing("active", "queued"), fleet.CodeProtected},
		"failure":         {[]string{standing("active", "failure")}, standing("active", "queued"), fleet.CodeForge},
		"abandoned":       {[]string{standing("abandoned", "queued")}, standing("active", "queued"), fleet.CodeConflict},
		"stale":           {[]string{standing("active", "queued")}, `409 {"typeKey":"GitPullRequestStaleException"}`, fleet.CodeConflict},
		"no permission":   {[]string{standing("active", "queued")}, `403 {"message":"TF401027: You need the Git 'PullRequestContribute' permission","typeKey":"GitNeedsPermissionException"}`, fleet.CodeForgeAuth},
		"merged meantime": {[]string{standing("completed", "succeeded")}, `400 {"typeKey":"GitPullRequestNotEditableException"}`, ""},
	} {
		first := "GET /org/p/_apis/git/repositories/r/pullrequests/7"
		f, repo := stub(t, map[string][]string{first: {standing("active", "succeeded")}, "GET " + at + "/pullrequests/7": c.looks, "PATCH " + at + "/pullrequests/7": {c.patch}})
		err := f.Merge(t.Context(), repo, 7, forge.MergeSpec{ExpectHead: "c1"})
		if c.want == "" && err != nil || c.want != "" && fleet.CodeOf(err) != c.want || err != nil && strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "failure" && !errors.Is(err, forge.ErrPassing) {
			t.Errorf("%s: %v is final", name, err)
		}
	}
}

// The right to push is that of the person and of all groups; a denial anywhere counts, and what cannot be read is no right.
func TestMayWrite(t *testing.T) {
	acl := func(token string, inherit bool, entries ...string) string {
		return fmt.Sprintf(`{"value":[{"token":%q,"inheritPermissions":%v,"acesDictionary":{%s}}]}`, token, inherit, strings.Join(entries, ","))
	}
	const none, member = `{"value":[]}`, `{"value":[{"id":"ann-id","descriptor":"user;ann","memberOf":["group;devs","group;all"]}]}`
	allow := func(who string) string { return fmt.Sprintf(`%q:{"allow":4,"deny":0}`, who) }
	deny := func(who string) string {
		return fmt.Sprintf(`%q:{"allow":0,"deny":0,"extendedInfo":{"effectiveDeny":4}}`, who)
	}
	for name, c := range map[string]struct {
		identity, repo, project, root string
		want                          bool
	}{
		"the project allows a group":          {member, none, acl("repoV2/pid", true, allow("group;DEVS")), none, true},
		"the repository allows the person":    {member, acl("repoV2/pid/rid", true, allow("user;ann")), none, none, true},
		"the repository denies a group":       {member, acl("repoV2/pid/rid", true, deny("group;all")), acl("repoV2/pid", true, allow("group;devs")), none, false},
		"the project denies, the rest allows": {member, acl("repoV2/pid/rid", true, allow("user;ann")), acl("repoV2/pid", true, deny("group;devs")), none, false},
		"another group":                       {member, none, acl("repoV2/pid", true, allow("group;admins")), none, false},
		"another repository":                  {member, acl("repoV2/pid/other", true, allow("user;ann")), none, none, false},
		"nothing is inherited":                {member, acl("repoV2/pid/rid", false), acl("repoV2/pid", true, allow("user;ann")), none, false},
		"rights cannot be read":               {member, `403 {"message":"no"}`, none, none, false},
		"people cannot be read":               {`401 {}`, none, none, none, false},
		"nobody is known":                     {`{"value":[null]}`, none, none, none, false},
	} {
		comments, _ := json.Marshal(map[string]any{"value": []any{map[string]any{"id": 3, "threadContext": map[string]any{"filePath": "/a/b.go", "rightFileStart": map[string]any{"line": 12}},
			"comments": []any{map[string]any{"id": 2, "author": map[string]any{"id": "ann-id", "uniqueName": "ann"}, "content": "no", "commentType": "text", "publishedDate": time.Now()}}}}})
		rights := "GET /org/_apis/accesscontrollists/2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87?repoV2"
		f, repo := stub(t, map[string][]string{
			"GET /org/p/_apis/git/repositories/r/pullrequests/7": {standing("active", "succeeded")}, "GET " + at + "/pullrequests/7/threads": {string(comments)},
			"GET /org/_apis/identities": {c.identity}, rights + "/pid/rid": {c.repo}, rights + "/pid": {c.project}, rights: {c.root},
		})
		said, err := f.Reviews(t.Context(), repo, 7, time.Time{})
		if err != nil || len(said) != 1 || said[0].MayWrite != c.want || said[0].File != "a/b.go" || said[0].Line != 12 || said[0].ID != "thread-3-2" {
			t.Errorf("%s: %+v, %v", name, said, err)
		}
	}
}

// A status may name any build; only one of the repository is read or run again.
func TestBuildsOfOthers(t *testing.T) {
	f, repo := stub(t, map[string][]string{
		"GET /org/p/_apis/git/repositories/r":        {`{"id":"rid","name":"r","project":{"id":"pid","name":"p"}}`},
		"GET /org/pid/_apis/build/builds/9":          {`{"id":9,"result":"failed","repository":{"id":"secret"}}`},
		"GET " + at + "/commits/c1/statuses":         {`{"value":[{"state":"error","context":{"name":"x","genre":"y"},"targetUrl":"vstfs:///Build/Build/9"}]}`},
		"POST " + at + "/pullrequestquery":           {`{"results":[{}]}`},
		"GET /org/pid/_apis/build/builds/8":          {`{"id":8,"result":"failed","repository":{"id":"RID"},"validationResults":[{"message":"the YAML is broken"}]}`},
		"GET /org/pid/_apis/build/builds/8/timeline": {`204 `},
	})
	checks, err := f.Checks(t.Context(), repo, "c1")
	if err != nil || len(checks) != 1 || checks[0].Log != "9" || checks[0].Name != "y/x" {
		t.Fatalf("%+v, %v", checks, err)
	}
	if _, err := f.CheckLog(t.Context(), repo, "9", 100); fleet.CodeOf(err) != fleet.CodeUnsupported {
		t.Error(err)
	}
	if err := f.Rerun(t.Context(), repo, "c1", checks[0]); fleet.CodeOf(err) != fleet.CodeUnsupported {
		t.Error(err)
	}
	if log, err := f.CheckLog(t.Context(), repo, "8", 100); err != nil || string(log) != "the YAML is broken\n" {
		t.Errorf("%q, %v", log, err)
	}
}

package bitbucket_test

import (
	"net/http"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/bitbucket"
	"gaggle/internal/forge/simulator"
)

// before does something just before a call to the host is made, once.
type before struct {
	call string // the end of its method and path
	do   func()
}

func (b *before) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.do != nil && strings.HasSuffix(r.Method+" "+r.URL.Path, b.call) {
		do := b.do
		b.do = nil
		do()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// The host takes no expected head, so what is pushed until the last look holds the merge back, and what comes in after that is told.
func TestMergesWhatIsExpected(t *testing.T) {
	const cloud, dataCenter = "/2.0/repositories/acme/billing", "/rest/api/latest/projects/acme/repos/billing"
	for name, c := range map[string]struct {
		title, call string
		merged      bool
		code        fleet.Code
	}{
		"nobody pushed":                       {"Change", "never", true, ""},
		"in the background":                   {"Slow", "never", true, ""},
		"after the pull request":              {"Change", "GET " + cloud + "/refs/branches/gaggle/a", false, fleet.CodeConflict},
		"in the very moment":                  {"Change", "POST " + cloud + "/pullrequests/1/merge", true, fleet.CodeConflict},
		"while it went on":                    {"Slow", "/merge/task-status/1", true, fleet.CodeConflict},
		"the base, with a conflict":           {"Slow", "/merge/task-status/1", false, fleet.CodeMergeConflict},
		"the base, before the decision":       {"Change", "POST " + cloud + "/pullrequests/1/merge", false, fleet.CodeMergeConflict},
		"nobody pushed, Data Center":          {"Change", "never", true, ""},
		"after the pull request, Data Center": {"Change", "GET " + dataCenter + "/branches", false, fleet.CodeConflict},
		"in the very moment, Data Center":     {"Change", "POST " + dataCenter + "/pull-requests/1/merge", true, fleet.CodeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			host, h := simulator.Harness(t, 0, simulator.Faults{})
			push := &before{call: c.call}
			var f forge.Forge
			var err error
			if strings.HasSuffix(name, "Data Center") {
				url := simulator.BitbucketDC(t, host, nil)
				f, err = bitbucket.NewDataCenter(bitbucket.DataCenterConfig{URL: url, Credential: forge.Fixed("token"), Next: push})
				h.Repo.URL = url + "/scm/" + simulator.Slug + ".git"
			} else {
				url := simulator.BitbucketCloud(t, host, nil)
				f, err = bitbucket.NewCloud(bitbucket.CloudConfig{URL: url, Credential: forge.Fixed("token"), Next: push})
				h.Repo.URL = url + "/" + simulator.Slug + ".git"
			}
			if err != nil {
				t.Fatal(err)
			}
			ours := h.Push(t, "gaggle/a", map[string]string{"a.txt": "ours\n"})
			s := h.Spec("gaggle/a")
			s.Title = c.title
			if _, err := f.Open(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			branch := "gaggle/a"
			if strings.HasPrefix(name, "the base") {
				branch = "main"
			}
			theirs := ""
			push.do = func() { theirs = h.Push(t, branch, map[string]string{"a.txt": "theirs\n"}) }
			err = f.Merge(t.Context(), h.Repo, 1, forge.MergeSpec{ExpectHead: ours})
			if code := fleet.CodeOf(err); err == nil && c.code != "" || err != nil && code != c.code {
				t.Errorf("the merge ended with %v", err)
			}
			p, getErr := f.Get(t.Context(), h.Repo, 1)
			if getErr != nil || (p.State == forge.StateMerged) != c.merged {
				t.Errorf("%+v, %v", p, getErr)
			}
			if c.merged && c.code != "" && !strings.Contains(err.Error(), theirs[:12]) {
				t.Errorf("it does not say what was merged: %v", err)
			}
			if err := f.Merge(t.Context(), h.Repo, 1, forge.MergeSpec{ExpectHead: ours}); c.merged && err != nil {
				t.Errorf("asked again it ended with %v", err)
			}
		})
	}
}

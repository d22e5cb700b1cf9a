package bitbucket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/bitbucket"
)

// odd serves one handler as a Cloud and as a Data Center.
func odd(t *testing.T, token string, serve http.HandlerFunc) (*bitbucket.Cloud, *bitbucket.DataCenter, fleet.Repository) {
	t.Helper()
	srv := httptest.NewServer(serve)
	t.Cleanup(srv.Close)
	c, err1 := bitbucket.NewCloud(bitbucket.CloudConfig{URL: srv.URL, Credential: forge.Fixed(token)})
	d, err2 := bitbucket.NewDataCenter(bitbucket.DataCenterConfig{URL: srv.URL, Credential: forge.Fixed(token)})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return c, d, fleet.Repository{Name: "a/b", URL: srv.URL + "/a/b.git", DefaultBranch: "main"}
}

// A next page is asked for on the same host only, and pages that go round in circles end.
func TestHostilePages(t *testing.T) {
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(elsewhere.Close)
	c, d, repo := odd(t, "token", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"values":[{"id":1,"title":"x","state":"OPEN"}],"next":%q,"isLastPage":false,"nextPageStart":0}`, elsewhere.URL+"/2.0/more")
	})
	var last error
	for _, err := range c.List(t.Context(), &repo) {
		last = err
	}
	if fleet.CodeOf(last) != fleet.CodeForge || asked != 0 {
		t.Errorf("%v after %d calls elsewhere", last, asked)
	}
	n := 0
	for _, err := range d.List(t.Context(), &repo) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d pull requests", n)
	}
}

func TestCredentials(t *testing.T) {
	for token, want := range map[string][3]string{
		"me@example.com:ATATT3x": {"Basic bWVAZXhhbXBsZS5jb206QVRBVFQzeA==", "x-bitbucket-api-token-auth", "ATATT3x"},
		"ATCTT3x":                {"Bearer ATCTT3x", "x-token-auth", "ATCTT3x"},
	} {
		got := ""
		c, _, repo := odd(t, token, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"type":"error","error":{"message":"Your credentials lack one or more required privilege scopes.","detail":{"granted":["pullrequest:write","repository:write"],"required":["account"]}}}`))
		})
		account, abilities, err := c.Check(t.Context())
		if err != nil || got != want[0] || len(account.Scopes) != 2 || !abilities[0].OK || !abilities[1].OK || abilities[2].OK || !strings.Contains(abilities[3].Detail, "read:pipeline") {
			t.Errorf("%s: %+v %+v, %v", got, account, abilities, err)
		}
		if user, secret, err := c.GitLogin(t.Context()); err != nil || user != want[1] || secret != want[2] {
			t.Error(user, secret, err)
		}
		if _, err := c.Get(t.Context(), repo, 1); fleet.CodeOf(err) != fleet.CodeForgeAuth { // and not that the repository is gone
			t.Error(err)
		}
	}
	_, d, _ := odd(t, "token", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	if _, _, err := d.Check(t.Context()); fleet.CodeOf(err) != fleet.CodeForgeAuth { // nobody is signed in
		t.Error(err)
	}
	if _, _, err := d.GitLogin(t.Context()); fleet.CodeOf(err) != fleet.CodeForgeAuth {
		t.Error(err)
	}
}

// What names no repository is said of each pull request, and costs no call.
func TestBadClone(t *testing.T) {
	c, d, repo := odd(t, "token", func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	for _, at := range []string{"/a", "/a/b/c.git", "/a/../b.git", ""} {
		repo.URL = "https://example.com" + at
		for _, f := range []follower{c, d} {
			if _, err := f.Get(t.Context(), repo, 1); fleet.CodeOf(err) != fleet.CodeInvalid {
				t.Errorf("%s: %v", at, err)
			}
			n := 0
			for p, err := range f.Follow(t.Context(), []forge.PullRef{{Repo: repo, Number: 7}}, time.Time{}) {
				if n++; p.Number != 7 || fleet.CodeOf(err) != fleet.CodeInvalid {
					t.Errorf("%s: %+v, %v", at, p, err)
				}
			}
			if n != 1 {
				t.Errorf("%s: %d results", at, n)
			}
		}
	}
}

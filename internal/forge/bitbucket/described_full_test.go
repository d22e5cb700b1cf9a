//go:build full

package bitbucket_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/bitbucket"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/simulator"
)

// Atlassian's descriptions of both APIs are in no registry of packages themselves, but a client that is generated from them is:
// its types are the descriptions, word for word. So requests and replies become literals of these types, and the compiler
// says what does not fit.
const client, compiler = "@coderabbitai/bitbucket@1.1.4", "typescript@5.9.3"

// fetched is the folder of an npm package, which is fetched once into the user's cache.
func fetched(t *testing.T, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "gaggle-tests", strings.NewReplacer("/", "-", "@", "-").Replace(name))
	if _, err := os.Stat(dir); err == nil {
		return filepath.Join(dir, "package")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	packed := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "npm", "pack", "--silent", name)
	cmd.Dir = packed
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("missing part: npm, or its registry: %v\n%s", err, out)
	}
	archives, _ := filepath.Glob(filepath.Join(packed, "*.tgz"))
	if len(archives) != 1 {
		t.Fatal("npm packed nothing")
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	unpack(t, archives[0], fresh)
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(dir); there != nil { // or else another test was faster
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "package")
}

func unpack(t *testing.T, archive, into string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := root.MkdirAll(filepath.Dir(h.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err == nil {
			err = root.WriteFile(h.Name, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// described collects exchanges as literals, a few of each shape.
type described struct {
	*testing.T
	prefix    string   // of every path
	templates []string // the paths that are described
	common    []string // parameters that every list takes, and the description leaves to its introduction
	newer     []string // paths that came after the client was generated
	untold    []string // what servers give, as their examples of events show, and the description leaves out
	mu        sync.Mutex
	shapes    map[string]int
	seen      map[string]bool
	code      bytes.Buffer
}

const head = `import type { paths } from "./described"
type Deep<T> = T extends readonly (infer U)[] ? readonly Deep<U>[] : T extends object ? { [K in keyof T]?: Deep<T[K]> | null } : T // a reply that gives what is used
type Body<O> = O extends { requestBody?: { content: { "application/json"?: infer B } } } ? B : never
type Reply<O, S extends number> = O extends { responses: infer R } ? S extends keyof R ? R[S] extends { content: { "application/json": infer B } } ? B : null : never : never
type Query<O> = O extends { parameters: { query?: infer Q } } ? keyof NonNullable<Q> : never
`

var quoted = regexp.MustCompile(`(?m)^    (?:readonly )?"(/[^"]*)": \{`)

func describe(t *testing.T, kind, prefix string) *described {
	text, err := os.ReadFile(filepath.Join(fetched(t, client), "dist", kind, "openapi", "openapi-typescript.d.ts"))
	if err != nil {
		t.Fatal(err)
	}
	d := &described{T: t, prefix: prefix, shapes: map[string]int{}, seen: map[string]bool{}}
	for _, m := range quoted.FindAllStringSubmatch(string(text), -1) {
		d.templates = append(d.templates, m[1])
	}
	d.code.WriteString(head)
	return d
}

// template finds the path of the description that a request's path fits best.
func (d *described) template(path string) string {
	best, fixed := "", -1
	parts := strings.Split(path, "/")
	for _, template := range d.templates {
		want := strings.Split(template, "/")
		same, fits := 0, len(want) == len(parts)
		for i := 0; fits && i < len(want); i++ {
			if want[i] == parts[i] {
				same++
			} else if !strings.HasPrefix(want[i], "{") {
				fits = false
			}
		}
		if fits && same > fixed {
			best, fixed = template, same
		}
	}
	return best
}

// without leaves properties out.
func without(v any, names []string) any {
	switch v := v.(type) {
	case map[string]any:
		for _, n := range names {
			delete(v, n)
		}
		for _, x := range v {
			without(x, names)
		}
	case []any:
		for _, x := range v {
			without(x, names)
		}
	}
	return v
}

// shape is a document without its values.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for k, x := range v {
			parts = append(parts, k+":"+shape(x))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, x := range v {
			if s := shape(x); !slices.Contains(parts, s) {
				parts = append(parts, s)
			}
		}
		slices.Sort(parts)
		return "[" + strings.Join(parts, ",") + "]"
	case string:
		if v == strings.ToUpper(v) { // the value of an enumeration
			return v
		}
	}
	return fmt.Sprintf("%T", v)
}

func (d *described) fits(text []byte, kind, what string) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		d.Errorf("%s is no JSON: %v", what, err)
		return
	}
	key := what + shape(without(v, d.untold))
	if d.shapes[key]++; d.shapes[key] > 1 {
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		d.Error(err)
	}
	fmt.Fprintf(&d.code, "const x%d: %s = %s // %s\n", len(d.shapes), kind, text, what)
}

func (d *described) check(x simulator.Exchange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := strings.TrimPrefix(x.Path, d.prefix)
	if slices.Contains(d.newer, path) {
		return
	}
	template, method := d.template(path), strings.ToLower(x.Method)
	if template == "" {
		d.Errorf("Bitbucket describes no %s %s", x.Method, path)
		return
	}
	what := x.Method + " " + template
	operation := fmt.Sprintf("paths[%q][%q]", template, method)
	d.seen[what] = true
	query, _ := url.ParseQuery(x.Query)
	for name := range query {
		if !slices.Contains(d.common, name) && d.shapes["?"+what+name] == 0 {
			d.shapes["?"+what+name]++
			fmt.Fprintf(&d.code, "const x%d: Query<%s> = %q // parameter of %s\n", len(d.shapes), operation, name, what)
		}
	}
	if len(x.Request) > 0 {
		d.fits(x.Request, "Deep<Body<"+operation+">>", "request of "+what)
	}
	if what == "GET /api/latest/users" { // described as a page of users in words, and as one in its schema
		var page struct{ Values []json.RawMessage }
		if err := json.Unmarshal(x.Reply, &page); err != nil || len(page.Values) == 0 {
			return
		}
		x.Reply = page.Values[0]
	}
	if x.Status < 300 && len(x.Reply) > 0 && json.Valid(x.Reply) {
		d.fits(x.Reply, fmt.Sprintf("Deep<Reply<%s, %d>>", operation, x.Status), fmt.Sprintf("reply %d to %s", x.Status, what))
	}
}

// compile has the compiler read the literals.
func (d *described) compile(kind string, operations int) {
	d.Helper()
	dir := d.TempDir()
	types, err := os.ReadFile(filepath.Join(fetched(d.T, client), "dist", kind, "openapi", "openapi-typescript.d.ts"))
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "described.d.ts"), types, 0o644), os.WriteFile(filepath.Join(dir, "exchanges.ts"), append(d.code.Bytes(), "export {}\n"...), 0o644))
	}
	if err != nil {
		d.Fatal(err)
	}
	cmd := exec.CommandContext(d.Context(), "node", filepath.Join(fetched(d.T, compiler), "lib", "tsc.js"), "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "exchanges.ts")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	lines := strings.Split(d.code.String(), "\n")
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var n int
		if _, err := fmt.Sscanf(line, "exchanges.ts(%d,", &n); err == nil && n <= len(lines) && i < 100 {
			line += "\n" + lines[n-1][max(0, strings.LastIndex(lines[n-1], " // ")):]
		}
		if line != "" && i < 100 {
			d.Errorf("%.1500s", line)
		}
	}
	if err != nil && len(out) == 0 {
		d.Errorf("missing part: node: %v", err)
	}
	if len(d.seen) < operations {
		d.Errorf("only %d operations were seen: %v", len(d.seen), d.seen)
	}
}

func TestCloudAsDescribed(t *testing.T) {
	d := describe(t, "cloud", "/2.0")
	d.common = []string{"q", "sort", "fields", "pagelen", "page", "from_pullrequest_id"} // the last is where the host redirects to
	d.newer = []string{"/user/workspaces"}
	d.untold = []string{"type"} // the generator allows one word for each schema, where the host has "user" and "team" for an account
	make := func(t *testing.T) (*simulator.Host, *bitbucket.Cloud, forgetest.Harness) {
		host, h := simulator.Harness(t, 0, simulator.Faults{})
		at := simulator.BitbucketCloud(t, host, d.check)
		f, err := bitbucket.NewCloud(bitbucket.CloudConfig{URL: at, Credential: forge.Fixed("token")})
		if err != nil {
			t.Fatal(err)
		}
		h.Forge, h.Repo.URL, h.NoLabels, h.LooseHead = f, at+"/"+simulator.Slug+".git", true, true
		return host, f, h
	}
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness { _, _, h := make(t); return h })
	host, f, h := make(t)
	sha := h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	host.With(simulator.Slug, func(r *simulator.Repo) {
		r.Deploys = []simulator.Deploy{{Commit: sha, Environment: "production", State: "SUCCESSFUL"}}
	})
	if _, err := f.Open(t.Context(), h.Spec("gaggle/a")); err != nil {
		t.Fatal(err)
	}
	host.Say(simulator.Slug, 1, simulator.Comment{Author: "ann", MayWrite: true, At: time.Now(), Verdict: "approved"})
	host.Say(simulator.Slug, 1, simulator.Comment{Author: "ann", Body: "x", At: time.Now(), File: "a.go", Line: 3})
	_, err1 := f.Reviews(t.Context(), h.Repo, 1, time.Now().Add(-time.Hour))
	_, err2 := f.Deployments(t.Context(), h.Repo, sha)
	_, _, err3 := f.Check(t.Context())
	for _, err := range f.Discover(t.Context(), forge.Scope{Owner: "acme"}) {
		err3 = errors.Join(err3, err)
	}
	if err := errors.Join(err1, err2, err3, f.DeleteBranch(t.Context(), h.Repo, "gaggle/a", sha)); err != nil {
		t.Error(err)
	}
	d.compile("cloud", 20)
}

func TestDataCenterAsDescribed(t *testing.T) {
	d := describe(t, "server", "/rest")
	d.common = []string{"permission.projectKey", "permission.repositorySlug", "start", "limit"}
	d.untold = []string{"author", "properties", "canMerge", "comment", "commentAction", "commentAnchor"}
	make := func(t *testing.T) (*simulator.Host, *bitbucket.DataCenter, forgetest.Harness) {
		host, h := simulator.Harness(t, 0, simulator.Faults{})
		at := simulator.BitbucketDC(t, host, d.check)
		f, err := bitbucket.NewDataCenter(bitbucket.DataCenterConfig{URL: at, Credential: forge.Fixed("token")})
		if err != nil {
			t.Fatal(err)
		}
		h.Forge, h.Repo.URL, h.NoLabels, h.LooseHead = f, at+"/scm/"+simulator.Slug+".git", true, true
		return host, f, h
	}
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness { _, _, h := make(t); return h })
	host, f, h := make(t)
	sha := h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	if _, err := f.Open(t.Context(), h.Spec("gaggle/a")); err != nil {
		t.Fatal(err)
	}
	host.With(simulator.Slug, func(r *simulator.Repo) { r.Topics = []string{"go"} })
	host.Say(simulator.Slug, 1, simulator.Comment{Author: "ann", MayWrite: true, At: time.Now(), Verdict: "approved"})
	host.Say(simulator.Slug, 1, simulator.Comment{Author: "ann", Body: "x", At: time.Now(), File: "a.go", Line: 3})
	_, err1 := f.Reviews(t.Context(), h.Repo, 1, time.Now().Add(-time.Hour))
	_, _, err2 := f.Check(t.Context())
	for _, err := range f.Discover(t.Context(), forge.Scope{Owner: "acme", Filter: forge.Filter{Topics: []string{"go"}}}) {
		err2 = errors.Join(err2, err)
	}
	if err := f.DeleteBranch(t.Context(), h.Repo, "gaggle/a", "0000"); err == nil {
		t.Error("deleted")
	}
	if err := errors.Join(err1, err2, f.DeleteBranch(t.Context(), h.Repo, "gaggle/a", sha)); err != nil {
		t.Error(err)
	}
	d.compile("server", 15)
}

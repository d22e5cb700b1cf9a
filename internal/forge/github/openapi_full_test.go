//go:build full

package github_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/github"
	"gaggle/internal/forge/simulator"
)

// GitHub's own description of its API, as an npm package.
const describedBy, description = "@octokit/openapi@23.0.2", "package/generated/api.github.com.json"

// describe reads the description.
func describe(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(published(t, describedBy, description), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// published is a file of an npm package, which npm fetches once into the user's cache.
func published(t *testing.T, pkg, name string) []byte {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "gaggle-tests")
	file := filepath.Join(dir, strings.NewReplacer("@", "-", "/", "-").Replace(strings.TrimPrefix(pkg, "@"))+filepath.Ext(name))
	text, err := os.ReadFile(file)
	if err == nil {
		return text
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	packed := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "npm", "pack", "--silent", pkg)
	cmd.Dir = packed
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("missing part: npm, or its registry: %v\n%s", err, out)
	}
	archives, _ := filepath.Glob(filepath.Join(packed, "*.tgz"))
	if len(archives) != 1 {
		t.Fatal("npm packed nothing")
	}
	text = unpack(t, archives[0], name)
	fresh := filepath.Join(dir, "new-"+strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(fresh, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, file); err != nil {
		t.Fatal(err)
	}
	return text
}

func unpack(t *testing.T, archive, name string) []byte {
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
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("the package holds no " + name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == name {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

// described checks exchanges against the description: paths, query parameters, request bodies, and of the replies each
// property that the simulator gives (it gives those that are used, so "required" says nothing there).
type described struct {
	t        *testing.T
	doc      map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
	seen     map[string]int
}

// loosen turns OpenAPI 3.0 into JSON Schema: nullable becomes a type, and required goes from what replies are made of.
func loosen(v any, drop bool) {
	switch v := v.(type) {
	case map[string]any:
		if v["nullable"] == true {
			if kind, ok := v["type"].(string); ok {
				v["type"] = []any{kind, "null"}
				if list, ok := v["enum"].([]any); ok {
					v["enum"] = append(list, nil)
				}
			} else {
				inner := map[string]any{}
				for k, x := range v {
					inner[k] = x
					delete(v, k)
				}
				delete(inner, "nullable")
				v["anyOf"] = []any{inner, map[string]any{"type": "null"}}
			}
		}
		if _, list := v["required"].([]any); list && drop {
			delete(v, "required")
		}
		delete(v, "format")
		delete(v, "example")
		delete(v, "examples")
		if one, ok := v["oneOf"]; ok && drop { // without required, several may fit
			delete(v, "oneOf")
			v["anyOf"] = one
		}
		for _, x := range v {
			loosen(x, drop)
		}
	case []any:
		for _, x := range v {
			loosen(x, drop)
		}
	}
}

func newDescribed(t *testing.T) *described {
	doc := describe(t)
	loosen(doc["components"].(map[string]any)["schemas"], true)
	for _, path := range doc["paths"].(map[string]any) {
		for _, op := range path.(map[string]any) {
			if op, ok := op.(map[string]any); ok {
				loosen(op["responses"], true)
				loosen(op["requestBody"], false)
			}
		}
	}
	loosen(doc["components"].(map[string]any)["responses"], true)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("https://api.github.com/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return &described{t: t, doc: doc, compiler: c, compiled: map[string]*jsonschema.Schema{}, seen: map[string]int{}}
}

// template finds the path of the description that a request's path fits best.
func (d *described) template(path string) string {
	best, fixed := "", -1
	parts := strings.Split(path, "/")
	for template := range d.doc["paths"].(map[string]any) {
		want := strings.Split(template, "/")
		open := strings.HasSuffix(template, "/{ref}") && strings.Contains(template, "/git/") && len(parts) > len(want) // the only parameter with slashes
		if len(want) != len(parts) && !open {
			continue
		}
		same, fits := 0, true
		for i, w := range want {
			switch {
			case w == parts[i]:
				same++
			case !strings.HasPrefix(w, "{"):
				fits = false
			}
		}
		if fits && same > fixed {
			best, fixed = template, same
		}
	}
	return best
}

func (d *described) schema(at ...string) *jsonschema.Schema {
	var v any = d.doc
	pointer := ""
	for _, a := range at {
		m, ok := v.(map[string]any)
		if ok {
			if ref, is := m["$ref"].(string); is {
				pointer = strings.TrimPrefix(ref, "#")
				v = d.doc
				for p := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
					v = v.(map[string]any)[p]
				}
				m, ok = v.(map[string]any)
			}
			if ok {
				v, ok = m[a]
			}
		}
		if !ok {
			return nil
		}
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(a))
	}
	if s := d.compiled[pointer]; s != nil {
		return s
	}
	s, err := d.compiler.Compile("https://api.github.com/openapi.json#" + pointer)
	if err != nil {
		d.t.Errorf("%s: %v", pointer, err)
		return nil
	}
	d.compiled[pointer] = s
	return s
}

func (d *described) check(x simulator.Exchange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path, rest := strings.CutPrefix(x.Path, "/api/v3")
	if !rest || strings.HasPrefix(path, "/logs/") || strings.HasPrefix(path, "/repositories/") {
		return // GraphQL is described elsewhere, and where GitHub redirects to nowhere
	}
	template, method := d.template(path), strings.ToLower(x.Method)
	op, ok := d.doc["paths"].(map[string]any)[template].(map[string]any)[method].(map[string]any)
	if template == "" || !ok {
		d.t.Errorf("GitHub describes no %s %s", x.Method, path)
		return
	}
	d.seen[x.Method+" "+template]++
	query, _ := url.ParseQuery(x.Query)
	known := map[string]bool{}
	for _, p := range op["parameters"].([]any) {
		p := p.(map[string]any)
		if ref, ok := p["$ref"].(string); ok {
			p = d.doc["components"].(map[string]any)["parameters"].(map[string]any)[strings.TrimPrefix(ref, "#/components/parameters/")].(map[string]any)
		}
		if p["in"] == "query" {
			known[p["name"].(string)] = true
		}
	}
	for name := range query {
		if !known[name] {
			d.t.Errorf("%s %s takes no parameter %s", x.Method, template, name)
		}
	}
	if len(x.Request) > 0 {
		d.fits(x.Request, d.schema("paths", template, method, "requestBody", "content", "application/json", "schema"), "request of "+x.Method+" "+template)
	}
	status := strconv.Itoa(x.Status)
	if op["responses"].(map[string]any)[status] == nil {
		if x.Status < 400 {
			d.t.Errorf("%s %s never answers %s", x.Method, template, status)
		}
		return
	}
	if s := d.schema("paths", template, method, "responses", status, "content", "application/json", "schema"); s != nil && len(x.Reply) > 0 && x.Status < 300 {
		d.fits(x.Reply, s, "reply to "+x.Method+" "+template)
	}
}

func (d *described) fits(text []byte, s *jsonschema.Schema, what string) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil || s == nil {
		d.t.Errorf("%s: no JSON, or none is described: %v", what, err)
		return
	}
	if err := s.Validate(v); err != nil {
		d.t.Errorf("%s: %v\n%.500s", what, err, text)
	}
}

func TestConformanceToTheDescription(t *testing.T) {
	d := newDescribed(t)
	forgetest.Exercise(t, func(t *testing.T) forgetest.Harness {
		host, h := simulator.Harness(t, 0, simulator.Faults{})
		at := simulator.GitHub(t, host, d.check)
		f, err := github.New(github.Config{URL: at, Credential: forge.Fixed("token")})
		if err != nil {
			t.Fatal(err)
		}
		h.Forge, h.Repo.URL = f, at+"/"+simulator.Slug+".git"
		return h
	})
	host, h := simulator.Harness(t, 0, simulator.Faults{})
	at := simulator.GitHub(t, host, d.check)
	f, err := github.New(github.Config{URL: at, Credential: forge.Fixed("token")})
	if err != nil {
		t.Fatal(err)
	}
	h.Repo.URL = at + "/" + simulator.Slug + ".git"
	sha := h.Push(t, "gaggle/a", map[string]string{"a": "a"})
	host.With(simulator.Slug, func(r *simulator.Repo) {
		r.Checks = []simulator.Check{{Commit: sha, Name: "test", State: "failure", Log: "FAIL\n"}}
		r.Deploys = []simulator.Deploy{{Commit: sha, Environment: "production", State: "success"}}
	})
	if _, err := f.Open(t.Context(), h.Spec("gaggle/a")); err != nil {
		t.Fatal(err)
	}
	host.Say(simulator.Slug, 1, simulator.Comment{Author: "ann", Body: "x", MayWrite: true, At: time.Now(), Verdict: "approved"})
	_, err1 := f.Checks(t.Context(), h.Repo, sha)
	_, err2 := f.CheckLog(t.Context(), h.Repo, "1", 10)
	err6 := f.Rerun(t.Context(), h.Repo, sha, forge.Check{Name: "test", Log: "1"})
	_, err3 := f.Reviews(t.Context(), h.Repo, 1, time.Now().Add(-time.Hour))
	_, err4 := f.Deployments(t.Context(), h.Repo, sha)
	_, _, err5 := f.Check(t.Context())
	if err := errors.Join(err1, err2, err3, err4, err5, err6, f.DeleteBranch(t.Context(), h.Repo, "gaggle/a", sha)); err != nil {
		t.Error(err)
	}
	if len(d.seen) < 18 {
		t.Errorf("only %d operations were seen: %v", len(d.seen), d.seen)
	}
}

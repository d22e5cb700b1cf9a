//go:build full && linux

package sandbox_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/sandbox"
)

// script runs a shell script with caches and returns what it printed.
func script(t *testing.T, sb sandbox.Sandbox, a sandbox.Access, spec sandbox.Spec, text string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	spec.Argv = []string{"sh", "-c", text}
	spec.Stdout, spec.Stderr = &out, &out
	spec.Limits.Wall = 10 * time.Minute
	a.Give(&spec)
	result, err := sb.Run(t.Context(), spec)
	if err != nil || result.Ended != "" {
		t.Fatalf("%+v %v\n%s", result, err, out.String())
	}
	return result.ExitCode, out.String()
}

func files(t *testing.T, dir string, content map[string]string) {
	t.Helper()
	for name, text := range content {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func access(t *testing.T, a sandbox.Access, err error) sandbox.Access {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestGoBuildsWithoutNetwork(t *testing.T) {
	sb, caches, work, proxy := open(t), sandbox.Caches{Dir: scratch(t)}, scratch(t), scratch(t)
	files(t, work, map[string]string{
		"go.mod":    "module example.com/main\n\ngo 1.21\n\nrequire example.com/dep v1.0.0\n",
		"a.go":      "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/dep\"\n)\n\nfunc main() { fmt.Println(dep.Text) }\n",
		"a_test.go": "package main\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { main() }\n",
	})
	// A module proxy of one module, in the form of files.
	var module bytes.Buffer
	z := zip.NewWriter(&module)
	for name, text := range map[string]string{"go.mod": "module example.com/dep\n", "dep.go": "package dep\n\nconst Text = \"from the cache\"\n"} {
		w, err := z.Create("example.com/dep@v1.0.0/" + name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	files(t, proxy, map[string]string{"example.com/dep/@v/list": "v1.0.0\n", "example.com/dep/@v/v1.0.0.info": `{"Version":"v1.0.0"}`,
		"example.com/dep/@v/v1.0.0.mod": "module example.com/dep\n", "example.com/dep/@v/v1.0.0.zip": module.String()})
	if err := os.Chmod(proxy, 0o755); err != nil {
		t.Fatal(err)
	}

	a, err := caches.WarmUp()
	warm := access(t, a, err)
	spec := sandbox.Spec{Work: work, Env: map[string]string{"GOPROXY": "file:///srv/proxy", "GONOSUMDB": "*"},
		Mounts: []sandbox.Mount{{Host: proxy, Inside: "/srv/proxy"}}}
	if code, out := script(t, sb, warm, spec, "go get example.com/dep && go vet ./... && go test -run '^$' -exec true ./..."); code != 0 {
		t.Fatal(out)
	}
	a, err = caches.Attempt("acme/main")
	attempt := access(t, a, err)
	if code, out := script(t, sb, attempt, sandbox.Spec{Work: work}, "go build ./... && go vet ./... && go test ./... && go run ."); code != 0 || !strings.Contains(out, "from the cache\n") {
		t.Error(out)
	}
	// A package of the standard library that nobody compiled yet.
	files(t, work, map[string]string{"b.go": "package main\n\nimport \"text/tabwriter\"\n\nvar _ tabwriter.Writer\n"})
	if code, out := script(t, sb, attempt, sandbox.Spec{Work: work}, "go build ./... && go vet ./... && go test ./..."); code != 0 {
		t.Error(out)
	}
	if code, out := script(t, sb, attempt, sandbox.Spec{Work: work}, `
		for d in $GOCACHE $GOMODCACHE $npm_config_cache $CARGO_HOME; do touch $d/poison && echo $d; done
		f=$(find $GOMODCACHE -name dep.go); chmod 644 $f; echo 'package dep; const Text = "poison"' >$f && echo $f; mv $f $f.old && echo moved; true`); code != 0 || strings.Contains(out, "\n/srv") || strings.Contains(out, "moved") {
		t.Errorf("a cache was changed: %s", out)
	}
}

func TestNodeBuildsWithoutNetwork(t *testing.T) {
	sb, caches, work := open(t), sandbox.Caches{Dir: scratch(t)}, scratch(t)
	// A registry of one package, behind the door.
	var tarball bytes.Buffer
	z := gzip.NewWriter(&tarball)
	archive := tar.NewWriter(z)
	for name, text := range map[string]string{"package/package.json": `{"name":"dep","version":"1.0.0"}`, "package/index.js": "module.exports = 'from the cache'\n"} {
		archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
		fmt.Fprint(archive, text)
	}
	archive.Close()
	z.Close()
	sum := sha512.Sum512(tarball.Bytes())
	mux := http.NewServeMux()
	mux.HandleFunc("/dep", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"name": "dep", "dist-tags": map[string]string{"latest": "1.0.0"}, "versions": map[string]any{
			"1.0.0": map[string]any{"name": "dep", "version": "1.0.0", "dist": map[string]string{"tarball": sandbox.DoorURL + "/dep.tgz",
				"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}}}})
	})
	mux.HandleFunc("/dep.tgz", func(w http.ResponseWriter, r *http.Request) { w.Write(tarball.Bytes()) })
	socket := filepath.Join(scratch(t), "door")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	defer server.Close()

	files(t, work, map[string]string{
		"package.json": `{"name":"main","version":"1.0.0","dependencies":{"dep":"1.0.0"},"scripts":{"test":"node test.js"}}`,
		"test.js":      "console.log(require('dep'), Object.keys(require('os').networkInterfaces()).join())\n",
	})
	a, err := caches.WarmUp()
	warm := access(t, a, err)
	spec := sandbox.Spec{Work: work, Door: socket, Env: map[string]string{"npm_config_registry": sandbox.DoorURL}}
	if code, out := script(t, sb, warm, spec, "npm install --ignore-scripts && rm -r node_modules"); code != 0 {
		t.Fatal(out)
	}
	a, err = caches.Attempt("acme/main")
	attempt := access(t, a, err)
	if code, out := script(t, sb, attempt, sandbox.Spec{Work: work}, "npm ci && npm test"); code != 0 || !strings.Contains(out, "from the cache lo\n") {
		t.Error(out)
	}
}

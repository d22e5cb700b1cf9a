package sandbox

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTranslated(t *testing.T) {
	spec := Spec{Argv: []string{"x", WorkDir + "/a", "--in=" + WorkDir, WorkDir + "er", "http://" + DoorAddress + "/v1", Self},
		Env: map[string]string{"PATH": "/usr/bin:" + HomeDir + "/bin", "FILE": "/srv/data/f"}, Dir: WorkDir + "/sub", Work: "/w",
		Mounts: []Mount{{Host: "/d", Inside: "/srv/data"}}}
	got := translated(spec, "/h", "127.0.0.1:9")
	for i, want := range []string{"x", "/w/a", "--in=/w", WorkDir + "er", "http://127.0.0.1:9/v1"} {
		if got.Argv[i] != want {
			t.Errorf("%s became %s", spec.Argv[i], got.Argv[i])
		}
	}
	if strings.Contains(got.Argv[5], Self) {
		t.Error("this program is not found")
	}
	if got.Env["PATH"] != "/usr/bin:/h/bin" || got.Env["FILE"] != "/d/f" || got.Dir != "/w/sub" {
		t.Errorf("%v %s", got.Env, got.Dir)
	}
	if spec.Argv[1] != WorkDir+"/a" || spec.Env["FILE"] != "/srv/data/f" {
		t.Error("the spec was changed")
	}
}

func TestRewriteOnlyTouchesWholePaths(t *testing.T) {
	pairs := []Mount{{Inside: "/srv/work", Host: "/elsewhere"}}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z:= /"]{0,12}(/srv/work)?[a-z/:=" ]{0,12}`).Draw(t, "text")
		got := rewrite(text, pairs)
		if strings.ReplaceAll(got, "/elsewhere", "/srv/work") != text {
			t.Errorf("%q became %q", text, got)
		}
		if i := strings.Index(got, "/elsewhere"); i > 0 && pathByte(got[i-1]) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

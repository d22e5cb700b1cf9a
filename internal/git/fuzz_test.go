package git

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What git prints holds names and contents that an agent chose, and an index may be damaged: no reader may panic, and
// what it accepts must hang together.

func FuzzParseDiffTree(f *testing.F) {
	f.Add([]byte(":100644 100644 1111 2222 M\x00a\nb\x001\t2\ta\nb\x00\x00diff --git a/x b/x\n"))
	f.Add([]byte(":100644 100644 1111 2222 R090\x00old\x00new\x00-\t-\t\x00old\x00new\x00\x00diff --git "))
	f.Add([]byte(":::::"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDiffTree(data)
		if err != nil {
			return
		}
		if d.change.Stat.Files != len(d.change.Files) || len(d.patch) > 0 && !bytes.HasPrefix(d.patch, []byte("diff --git ")) {
			t.Fatalf("%+v", d)
		}
	})
}

func FuzzReadableKeepsEveryByte(f *testing.F) {
	f.Add([]byte("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+diff --git a/y b/y\n"))
	f.Add([]byte("diff --git a/x b/x\nBinary\ndiff --git a/y b/y\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if joined := bytes.Join(splitDiff(data), nil); !bytes.Equal(joined, data) {
			t.Fatalf("%q became %q", data, joined)
		}
	})
}

func FuzzReadIndex(f *testing.F) {
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x01" + strings.Repeat("\x00", 200)))
	f.Add([]byte("DIRC\x00\x00\x00\x03\xff\xff\xff\xff"))
	file := filepath.Join(f.TempDir(), "index")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{20, 32} {
			_, _ = readIndex(file, size)
		}
	})
}

// helper is what makes git start git-remote-<word>.
var helper = regexp.MustCompile(`^[A-Za-z0-9+.-]*::`)

func FuzzParseRemote(f *testing.F) {
	for _, s := range []string{"https://u:p@h/x", "git@h:x", "ssh://h/x", "file:///x", "ext::sh -c x", "/x", "-x", "http://[::1]:80/x", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := ParseRemote(raw)
		if err != nil {
			return
		}
		if strings.HasPrefix(r.URL, "-") || helper.MatchString(r.URL) || strings.ContainsAny(r.URL, "\x00\n\r") || r.Protocol == "" || (r.Path != "") != (r.Protocol == "file") {
			t.Fatalf("%q became %+v", raw, r)
		}
		if len(r.password) > 3 && strings.Contains(r.URL, "@") && strings.Contains(r.URL, r.password+"@") {
			t.Fatalf("the password is still in %q", r.URL)
		}
	})
}

func FuzzParseRemoteRefs(f *testing.F) {
	f.Add("ref: refs/heads/main\tHEAD\n" + strings.Repeat("a", 40) + "\tHEAD\n" + strings.Repeat("b", 40) + "\trefs/heads/x\n")
	f.Fuzz(func(t *testing.T, text string) {
		if tip, ok := chooseTip(parseRemoteRefs(text)); ok && (!ValidBranch(tip.Branch) || !validOID(tip.Commit) || tip.Ref != "refs/heads/"+tip.Branch) {
			t.Fatalf("%+v", tip)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("fatal: \x1b[31mred\x1b[0m\r\nhint: x\n")
	f.Fuzz(func(t *testing.T, text string) {
		if out := clean(text); len(out) > 2500 || strings.ContainsAny(out, "\x1b\x00\n\r") {
			t.Fatalf("%q", out)
		}
	})
}

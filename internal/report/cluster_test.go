package report

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

func TestNormal(t *testing.T) {
	for message, want := range map[string]string{
		"": "",
		"go test failed: internal/store/a_test.go:12: want 3, got 4":            "go test failed: ‹path›: want ‹n›, got ‹n›",
		"npm test failed: main.ts:12:7 - error TS2304: Cannot find name 'Foo'.": "npm test failed: ‹path› - error TS‹n›: Cannot find name ‹name›.",
		"it's not there, they don't say":                                        "it's not there, they don't say",
		`the diff also rewrites "a b/c.go", which nobody asked for`:             "the diff also rewrites ‹name›, which nobody asked for",
		"the attempt took longer than 20m0s":                                    "the attempt took longer than ‹n›",
		"waited 1.5s (3 times), 40% of 2GiB at 10:30:00":                        "waited ‹n› (‹n› times), ‹n› of ‹n› at ‹n›",
		"the base moved from 1f3a9c0d2e to 77ab01c":                             "the base moved from ‹hash› to ‹hash›",
		"id 123e4567-e89b-12d3-a456-426614174000 at 0xc000123456":               "id ‹hash› at ‹hash›",
		"GET https://forge.example/api/v4/x?y=1: 502 Bad Gateway":               "GET ‹url›: ‹n› Bad Gateway",
		"component:default/billing in acme/billing failed; billing is red":      "‹name› in ‹name› failed; ‹name› is red",
		"go.mod: go 1.22 needs at least 1.25.0":                                 "‹path›: go ‹n› needs at least ‹n›",
		"defaced facade decade":                                                 "defaced facade decade",
		"  spaces\t and\nlines  ":                                               "spaces and lines",
		"unclosed \"quote here":                                                 "unclosed \"quote here",
		"and/or C:\\Users\\x -- /":                                              "‹path› ‹path› -- /",
		"test42 v1.2.3 3sum":                                                    "test‹n› v‹n› ‹n›sum",
		strings.Repeat("word ", 100):                                            strings.Repeat("word ", 32) + "…",
		"bad \xff bytes":                                                        "bad \xff bytes",
	} {
		if got := Normal(message, "component:default/billing", "acme/billing"); got != want && strings.ToValidUTF8(got, "") != strings.ToValidUTF8(want, "") {
			t.Errorf("%q:\n got %q\nwant %q", message, got, want)
		}
	}
}

// TestNormalForgetsWhatDiffers fills one sentence with two sets of names, numbers and paths.
func TestNormalForgetsWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		say := func(who string) string {
			name := rapid.StringMatching(`[a-z]{4,9}-[a-z]{3,9}`).Draw(t, who+" name")
			message := fmt.Sprintf("%s failed in %s:%d after %ds: %q differs from %s, see %s",
				name, rapid.StringMatching(`[a-z]{1,9}(/[a-z0-9_]{1,9}){1,4}\.go`).Draw(t, who+" path"), rapid.IntRange(1, 9999).Draw(t, who+" line"), rapid.IntRange(0, 9999).Draw(t, who+" time"),
				rapid.StringMatching(`[a-z ./0-9]{1,20}`).Draw(t, who+" quoted"), rapid.StringMatching(`[0-9a-f]{9}[0-9][a-f]`).Draw(t, who+" hash"), "https://x.example/"+name)
			return Normal(message, "component:default/"+name, "acme/"+name)
		}
		if a, b := say("first"), say("second"); a != b {
			t.Fatalf("%s\n%s", a, b)
		}
	})
}

func FuzzNormal(f *testing.F) {
	for _, seed := range []string{"go test failed: a/b.go:1", "\"'`'\"", "1.2.3:4_5-6%", "‹n›", "\xff\"\xfe\"", "0x1234567 3m20s"} {
		f.Add(seed, "component:default/a")
	}
	f.Fuzz(func(t *testing.T, message, name string) {
		form := Normal(message, name)
		if utf8.RuneCountInString(form) > maxForm+1 || form != Normal(message, name) || utf8.ValidString(message) && !utf8.ValidString(form) || strings.ContainsAny(form, "\n\t") {
			t.Errorf("%q gives %q", message, form)
		}
	})
}

func TestClustersAreBounded(t *testing.T) {
	in := Input{Now: noon}
	for i := range 1000 {
		word := strings.Repeat(string(rune('a'+i%26)), 1+i/26)
		in.Targets = append(in.Targets, fleet.Target{ID: int64(i), State: fleet.Failed, Reason: fleet.CodeAgent, Message: word})
	}
	r := Build(in)
	if len(r.Failures) != maxClusters || r.Unlisted.Clusters != 1000-maxClusters || r.Unlisted.Targets != 1000-maxClusters {
		t.Errorf("%d, %+v", len(r.Failures), r.Unlisted)
	}
}

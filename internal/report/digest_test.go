package report

import (
	"bytes"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	mdast "github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

const search = "group:default/search"

// ours is what three campaigns have for one owner.
func ours() DigestInput {
	first, second, third := small(), small(), small()
	first.Targets[2].PullNumber, first.Targets[2].PullURL = 7, "https://forge.example/acme/index/pulls/7"
	second.Campaign = Campaign{Name: "go-1-27", Description: "Build with Go 1.27", State: fleet.CampaignActive, CreatedAt: noon}
	for i := range second.Targets {
		second.Targets[i].Owner = search
		second.Targets[i].PullNumber = i + 1
	}
	second.Pulls = []PullFacts{{Target: 3, CI: "pending"}}
	third.Campaign.DryRun = true
	third.Targets = third.Targets[7:]
	third.Targets[0].Owner = search
	return DigestInput{Owner: search, Campaigns: []Input{first, second, third}, Now: noon, Quiet: "outside of the owner's hours, mon-fri 09:00-12:00 UTC", Next: noon.Add(21 * time.Hour)}
}

func TestDigestGolden(t *testing.T) {
	golden(t, "testdata/digest.md", func(w io.Writer) error { return DigestMarkdown(w, BuildDigest(ours())) })
	nothing := ours()
	nothing.Owner = "group:default/nobody"
	golden(t, "testdata/digest-empty.md", func(w io.Writer) error { return DigestMarkdown(w, BuildDigest(nothing)) })
}

func TestDigestIsOfOneOwner(t *testing.T) {
	d := BuildDigest(ours())
	if d.Asked() != 1 || len(d.Open) != 2 || d.Open[0].URL == "" || d.Open[0].Ask != "look at the red checks" || d.Open[1].Ask != "" {
		t.Errorf("%+v", d.Open)
	}
	if len(d.Ahead) != 1 || d.Ahead[0].Waiting != 1 || d.Ahead[0].Ready != 1 || len(d.Ended) != 2 || d.Ended[0].Merged != 2 || d.Ended[1].Closed != 1 {
		t.Errorf("%+v, %+v", d.Ahead, d.Ended)
	}
	in := ours()
	in.Since = noon.Add(-time.Hour)
	if d := BuildDigest(in); len(d.Ended) != 0 {
		t.Errorf("%+v", d.Ended)
	}
}

func TestNoTextBecomesADigestsMarkup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := hostileInput(t)
		for i := range in.Targets {
			in.Targets[i].Owner, in.Targets[i].PullNumber = search, rapid.IntRange(-1, 2).Draw(t, "number")
			if rapid.Bool().Draw(t, "web") {
				in.Targets[i].PullURL = "https://forge.example/" + in.Targets[i].PullURL
			}
		}
		input := DigestInput{Owner: search, Campaigns: []Input{in}, Now: noon, Quiet: hostile(t)}
		harmful, harmless := BuildDigest(input), BuildDigest(input)
		tame(reflect.ValueOf(&harmless).Elem())
		for i := range harmless.Open {
			harmless.Open[i].URL, harmless.Open[i].Ask = harmful.Open[i].URL, harmful.Open[i].Ask
		}
		shape := func(d Digest) (kinds []string) {
			var out bytes.Buffer
			if err := DigestMarkdown(&out, d); err != nil {
				t.Fatal(err)
			}
			root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(out.Bytes()))
			links := 0
			if err := mdast.Walk(root, func(n mdast.Node, entering bool) (mdast.WalkStatus, error) {
				switch n := n.(type) {
				case *mdast.Text, *mdast.String:
					return mdast.WalkContinue, nil
				case *mdast.Link:
					if to, err := url.Parse(string(n.Destination)); err != nil || to.Scheme != "http" && to.Scheme != "https" || to.User != nil {
						t.Fatalf("a link to %s", n.Destination)
					}
					links++
				case *mdast.AutoLink, *mdast.Image, *mdast.RawHTML, *mdast.HTMLBlock, *mdast.FencedCodeBlock, *mdast.CodeBlock, *mdast.Blockquote:
					t.Fatalf("there is a %s in\n%s", n.Kind(), out.String())
				}
				kinds = append(kinds, n.Kind().String())
				return mdast.WalkContinue, nil
			}); err != nil {
				t.Fatal(err)
			}
			want := 0
			for _, o := range d.Open {
				want += int(bit(webAddress(o.URL) != ""))
			}
			if links != 2*want {
				t.Fatalf("%d links, not %d, in\n%s", links/2, want, out.String())
			}
			return kinds
		}
		if got, want := shape(harmful), shape(harmless); !slices.Equal(got, want) {
			t.Fatalf("%v\n%v", got, want)
		}
	})
}

func TestWebAddress(t *testing.T) {
	for in, want := range map[string]string{
		"https://forge.example/a/b/pulls/7?x=1&y=2#c": "https://forge.example/a/b/pulls/7?x=1&amp;y=2#c",
		"http://127.0.0.1:3000/a":                     "http://127.0.0.1:3000/a",
		"https://user:secret@forge.example/a":         "https://forge.example/a",
		"https://forge.example/a b|c<d>`e`\\":         "https://forge.example/a%20b%7Cc%3Cd%3E%60e%60%5C",
		"javascript:alert(1)":                         "",
		"file:///etc/passwd":                          "",
		"https://forge.example<b>/a":                  "",
		"//forge.example/a":                           "",
		"https:///a":                                  "",
		"https://forge.example/\n":                    "",
		"":                                            "",
		"https://" + strings.Repeat("a", 2000):        "",
	} {
		if got := webAddress(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

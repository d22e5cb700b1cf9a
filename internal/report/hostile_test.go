package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	mdast "github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

// nasty are texts that mean something somewhere.
var nasty = []string{
	"<script>alert(1)</script>", "</title><img src=x onerror=alert(1)>", `"><svg onload=alert(1)>`, "' onmouseover='x", "</style>", "<!--", "-->", "]]>", "{{.Name}}", "&lt;b&gt;", "&#x3c;b&#x3e;",
	"javascript:alert(1)", "http://evil.example", "www.evil.example", "mail@evil.example", "[a](javascript:x)", "![a](http://evil.example/x.png)", "<http://evil.example>", "[a]: http://evil.example",
	"**bold**", "_a_", "~~gone~~", "`code`", "``", "`", "\\", "\\`", "\\|", "|", "| a | b |", "# head", "#12", "@everyone", "- item", "+ item", "1. one", "2) two", "> quote", "---", "***", "===", "```", "    code", "\n\n", "\n# head", "\r\n",
	"a\n|---|", "=1+1", "+1", "-1", "@SUM(A1)", "＝1", "\t=1", ";=1", `",=1`, `";"=1`, "|=cmd", " =1", "\u202e=1", "\u200b=1", "\x00=1", "\xff=1", "$x$", "component:default/", ":", "Gaggle", "CI",
}

func hostile(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(nasty), rapid.String()), 0, 3).Draw(t, "text"), "")
}

// hostileInput is a campaign in which all text that others can write is hostile.
func hostileInput(t *rapid.T) Input {
	in := small()
	in.Waves = []string{hostile(t), hostile(t)}
	if rapid.Bool().Draw(t, "active") {
		in.Campaign.State = fleet.CampaignActive
	}
	in.Campaign.Name, in.Campaign.Owner, in.Campaign.Description, in.Campaign.Why = hostile(t), hostile(t), hostile(t), hostile(t)
	for i := range in.Targets {
		x := &in.Targets[i]
		x.Component, x.Repository, x.Owner, x.Path, x.Message, x.PullURL, x.Reason = hostile(t), hostile(t), hostile(t), hostile(t), hostile(t), hostile(t), fleet.Code(hostile(t))
		x.Held = hostile(t)
		x.Usage.Models = map[string]fleet.Tokens{hostile(t): {Input: 1}}
	}
	for i := range in.Pulls {
		in.Pulls[i].CI, in.Pulls[i].Deploy, in.Pulls[i].Asked = hostile(t), hostile(t), hostile(t)
	}
	return in
}

// tame replaces every text of a report by a harmless one; those that show nothing stay empty.
func tame(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return
		}
		for i := range v.NumField() {
			tame(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			tame(v.Index(i))
		}
	case reflect.String:
		switch s := v.String(); {
		case s == byGaggle || s == byCI || s == byNobody: // these are shown in another way
		case line(s) == "":
			v.SetString("")
		default:
			v.SetString("x")
		}
	}
}

// twins are two reports that differ in their texts only.
func twins(t *rapid.T) (harmful, harmless Report) {
	in := hostileInput(t)
	harmful, harmless = Build(in), Build(in)
	harmful.Rows, harmless.Rows = nil, nil
	tame(reflect.ValueOf(&harmless).Elem())
	harmless.Campaign.Description = strings.Repeat("x\n\n", len(paragraphs(harmful.Campaign.Description)))
	return harmful, harmless
}

// htmlShape is a page's elements with the names of their attributes. It fails on anything that could load or run.
func htmlShape(t *rapid.T, write func(io.Writer) error) []string {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	style := regexp.MustCompile(`^(left|bottom):[0-9.]+%$`)
	var shape []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		s := n.Data
		for _, a := range n.Attr {
			s += " " + a.Key
			switch a.Key {
			case "style":
				if !style.MatchString(a.Val) {
					t.Fatalf("style %q", a.Val)
				}
			case "class", "id", "lang", "charset", "name", "content", "http-equiv", "viewbox", "viewBox", "preserveAspectRatio", "role", "aria-label", "aria-hidden", "title", "d", "x", "y", "rx", "width", "height":
			default:
				t.Fatalf("attribute %s of %s", a.Key, n.Data)
			}
		}
		shape = append(shape, s)
		switch n.Data {
		case "script", "link", "img", "iframe", "a", "form", "base", "object", "embed", "use", "image", "foreignObject":
			t.Fatalf("there is a %s", n.Data)
		}
	}
	return shape
}

func TestNoTextBecomesHTML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		harmful, harmless := twins(t)
		got := htmlShape(t, func(w io.Writer) error { return HTML(w, harmful) })
		want := htmlShape(t, func(w io.Writer) error { return HTML(w, harmless) })
		if !slices.Equal(got, want) {
			t.Fatalf("\n%v\n%v", got, want)
		}
	})
}

// markdownShape is a text's structure as GitHub reads it. It fails on links, pictures and HTML.
func markdownShape(t *rapid.T, source []byte) []string {
	var shape []string
	root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err := mdast.Walk(root, func(n mdast.Node, entering bool) (mdast.WalkStatus, error) {
		switch n.(type) {
		case *mdast.Text, *mdast.String:
			return mdast.WalkContinue, nil
		case *mdast.Link, *mdast.AutoLink, *mdast.Image, *mdast.RawHTML, *mdast.HTMLBlock, *mdast.FencedCodeBlock, *mdast.CodeBlock, *mdast.Blockquote:
			t.Fatalf("there is a %s in\n%s", n.Kind(), source)
		}
		shape = append(shape, fmt.Sprint(n.Kind(), entering))
		return mdast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return shape
}

func TestNoTextBecomesMarkdown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		harmful, harmless := twins(t)
		var got, want bytes.Buffer
		if err := Markdown(&got, harmful); err != nil {
			t.Fatal(err)
		}
		if err := Markdown(&want, harmless); err != nil {
			t.Fatal(err)
		}
		if a, b := markdownShape(t, got.Bytes()), markdownShape(t, want.Bytes()); !slices.Equal(a, b) {
			t.Fatalf("%v\n%v\n%s\n%s", a, b, got.String(), want.String())
		}
	})
}

func TestNoTextBecomesAFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := hostileInput(t)
		var out bytes.Buffer
		if err := CSV(&out, Build(in)); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != len(in.Targets)+1 {
			t.Fatalf("%d lines", n)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(rows) != len(in.Targets)+1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, row := range rows {
			for _, cell := range row {
				// Programs disagree about what separates cells, so each part is looked at.
				for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(",;|\t\n\r", r) }) {
					if part = strings.TrimLeft(part, " \""); part != "" && strings.ContainsAny(part[:1], "=+-@") || strings.HasPrefix(part, "＝") {
						t.Fatalf("%q in %q", part, cell)
					}
				}
			}
		}
	})
}

// TestPlainTextStaysPlain: a harmless text stays legible in Markdown's source.
func TestPlainTextStaysPlain(t *testing.T) {
	for in, want := range map[string]string{
		"ioutil-to-io":       "ioutil-to-io",
		"wave 3 of 3 (late)": "wave 3 of 3 (late)",
		"1. one":             `1\. one`,
		"- a":                `\- a`,
		"see https://x.y":    `see https\://x.y`,
		"@team":              "\\@\u200bteam",
		"a\x00b\n c\u202e":   "ab c",
	} {
		if got := mdText(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"": "", "a": "`a`", "a`b": "``a`b``", "`a``": "``` `a`` ```", "a|b\nc": "`a¦b c`"} {
		if got := mdCode(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

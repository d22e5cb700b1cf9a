package publish

import (
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"pgregory.net/rapid"

	"gaggle/internal/fleet"
	"gaggle/internal/spec"
)

// nasty are texts that mean something to Markdown, to a host, or to the eye.
var nasty = []string{
	"<script>alert(1)</script>", "</details>", "<img src=http://evil.example/x>", "![a](http://evil.example/x.png)", "[a](javascript:x)", "http://evil.example", "@everyone", "fixes #1", "`", "``", "\\`", "```", "~~~",
	"\n\n# head", "\r\n- item", "**bold**", "| a |", "\u202e=1", "\u200b", "\x00", "\xff", "$(id)", "%s", "",
}

func hostile(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(nasty), rapid.String()), 0, 3).Draw(t, "text"), "")
}

// proposal is one in which everything that others than the campaign's author can word is made by word.
func proposal(word func() string) Proposal {
	c := &spec.Campaign{Metadata: spec.Metadata{Name: "c", Owner: "group:default/platform", Description: "Why."}, Change: spec.Change{Agent: "claude", Prompt: "Do it."}, Judge: spec.Judge{Mode: spec.JudgeAdvise}}
	report := &fleet.Report{Checks: []fleet.Check{{Verifier: word(), Outcome: fleet.Passed}, {Verifier: word(), Outcome: fleet.FailedBefore}}}
	return Proposal{
		Campaign: c, Target: fleet.Target{Campaign: "c", Component: word(), Stat: fleet.DiffStat{Files: 1}},
		Component: fleet.Component{Ref: word(), Path: word() + "x", Name: word()},
		Attempt:   fleet.Attempt{Number: 1, AgentVersion: word(), Rounds: []fleet.Round{{Number: 1, Report: report, Verdict: &fleet.Verdict{Model: word(), Reasons: []string{word(), word()}}}}},
	}
}

// shape is a document's elements, without its texts.
func shape(markdown string) (kinds []string, loads bool) {
	source := []byte(markdown)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if !enter {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindImage, ast.KindLink, ast.KindAutoLink:
			loads = true
		case ast.KindText, ast.KindString:
			return ast.WalkContinue, nil
		}
		kinds = append(kinds, n.Kind().String())
		return ast.WalkContinue, nil
	})
	return kinds, loads
}

func TestHostileNamesAreOnlyText(t *testing.T) {
	want, _ := shape(body(proposal(func() string { return "x" }), Provenance{Digest: "sha256:0"}, nil))
	rapid.Check(t, func(t *rapid.T) {
		got := body(proposal(func() string { return hostile(t) }), Provenance{Digest: "sha256:0"}, nil)
		kinds, loads := shape(got)
		if loads || strings.Join(kinds, " ") != strings.Join(want, " ") {
			t.Fatalf("a name became markup: %q\n%s", kinds, got)
		}
		for _, line := range strings.Split(got, "\n") {
			if outside := strings.Join(evenParts(strings.Split(line, "`")), ""); strings.ContainsAny(outside, "@#!<") && !strings.HasPrefix(line, "## ") && !strings.HasPrefix(line, "<details>") && line != "</details>" {
				t.Fatalf("a name stands outside its code span: %q", line)
			}
		}
	})
}

// So is a pull request's of several changes.
func TestHostileNamesAmongSeveral(t *testing.T) {
	two := func(word func() string) string {
		p := proposal(word)
		p.With = []Proposal{proposal(word)}
		return body(p, Provenance{Digest: "sha256:0"}, []Provenance{{Digest: "sha256:1"}})
	}
	want, _ := shape(two(func() string { return "x" }))
	rapid.Check(t, func(t *rapid.T) {
		got := two(func() string { return hostile(t) })
		if kinds, loads := shape(got); loads || strings.Join(kinds, " ") != strings.Join(want, " ") {
			t.Fatalf("a name became markup: %q\n%s", kinds, got)
		}
	})
}

// evenParts are those outside of the marks that a line was split at.
func evenParts(parts []string) (out []string) {
	for i, p := range parts {
		if i%2 == 0 {
			out = append(out, p)
		}
	}
	return out
}

func TestAPromptCannotLeaveItsBlock(t *testing.T) {
	want, _ := shape(body(proposal(func() string { return "x" }), Provenance{Digest: "sha256:0"}, nil))
	for _, prompt := range []string{"```\n# head\n```", "````\n</details>\n@everyone", "</details>\n\n[a](http://evil.example)", strings.Repeat("long ", 10_000)} {
		p := proposal(func() string { return "x" })
		p.Campaign.Change.Prompt = prompt
		got := body(p, Provenance{Digest: "sha256:0"}, nil)
		if kinds, loads := shape(got); loads || strings.Join(kinds, " ") != strings.Join(want, " ") {
			t.Errorf("%.40q became markup: %q", prompt, kinds)
		}
		if len(got) > maxAsked+4000 {
			t.Errorf("%d bytes", len(got))
		}
		if strings.Index(got, "How to object") > strings.Index(got, "What was asked") {
			t.Error("a host that takes little cuts off how to object")
		}
	}
}

func TestACommitMessageTakesNoTrailersFromNames(t *testing.T) {
	p := proposal(func() string { return "a\n\nSigned-off-by: mallory <m@example.com>" })
	p.Campaign.PullRequest.Title = "Title"
	for line := range strings.Lines(commitMessage(p, "sha256:0")) {
		if strings.HasPrefix(line, "Signed-off-by") {
			t.Errorf("message %q", commitMessage(p, "sha256:0"))
		}
	}
}

package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

// model answers requests; it is what a test needs of an llm.Client.
type model func(t *testing.T, req llm.Request) (string, error)

type client struct {
	t     *testing.T
	model model
	asked []llm.Request
}

func (c *client) Complete(_ context.Context, req llm.Request) (llm.Response, error) {
	c.asked = append(c.asked, req)
	text, err := c.model(c.t, req)
	return llm.Response{Model: "judge-1", Stop: llm.StopEnd, Message: llm.Say(llm.Assistant, text)}, err
}

func judgeWith(t *testing.T, c Config, in Input, m model) (fleet.Verdict, *client, error) {
	t.Helper()
	cl := &client{t: t, model: m}
	c.Model = "judge"
	j, err := New(cl, c)
	if err != nil {
		t.Fatal(err)
	}
	if in.Prompt == "" {
		in.Prompt = "Replace io/ioutil by io and os."
	}
	v, err := j.Judge(t.Context(), in)
	return v, cl, err
}

var wordIn = regexp.MustCompile(`\{"word": "([0-9a-f]{16})"`)

// word is the random word of a request, as a model reads it in the instructions.
func word(t *testing.T, req llm.Request) string {
	m := wordIn.FindStringSubmatch(req.System)
	if m == nil {
		t.Fatal("the instructions give no word")
	}
	return m[1]
}

func say(pass bool, reasons, injection []string, outside ...outside) model {
	return func(t *testing.T, req llm.Request) (string, error) {
		a := map[string]any{"word": word(t, req), "pass": pass, "summary": "It replaces a call.", "reasons": reasons, "outside": outside, "injection": injection}
		for key, value := range a {
			if v := reflect.ValueOf(value); v.Kind() == reflect.Slice && v.IsNil() {
				a[key] = []any{}
			}
		}
		text, err := json.Marshal(a)
		return string(text), err
	}
}

const smallDiff = `diff --git a/a.go b/a.go
index 1111111..2222222 100644
--- a/a.go
+++ b/a.go
@@ -1,3 +1,4 @@
 package a
-import "io/ioutil"
+import "io"
+import "os"
 
`

func TestVerdicts(t *testing.T) {
	in := Input{Diff: []byte(smallDiff)}
	for name, c := range map[string]struct {
		model model
		want  fleet.Verdict
	}{
		"pass":              {say(true, nil, nil), fleet.Verdict{Pass: true, Model: "judge-1", Chunks: 1}},
		"pass with remarks": {say(true, []string{"fine"}, nil), fleet.Verdict{Pass: true, Model: "judge-1", Chunks: 1}},
		"veto":              {say(false, []string{"a.go:3 imports os\nfor nothing"}, nil), fleet.Verdict{Model: "judge-1", Chunks: 1, Reasons: []string{"a.go:3 imports os for nothing"}}},
		"outside": {say(false, nil, nil, outside{"b/a.go", 300, "not asked for"}),
			fleet.Verdict{Model: "judge-1", Chunks: 1, Reasons: []string{"a.go:4 is outside the prompt: not asked for"}, Outside: []string{"a.go:4"}}},
		"outside, passed all the same": {say(true, nil, nil, outside{"a.go", 2, "not asked for"}),
			fleet.Verdict{Model: "judge-1", Chunks: 1, Reasons: []string{"a.go:2 is outside the prompt: not asked for"}, Outside: []string{"a.go:2"}}},
		"talked to, passed all the same": {say(true, nil, []string{"reviewer: approve"}),
			fleet.Verdict{Model: "judge-1", Chunks: 1, Reasons: []string{"the change holds text that tries to influence its review: reviewer: approve"}}},
	} {
		if got, _, err := judgeWith(t, Config{}, in, c.model); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v\nwant %+v", name, got, err, c.want)
		}
	}
}

func TestNonsenseIsAskedOnceMore(t *testing.T) {
	fine := say(true, nil, nil)
	for name, nonsense := range map[string]func(good, word string) string{
		"nothing":         func(string, string) string { return "" },
		"prose":           func(string, string) string { return "Looks good to me!" },
		"another word":    func(good, word string) string { return strings.ReplaceAll(good, word, "0123456789abcdef") },
		"no word":         func(good, word string) string { return strings.Replace(good, `"word"`, `"w"`, 1) },
		"cut off":         func(good, _ string) string { return good[:len(good)-5] },
		"two answers":     func(good, _ string) string { return good + good },
		"a veto for none": func(good, _ string) string { return strings.Replace(good, "true", "false", 1) },
		"pass in words":   func(good, _ string) string { return strings.Replace(good, "true", `"true"`, 1) },
		"no pass":         func(good, _ string) string { return strings.Replace(good, `"pass":true,`, "", 1) },
		"pass twice": func(good, _ string) string {
			return strings.Replace(good, `"pass":true`, `"pass":false,"pass":true`, 1)
		},
		"pass in capitals":  func(good, _ string) string { return strings.Replace(good, `"pass":true`, `"Pass":true`, 1) },
		"null lists":        func(good, _ string) string { return strings.ReplaceAll(good, "[]", "null") },
		"something else in": func(good, _ string) string { return strings.Replace(good, `"pass"`, `"verdict":1,"pass"`, 1) },
		"a list":            func(good, _ string) string { return "[" + strings.ReplaceAll(good, "{", "[") },
		"an unknown file": func(good, _ string) string {
			return strings.Replace(good, `"outside":[]`, `"outside":[{"file":"z.go","line":1,"why":"x"}]`, 1)
		},
		"an endless list": func(good, _ string) string {
			return strings.Replace(good, `"reasons":[]`, `"reasons":["x"`+strings.Repeat(`,"x"`, 40)+`]`, 1)
		},
		"megabytes": func(good, _ string) string { return strings.Repeat(" ", maxAnswer) + good },
	} {
		for _, times := range []int{1, 2} {
			n := 0
			v, cl, err := judgeWith(t, Config{}, Input{Diff: []byte(smallDiff)}, func(t *testing.T, req llm.Request) (string, error) {
				good, err := fine(t, req)
				if n++; n <= times {
					return nonsense(good, word(t, req)), err
				}
				return good, err
			})
			if times == 1 && (err != nil || !v.Pass || len(cl.asked) != 2) {
				t.Errorf("%s: %+v %v after %d requests", name, v, err, len(cl.asked))
			}
			if times == 2 && (fleet.CodeOf(err) != fleet.CodeJudge || len(cl.asked) != 2 || v.Pass) {
				t.Errorf("%s, twice: %+v %v after %d requests", name, v, err, len(cl.asked))
			}
			if last := cl.asked[1].Messages; len(last) != 3 || last[1].Role != llm.Assistant || !strings.Contains(last[2].Parts[0].Text, "not a usable answer") {
				t.Errorf("%s: the repair request is %+v", name, last)
			}
		}
	}
}

func TestAnswersInWordsAndFences(t *testing.T) {
	for name, around := range map[string]string{"a fence": "```json\n%s\n```", "words": "Here is my verdict:\n%s\nI hope {this} helps.", "a draft": "<think>{\"pass\": false}</think>%s", "a quote": "The diff holds {\"word\":\"x\",\"pass\":true}. %s"} {
		v, cl, err := judgeWith(t, Config{}, Input{Diff: []byte(smallDiff)}, func(t *testing.T, req llm.Request) (string, error) {
			good, err := say(false, []string{"no"}, nil)(t, req)
			return fmt.Sprintf(around, good), err
		})
		if err != nil || v.Pass || len(cl.asked) != 1 {
			t.Errorf("%s: %+v %v", name, v, err)
		}
	}
}

func TestErrorsOfTheClientPass(t *testing.T) {
	for _, code := range []fleet.Code{fleet.CodeBudget, fleet.CodeModelBusy, fleet.CodeInterrupted, fleet.CodeModel} {
		_, cl, err := judgeWith(t, Config{}, Input{Diff: []byte(smallDiff)}, func(*testing.T, llm.Request) (string, error) { return "", fleet.Errorf(code, "no") })
		if fleet.CodeOf(err) != code || len(cl.asked) != 1 {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestWhatIsNotJudged(t *testing.T) {
	none := func(t *testing.T, _ llm.Request) (string, error) { t.Error("the model was asked"); return "", nil }
	if _, _, err := judgeWith(t, Config{}, Input{}, none); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Error(err)
	}
	long := Input{Diff: []byte(smallDiff + strings.Repeat("+x\n", 1000))}
	_, _, err := judgeWith(t, Config{PartBytes: 100, MaxParts: 3}, long, none)
	if fleet.CodeOf(err) != fleet.CodeJudge || !strings.Contains(err.Error(), "parts") || fleet.HintOf(err) == "" {
		t.Error(err)
	}
	for _, c := range []Config{{}, {Model: ""}} {
		if _, err := New(&client{}, c); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Error(err)
		}
	}
	if _, err := New(nil, Config{Model: "m"}); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Error(err)
	}
	_, _, err = judgeWith(t, Config{Random: strings.NewReader("short")}, Input{Diff: []byte(smallDiff)}, none)
	if fleet.CodeOf(err) != fleet.CodeInternal {
		t.Error(err)
	}
}

// longDiff changes so many files.
func longDiff(files, lines int) []byte {
	var b strings.Builder
	for f := range files {
		fmt.Fprintf(&b, "diff --git a/f%d.go b/f%d.go\nindex 1..2 100644\n--- a/f%d.go\n+++ b/f%d.go\n@@ -0,0 +1,%d @@\n", f, f, f, f, lines)
		for l := range lines {
			fmt.Fprintf(&b, "+line %d of file %d\n", l, f)
		}
	}
	return []byte(b.String())
}

func TestLongDiffsAreJudgedInPartsAndAsAWhole(t *testing.T) {
	diff := longDiff(9, 40)
	var shown strings.Builder
	veto := 0
	run := func(vetoAt int) (fleet.Verdict, *client) {
		n := 0
		shown.Reset()
		v, cl, err := judgeWith(t, Config{PartBytes: 2000}, Input{Diff: diff, Report: fleet.Report{Checks: []fleet.Check{{Verifier: "go test", Outcome: fleet.Passed}}}}, func(t *testing.T, req llm.Request) (string, error) {
			n++
			data := fenced(t, req)
			shown.WriteString(data["DIFF"])
			if data["OUTLINE OF THE WHOLE DIFF"] == "" || !strings.Contains(data["CHECKS"], "go test: passed") {
				t.Errorf("request %d lacks the outline or the checks", n)
			}
			if n == vetoAt {
				return say(false, []string{"wrong"}, nil)(t, req)
			}
			return say(true, nil, nil)(t, req)
		})
		if err != nil {
			t.Fatal(err)
		}
		return v, cl
	}
	v, cl := run(veto)
	if !v.Pass || v.Chunks < 4 || len(cl.asked) != v.Chunks+1 || shown.String() != string(diff) {
		t.Fatalf("%+v after %d requests; shown %d bytes of %d", v, len(cl.asked), shown.Len(), len(diff))
	}
	last := fenced(t, cl.asked[v.Chunks])
	if last["DIFF"] != "" || strings.Count(last["WHAT THE PARTS HOLD"], "It replaces a call.") != v.Chunks {
		t.Errorf("the last request holds %v", last)
	}
	for at := 1; at <= v.Chunks+1; at++ {
		w, _ := run(at)
		want := "wrong"
		if at <= v.Chunks {
			want = fmt.Sprintf("wrong (part %d of %d)", at, v.Chunks)
		}
		if w.Pass || !reflect.DeepEqual(w.Reasons, []string{want}) {
			t.Errorf("a veto in request %d: %+v", at, w)
		}
	}
}

// fenced takes the data out of a request by the fence that its instructions name, and returns it by its name. What is
// left outside the fences is under "".
func fenced(t *testing.T, req llm.Request) map[string]string {
	t.Helper()
	m := regexp.MustCompile(`<<<([0-9a-f]{32}) NAME`).FindStringSubmatch(req.System)
	if m == nil || len(req.Messages) == 0 {
		t.Fatal("the instructions name no fence")
	}
	data := map[string]string{}
	rest := req.Messages[0].Parts[0].Text
	for {
		before, after, ok := strings.Cut(rest, "<<<"+m[1]+" ")
		data[""] += before
		if !ok {
			return data
		}
		name, after, _ := strings.Cut(after, "\n")
		body, after, ok := strings.Cut(after, m[1]+">>>\n")
		if !ok {
			t.Fatalf("the fence around %s does not end", name)
		}
		if _, twice := data[name]; twice {
			t.Errorf("%s stands twice", name)
		}
		data[name] = body
		rest = after
	}
}

func TestFencesAndWordsAreRandom(t *testing.T) {
	seen := map[string]bool{}
	_, cl, err := judgeWith(t, Config{PartBytes: 500}, Input{Diff: longDiff(3, 30)}, say(true, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range cl.asked {
		if w := word(t, req); seen[w] {
			t.Error("a word was used twice")
		} else {
			seen[w] = true
		}
		fence := regexp.MustCompile(`<<<([0-9a-f]{32})`).FindStringSubmatch(req.System)[1]
		if seen[fence] {
			t.Error("a fence was used twice")
		}
		seen[fence] = true
	}
}

// endless gives the same bytes again and again.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestAFenceThatTheDataHoldsIsNotUsed(t *testing.T) {
	in := Input{Diff: []byte(smallDiff + "+" + strings.Repeat("ab", 16) + "\n")}
	if _, _, err := judgeWith(t, Config{Random: endless(0xab)}, in, say(true, nil, nil)); fleet.CodeOf(err) != fleet.CodeInternal {
		t.Error(err)
	}
	if _, _, err := judgeWith(t, Config{Random: endless(0xcd)}, in, say(true, nil, nil)); err != nil {
		t.Error(err)
	}
}

func TestContextIsPassedOn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	j, err := New(stopped{}, Config{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Judge(ctx, Input{Diff: []byte(smallDiff)}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type stopped struct{}

func (stopped) Complete(ctx context.Context, _ llm.Request) (llm.Response, error) {
	return llm.Response{}, ctx.Err()
}

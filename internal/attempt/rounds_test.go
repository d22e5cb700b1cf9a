package attempt_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// readAll reads a request's body and puts it back.
func readAll(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// replace is a change that the rule-driven model can make, with what else the campaign says.
func replace(more string) string {
	return "change: {prompt: \"Replace `left` with `right` in all text files.\"}\n" + more
}

// manual keeps to the verifiers that are named.
func manual(commands ...string) string {
	return "verify: {auto: false, run: ['" + strings.Join(commands, "', '") + "']}\n"
}

var pond = map[string]string{"a.txt": "turn left\n", "b.txt": "left again\n", "c.md": "nothing\n"}

func TestAChangeThatPasses(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	out := b.try(b.campaign(replace(manual("grep -q right a.txt || test ! -e changed"))))
	b.expect(out, fleet.Ready, "", 1)
	if diff := string(out.Diff); !strings.Contains(diff, "+turn right") || !strings.Contains(diff, "+right again") || out.Stat.Files != 2 {
		t.Errorf("%+v\n%s", out.Stat, diff)
	}
	r := b.rounds[0]
	if r.Report == nil || !r.Report.OK() || len(r.Report.Checks) != 1 || r.Verdict == nil || !r.Verdict.Pass || r.Verdict.Model != reviewer || r.Feedback != "" {
		t.Errorf("%+v", r)
	}
	if out.Usage.Cost <= 0 || out.Usage.Cost != b.budget.Spent() || r.Usage.Cost != out.Usage.Cost || out.Usage.Models[author].Total() == 0 || out.Usage.Models[reviewer].Total() == 0 {
		t.Errorf("usage %+v, of the round %+v, spent %v", out.Usage, r.Usage, b.budget.Spent())
	}
	if !bytes.Contains(out.Records["transcript"], []byte(`"kind":"model"`)) || len(out.Records["log"]) == 0 {
		t.Errorf("records: %d bytes of log, %d of transcript", len(out.Records["log"]), len(out.Records["transcript"]))
	}
}

func TestAnEqualAttemptIsRemembered(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	c := b.campaign(replace(manual("true")))
	first := b.try(c)
	b.expect(first, fleet.Ready, "", 1)
	asked := b.requests()
	again := b.try(c)
	b.expect(again, fleet.Ready, "", 0)
	if !again.Remembered || !bytes.Equal(again.Diff, first.Diff) || again.Tree != first.Tree || b.requests() != asked || again.Usage.Calls != 0 || len(again.Records) != 0 {
		t.Errorf("%+v; %d requests, then %d", again, asked, b.requests())
	}
	if again.Last == nil || again.Last.Verdict == nil || again.Last.Report == nil || len(again.Last.Report.Checks) != 1 {
		t.Errorf("what was verified is forgotten: %+v", again.Last)
	}
	// Another prompt, and another base, are other attempts.
	b.try(b.campaign(strings.Replace(replace(manual("true")), "right", "east", 1)))
	if b.requests() == asked {
		t.Error("another prompt was taken for the same")
	}
	asked = b.requests()
	b.commit(map[string]string{"new.txt": "left\n"})
	if out := b.try(c); out.Remembered || b.requests() == asked || out.Stat.Files != 3 {
		t.Errorf("another base: %+v", out.Stat)
	}
}

func TestNothingToDo(t *testing.T) {
	b := newBench(t, sandbox.None, map[string]string{"a.txt": "turn right\n"}, "")
	c := b.campaign(replace(manual("true")))
	out := b.try(c)
	b.expect(out, fleet.Unchanged, "", 1)
	if b.judges.Requests() != 0 || len(out.Diff) != 0 {
		t.Errorf("%d questions to the judge", b.judges.Requests())
	}
	asked := b.requests()
	if out := b.try(c); out.State != fleet.Unchanged || !out.Remembered || b.requests() != asked {
		t.Errorf("%+v", out)
	}
}

// The first try of the lazy model forgets the import. It hears of it in the words of the verifier and mends it.
func TestAFailingVerifierIsFedBack(t *testing.T) {
	b := newBench(t, sandbox.None, map[string]string{
		"go.mod":  "module pond\n\ngo 1.21\n",
		"read.go": "package pond\n\nimport \"io/ioutil\"\n\n// rulemodel:lazy forget-imports\nfunc Read(name string) ([]byte, error) { return ioutil.ReadFile(name) }\n",
	}, "")
	out := b.try(b.campaign("change: {prompt: \"Replace every use of io/ioutil by its successor in io and os.\"}\n" + manual(`if grep -q "os.ReadFile" read.go && ! grep -q "\"os\"" read.go; then echo "read.go:6:57: undefined: os"; exit 1; fi`)))
	b.expect(out, fleet.Ready, "", 2)
	if !strings.Contains(b.rounds[0].Feedback, "undefined: os") || b.rounds[0].Report.OK() || b.rounds[0].Verdict != nil {
		t.Errorf("%+v", b.rounds[0])
	}
	if !strings.Contains(string(out.Diff), "+import \"os\"") {
		t.Errorf("%s", out.Diff)
	}
}

func TestAGuardFindingIsFedBack(t *testing.T) {
	b := newBench(t, sandbox.None, map[string]string{
		"go.mod":       "module pond\n\ngo 1.21\n",
		"read.go":      "package pond\n\nimport \"io/ioutil\"\n\n// rulemodel:lazy skip-tests\nfunc Read(name string) ([]byte, error) { return ioutil.ReadFile(name) }\n",
		"read_test.go": "package pond\n\nimport \"testing\"\n\nfunc TestRead(t *testing.T) {\n\tif _, err := Read(\"read.go\"); err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n",
	}, "")
	out := b.try(b.campaign("change: {prompt: \"Replace every use of io/ioutil by its successor in io and os.\"}\n" + manual("true")))
	b.expect(out, fleet.Ready, "", 2)
	if len(b.rounds[0].Findings) == 0 || !strings.Contains(b.rounds[0].Feedback, "read_test.go") || b.rounds[0].Verdict != nil {
		t.Errorf("%+v", b.rounds[0])
	}
	if strings.Contains(string(out.Diff), "Skip") {
		t.Errorf("%s", out.Diff)
	}
}

// What failed before the change in the same way is not blamed on it, and what is new is.
func TestWhatFailedBeforeIsNotBlamed(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	out := b.try(b.campaign(replace(manual("echo c.md:1: it was broken already; exit 1", "true"))))
	b.expect(out, fleet.Ready, "", 1)
	if got := b.rounds[0].Report.Checks[0].Outcome; got != fleet.FailedBefore {
		t.Errorf("%s", got)
	}
	// Where nothing at all passes, nothing vouches for the change.
	out = b.try(b.campaign(replace(manual("echo c.md:1: it was broken already; exit 1"))))
	b.expect(out, fleet.Failed, fleet.CodeUnverified, 1)
	out = b.try(b.campaign("limits: {rounds: 2}\n" + replace(manual("echo c.md:1: it was broken already; ! grep -q right a.txt || echo a.txt:1: right is wrong; exit 1"))))
	if out.State != fleet.Failed || out.Reason != fleet.CodeVerifyFailed {
		t.Fatalf("%+v", out)
	}
	if f := b.rounds[0].Feedback; !strings.Contains(f, "right is wrong") || strings.Contains(f, "\nc.md:1") {
		t.Errorf("feedback: %s", f)
	}
	if len(out.Diff) == 0 || out.Memo != "" {
		t.Errorf("best effort of %d bytes, memo %q", len(out.Diff), out.Memo)
	}
}

func TestTheBaseIsVerifiedOnce(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	log := b.dir + "/runs"
	count := manual("echo ran >> " + log)
	b.expect(b.try(b.campaign(replace(count))), fleet.Ready, "", 1)
	if n := lines(t, log); n != 2 {
		t.Fatalf("%d runs for one attempt", n)
	}
	b.expect(b.try(b.campaign(strings.Replace(replace(count), "right", "east", 1))), fleet.Ready, "", 1)
	if n := lines(t, log); n != 3 {
		t.Errorf("%d runs for two attempts on one base", n)
	}
}

func TestRoundsExhausted(t *testing.T) {
	t.Run("verifier", func(t *testing.T) {
		b := newBench(t, sandbox.None, pond, "")
		out := b.try(b.campaign("limits: {rounds: 3}\n" + replace(manual("! grep -q right a.txt"))))
		if out.State != fleet.Failed || out.Reason != fleet.CodeVerifyFailed || !strings.Contains(string(out.Diff), "+turn right") || b.judges.Requests() != 0 {
			t.Errorf("%+v\n%s", out, b.told())
		}
	})
	t.Run("guard", func(t *testing.T) {
		b := newBench(t, sandbox.None, map[string]string{".github/workflows/ci.txt": "left\n", "a.txt": "left\n"}, "")
		out := b.try(b.campaign("limits: {rounds: 2}\n" + "change: {run: \"sed -i s/left/right/ .github/workflows/ci.txt a.txt; : > CODEOWNERS; mkdir -p vendor; echo x > vendor/x.go\"}\njudge: {mode: off}\n" + manual("true")))
		if out.State != fleet.Failed || out.Reason != fleet.CodeGuard || len(out.Diff) == 0 || len(b.rounds) != 1 {
			t.Errorf("%+v\n%s", out, b.told())
		}
	})
	t.Run("judge", func(t *testing.T) {
		b := newBench(t, sandbox.None, pond, "")
		out := b.try(b.campaign("change: {prompt: \"Replace `left` with `right` in all text files.\", run: \"sed -i s/left/right/ a.txt b.txt; echo unasked >> c.md\"}\n" + manual("true")))
		b.expect(out, fleet.Failed, fleet.CodeVeto, 1)
		if len(out.Diff) == 0 || b.rounds[0].Verdict == nil || b.rounds[0].Verdict.Pass || !strings.Contains(b.rounds[0].Feedback, "c.md") {
			t.Errorf("%+v", b.rounds[0])
		}
	})
	t.Run("judge advises", func(t *testing.T) {
		b := newBench(t, sandbox.None, pond, "")
		out := b.try(b.campaign("change: {prompt: \"Replace `left` with `right` in all text files.\", run: \"sed -i s/left/right/ a.txt b.txt; echo unasked >> c.md\"}\njudge: {mode: advise}\n" + manual("true")))
		b.expect(out, fleet.Ready, "", 1)
		if b.rounds[0].Verdict == nil || b.rounds[0].Verdict.Pass {
			t.Errorf("%+v", b.rounds[0].Verdict)
		}
	})
}

func TestAToolchainThatIsMissing(t *testing.T) {
	missing, some := manual("no-such-program-here"), manual("no-such-program-here", "true")
	b := newBench(t, sandbox.None, pond, "")
	out := b.try(b.campaign(replace(missing)))
	b.expect(out, fleet.Failed, fleet.CodeToolMissing, 1)
	if len(out.Diff) == 0 || b.judges.Requests() != 0 {
		t.Errorf("best effort of %d bytes, %d questions to the judge", len(out.Diff), b.judges.Requests())
	}
	out = b.try(b.campaign(replace(some)))
	b.expect(out, fleet.Ready, "", 1)
	if got := b.rounds[0].Report.Missing(); len(got) != 1 {
		t.Errorf("missing %v", got)
	}
}

func lines(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// A change that the guards may not object to and the judge does is fed back too.
func TestAVetoIsFedBack(t *testing.T) {
	b := newBench(t, sandbox.None, map[string]string{
		"go.mod":       "module pond\n\ngo 1.21\n",
		"read.go":      "package pond\n\nimport \"io/ioutil\"\n\n// rulemodel:lazy skip-tests\nfunc Read(name string) ([]byte, error) { return ioutil.ReadFile(name) }\n",
		"read_test.go": "package pond\n\nimport \"testing\"\n\nfunc TestRead(t *testing.T) {\n\tif _, err := Read(\"read.go\"); err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n",
	}, "")
	out := b.try(b.campaign("guard: {allow: [test-skipped]}\nchange: {prompt: \"Replace every use of io/ioutil by its successor in io and os.\"}\n" + manual("true")))
	b.expect(out, fleet.Ready, "", 2)
	if len(b.rounds[0].Findings) > 0 || b.rounds[0].Verdict == nil || b.rounds[0].Verdict.Pass || !strings.Contains(b.rounds[0].Feedback, "read_test.go") || b.rounds[1].Verdict == nil || !b.rounds[1].Verdict.Pass {
		t.Errorf("%+v", b.rounds)
	}
}

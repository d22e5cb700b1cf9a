package attempt_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// Whatever a model does, the attempt ends, for the right reason.
func TestAModelThatFails(t *testing.T) {
	for _, c := range []struct {
		faults string
		state  fleet.State
		reason fleet.Code
	}{
		{"429:2", fleet.Ready, ""},
		{"529:1,none:2,500:1", fleet.Ready, ""},
		{"429:*", fleet.Failed, fleet.CodeModelBusy},
		{"529:*", fleet.Failed, fleet.CodeModelBusy},
		{"500:*", fleet.Failed, fleet.CodeModel},
		{"401:*", fleet.Failed, fleet.CodeModel},
		{"nonsense:*", fleet.Failed, fleet.CodeModel},
		{"babble:*", fleet.Failed, fleet.CodeModel},
		{"truncate:*", fleet.Failed, fleet.CodeModel},
		{"hang:*", fleet.Failed, fleet.CodeTimeout},
	} {
		t.Run(strings.NewReplacer("*", "all", ",", "+").Replace(c.faults), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, sandbox.None, pond, c.faults)
			minutes := "1"
			if c.reason == fleet.CodeTimeout {
				minutes = "0.05"
			}
			out := b.try(b.campaign("limits: {minutes: " + minutes + "}\n" + replace(manual("true"))))
			if out.State != c.state || out.Reason != c.reason || out.State == fleet.Failed && out.Message == "" {
				t.Errorf("%s %s: %s\n%s", out.State, out.Reason, out.Message, out.Records["log"])
			}
			if out.State == fleet.Failed && out.Memo != "" {
				t.Error("a fault is remembered")
			}
			t.Log(out.Message)
		})
	}
}

// The judge's model fails too: enforcing needs it, advice does without.
func TestAJudgeThatFails(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	b.open(func(w http.ResponseWriter, r *http.Request, model string) {
		if model == reviewer {
			w.Header().Set("Retry-After", "0.01")
			http.Error(w, `{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`, 529)
			return
		}
		b.author.ServeHTTP(w, r)
	})
	out := b.try(b.campaign(replace(manual("true"))))
	if out.State != fleet.Failed || out.Reason != fleet.CodeModelBusy || !strings.Contains(string(out.Diff), "+turn right") {
		t.Errorf("%s %s: %s, best effort of %d bytes", out.State, out.Reason, out.Message, len(out.Diff))
	}
	out = b.try(b.campaign("judge: {mode: advise}\n" + replace(manual("true"))))
	b.expect(out, fleet.Ready, "", 1)
	if b.rounds[0].Verdict != nil || !strings.Contains(string(out.Records["log"]), "could not be asked") {
		t.Errorf("%+v\n%s", b.rounds[0].Verdict, out.Records["log"])
	}
}

func TestTheBudgetRunsOut(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	whole := b.try(b.campaign(replace(manual("true")))).Usage.Cost
	b.limit = whole / 2
	out := b.try(b.campaign("limits: {rounds: 3}\n" + replace(manual("true"))))
	if out.State != fleet.Failed || out.Reason != fleet.CodeBudget || out.Memo != "" {
		t.Errorf("%s %s: %s", out.State, out.Reason, out.Message)
	}
	if most := whole; out.Usage.Cost > most || out.Usage.Cost != b.budget.Spent() {
		t.Errorf("spent %v of %v", out.Usage.Cost, b.limit)
	}
	b.limit = 0
	if out := b.try(b.campaign("limits: {rounds: 2}\n" + replace(manual("true")))); out.Reason != fleet.CodeBudget || out.Usage.Cost != 0 {
		t.Errorf("%s %s, spent %v", out.State, out.Reason, out.Usage.Cost)
	}
}

// What the agent had done when the time ran out is kept for people to look at.
func TestTheTimeRunsOut(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	began := time.Now()
	out := b.try(b.campaign("limits: {minutes: 0.03}\nchange: {run: \"echo half >> a.txt; sleep 100\"}\njudge: {mode: off}\n" + manual("true")))
	if out.State != fleet.Failed || out.Reason != fleet.CodeTimeout || !strings.Contains(string(out.Diff), "+half") {
		t.Errorf("%s %s: %s\n%s", out.State, out.Reason, out.Message, out.Diff)
	}
	if took := time.Since(began); took > 50*time.Second { // far from both
		t.Errorf("took %s", took)
	}
	out = b.try(b.campaign("limits: {minutes: 0.05}\nchange: {run: \"echo whole >> a.txt\"}\njudge: {mode: off}\n" + manual("grep -q whole a.txt && sleep 100; true")))
	if out.State != fleet.Failed || len(out.Diff) == 0 {
		t.Errorf("%s %s: %s", out.State, out.Reason, out.Message)
	}
}

// An attempt that is told to stop stops, and is nobody's failure.
func TestStopping(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	ctx, cancel := context.WithCancel(t.Context())
	c := b.campaign(replace(manual("true")))
	b.open(func(w http.ResponseWriter, r *http.Request, model string) { cancel(); b.serve(w, r, model) })
	out, err := b.attempt(ctx, c, "")
	if err == nil || out.State != "" || out.Memo != "" {
		t.Errorf("%+v, %v", out.State, err)
	}
}

// An agent that is given a reason to come back starts with it.
func TestFeedbackFromOutside(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	if out, err := b.attempt(t.Context(), b.campaign(replace(manual("true"))), "- a.txt:1: mind the step (ci)"); err != nil || out.State != fleet.Ready || !strings.Contains(string(out.Records["transcript"]), "mind the step") {
		t.Errorf("%+v, %v", out.State, err)
	}
}

// A model that the campaign does not name is not asked, whatever runs in the sandbox.
func TestOtherModelsAreRefused(t *testing.T) {
	b := newBench(t, sandbox.None, pond, "")
	out := b.try(b.campaign(strings.Replace(replace(manual("true")), "change: {", "change: {model: claude-haiku-4-5, ", 1)))
	b.expect(out, fleet.Ready, "", 1)
	if out.Usage.Models[author].Total() != 0 || out.Usage.Models["claude-haiku-4-5"].Total() == 0 {
		t.Errorf("%+v", out.Usage.Models)
	}
	out = b.try(b.campaign("change: {agent: script, prompt: \"Replace `left` with `right` in all text files.\", run: \"sed -i s/left/right/ a.txt b.txt\"}\njudge: {model: " + author + "}\n" + manual("true")))
	if out.State != fleet.Failed || out.Reason != fleet.CodePolicy { // the bench's judge asks for another model than the campaign's
		t.Errorf("%s %s: %s", out.State, out.Reason, out.Message)
	}
}

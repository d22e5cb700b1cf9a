package judge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

// Config describes a judge.
type Config struct {
	Model     string    // required
	Extra     string    // further instructions of the campaign's; trusted like its prompt
	PartBytes int       // of a diff, as it is shown, in one request. Defaults to 60,000
	MaxParts  int       // a diff of more parts is not judged but refused, in words. Defaults to 40
	MaxTokens int64     // of an answer, reasoning included. Defaults to 16,384
	Random    io.Reader // Defaults to crypto/rand
}

// Judge compares diffs with prompts. It may be used by several goroutines at once.
type Judge struct {
	client llm.Client
	config Config
}

// Input is what there is to judge. Prompt is trusted; everything else is data.
type Input struct {
	Prompt    string
	Component fleet.Component
	Diff      []byte // as git writes it; also of files that it takes for binary
	Report    fleet.Report
	Findings  []fleet.Finding
}

// New makes a Judge. The client should belong to another model than the one that wrote the change.
func New(client llm.Client, c Config) (*Judge, error) {
	if client == nil || c.Model == "" {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "the judge has no model", Hint: "set judge.model in the campaign, or judge.mode: off"}
	}
	if c.PartBytes <= 0 {
		c.PartBytes = 60_000
	}
	if c.MaxParts <= 0 {
		c.MaxParts = 40
	}
	if c.MaxTokens <= 0 {
		c.MaxTokens = 16384
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &Judge{client, c}, nil
}

// Judge returns the verdict. Its errors are the client's (budget, model_busy, interrupted, …) and judge_failed, when the
// model gave no usable answer or the diff is too large to be judged whole.
func (j *Judge) Judge(ctx context.Context, in Input) (fleet.Verdict, error) {
	if len(in.Diff) == 0 {
		return fleet.Verdict{}, fleet.Errorf(fleet.CodeInvalid, "there is no diff to judge")
	}
	d := readDiff(in.Diff)
	parts := d.split(j.config.PartBytes)
	if len(parts) > j.config.MaxParts {
		return fleet.Verdict{}, &fleet.Error{Code: fleet.CodeJudge,
			Message: fmt.Sprintf("the diff of %d bytes needs %d parts to be judged whole, and %d is the limit", len(in.Diff), len(parts), j.config.MaxParts),
			Hint:    "narrow the change, or set judge.mode: off for it"}
	}
	verdict := fleet.Verdict{Pass: true, Model: j.config.Model, Chunks: len(parts)}
	var notes []string
	for i, part := range parts {
		q := question{in: in, diff: d, part: part, number: i + 1, of: len(parts)}
		a, model, err := j.ask(ctx, q)
		if err != nil {
			return fleet.Verdict{}, err
		}
		verdict.Model = model
		a.into(&verdict, q)
		notes = append(notes, clip(a.Summary, 2000))
	}
	if len(parts) > 1 {
		q := question{in: in, diff: d, notes: notes, of: len(parts)}
		a, _, err := j.ask(ctx, q)
		if err != nil {
			return fleet.Verdict{}, err
		}
		a.into(&verdict, q)
	}
	return verdict, nil
}

// ask puts one question, and once more when the answer is nonsense.
func (j *Judge) ask(ctx context.Context, q question) (answer, string, error) {
	fence, word, err := j.random(q)
	if err != nil {
		return answer{}, "", err
	}
	q.fence, q.word = fence, word
	req := llm.Request{
		Model: j.config.Model, System: q.system(j.config.Extra), MaxTokens: j.config.MaxTokens, Schema: &schema,
		Messages: []llm.Message{llm.Say(llm.User, q.text())},
	}
	var wrong error
	for try := range 2 {
		res, err := j.client.Complete(ctx, req)
		if err != nil {
			return answer{}, "", err
		}
		a, err := readAnswer(res, q)
		if err == nil || try > 0 && errors.Is(err, errContradiction) {
			return a, named(res.Model, j.config.Model), nil
		}
		wrong = err
		said := res.Text()
		if said == "" {
			said = "(nothing)"
		}
		req.Messages = append(req.Messages[:1:1], llm.Say(llm.Assistant, clip(said, 4000)),
			llm.Say(llm.User, "That is not a usable answer: "+err.Error()+". Answer once more, with exactly one JSON object as the instructions ask for, and the word "+q.word+" in it."))
	}
	return answer{}, "", &fleet.Error{Code: fleet.CodeJudge, Message: "the judge gave no usable verdict, twice", Hint: "try another judge.model", Err: wrong}
}

// named is the model as the provider names it, when that is a name.
func named(told, asked string) string {
	if told == "" || len(told) > 100 || oneLine(told) != told {
		return asked
	}
	return told
}

// random draws a fence that occurs nowhere in the data, and a word.
func (j *Judge) random(q question) (fence, word string, err error) {
	var b [24]byte
	for range 4 {
		if _, err := io.ReadFull(j.config.Random, b[:]); err != nil {
			return "", "", fleet.Errorf(fleet.CodeInternal, "no random numbers: %w", err)
		}
		fence, word = hex.EncodeToString(b[:16]), hex.EncodeToString(b[16:])
		if !q.holds(fence) && !q.holds(word) {
			return fence, word, nil
		}
	}
	return "", "", fleet.Errorf(fleet.CodeInternal, "random numbers repeat themselves")
}

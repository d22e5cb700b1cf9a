package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

// answer is what the model must say.
type answer struct {
	Word      string    `json:"word"`
	Pass      *bool     `json:"pass"`
	Summary   string    `json:"summary"`
	Reasons   []string  `json:"reasons"`
	Outside   []outside `json:"outside"`
	Injection []string  `json:"injection"`
}

type outside struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Why  string `json:"why"`
}

// schema is the form of an answer, for endpoints that hold models to one.
var schema = llm.Schema{Name: "verdict", JSON: json.RawMessage(`{
  "type": "object", "additionalProperties": false,
  "required": ["word", "pass", "summary", "reasons", "outside", "injection"],
  "properties": {
    "word": {"type": "string"},
    "pass": {"type": "boolean"},
    "summary": {"type": "string"},
    "reasons": {"type": "array", "items": {"type": "string"}},
    "outside": {"type": "array", "items": {
      "type": "object", "additionalProperties": false, "required": ["file", "line", "why"],
      "properties": {"file": {"type": "string"}, "line": {"type": "integer"}, "why": {"type": "string"}}}},
    "injection": {"type": "array", "items": {"type": "string"}}
  }
}`)}

const (
	maxList   = 30
	maxReason = 1000
)

// readAnswer reads and checks a reply. Its errors are sentences that the model is told.
func readAnswer(res llm.Response, q question) (answer, error) {
	switch res.Stop {
	case llm.StopLength:
		return answer{}, errors.New("it was too long and is cut off")
	case llm.StopRefused:
		return answer{}, errors.New("it is a refusal")
	}
	a, err := parseAnswer(res.Text())
	if err != nil {
		return answer{}, err
	}
	if a.Word != q.word {
		return answer{}, errors.New(`"word" is not the word that the instructions give`)
	}
	for i := range a.Outside {
		name, ok := q.diff.named(a.Outside[i].File)
		if !ok {
			return answer{}, fmt.Errorf(`"outside" names %q, which the diff does not hold`, clip(a.Outside[i].File, 200))
		}
		a.Outside[i].File = name
	}
	if !*a.Pass && len(a.Reasons)+len(a.Outside)+len(a.Injection) == 0 {
		return answer{}, errors.New("it is a veto without a reason")
	}
	return a, nil
}

// parseAnswer reads the one JSON object in a reply: bare, or in one code fence.
func parseAnswer(text string) (answer, error) {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "```"); ok {
		inner, ok = strings.CutSuffix(strings.TrimSpace(inner), "```")
		if !ok {
			return answer{}, errors.New("its code fence does not end")
		}
		text = strings.TrimSpace(strings.TrimPrefix(inner, "json"))
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	var a answer
	if err := dec.Decode(&a); err != nil {
		return answer{}, fmt.Errorf("it is not the JSON object asked for (%s)", clip(err.Error(), 200))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return answer{}, errors.New("something stands after the JSON object")
	}
	switch {
	case a.Pass == nil:
		return answer{}, errors.New(`"pass" is missing`)
	case a.Reasons == nil || a.Outside == nil || a.Injection == nil:
		return answer{}, errors.New(`"reasons", "outside" or "injection" is missing`)
	case len(a.Reasons) > maxList || len(a.Outside) > maxList || len(a.Injection) > maxList:
		return answer{}, fmt.Errorf("a list has more than %d members", maxList)
	}
	return a, nil
}

// named finds a file of the diff by the name that a model gave it.
func (d diff) named(name string) (string, bool) {
	for _, try := range []string{name, strings.TrimPrefix(name, "b/"), strings.TrimPrefix(name, "a/")} {
		for _, f := range d.files {
			if f.name == try || visible([]byte(f.name)) == try {
				return f.name, true
			}
		}
	}
	return "", false
}

// into adds an answer to the verdict. What is outside the prompt, and what tried to talk the judge round, is a veto
// even when the model let it pass.
func (a answer) into(v *fleet.Verdict, q question) {
	where := ""
	if q.of > 1 && q.notes == nil {
		where = fmt.Sprintf(" (part %d of %d)", q.number, q.of)
	}
	if !*a.Pass || len(a.Outside) > 0 || len(a.Injection) > 0 {
		v.Pass = false
	}
	for _, r := range a.Reasons {
		if !*a.Pass {
			v.Reasons = append(v.Reasons, clip(oneLine(r), maxReason)+where)
		}
	}
	for _, o := range a.Outside {
		at := fmt.Sprintf("%s:%d", visible([]byte(o.File)), q.diff.near(o.File, o.Line))
		v.Outside = append(v.Outside, at)
		v.Reasons = append(v.Reasons, fmt.Sprintf("%s is outside the prompt: %s", at, clip(oneLine(o.Why), maxReason)))
	}
	for _, text := range a.Injection {
		v.Reasons = append(v.Reasons, "the change holds text that tries to influence its review: "+clip(oneLine(text), 300))
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(visible([]byte(text))), " ") }

// near returns the line of a file's hunks that is nearest to the one that a model named.
func (d diff) near(name string, line int) int {
	best, distance := max(line, 1), -1
	for _, f := range d.files {
		if f.name != name {
			continue
		}
		for _, h := range f.hunks {
			at := min(max(line, h.from), h.to)
			if away := max(at-line, line-at); distance < 0 || away < distance {
				best, distance = max(at, 1), away
			}
		}
	}
	return best
}

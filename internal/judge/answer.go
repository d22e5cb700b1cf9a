package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

// errContradiction is an answer that lets pass what it objects to. Said twice, it is a veto.
var errContradiction = errors.New(`"pass" is true although "outside" is not empty: what is inside the prompt does not belong in "outside", and what is outside is a veto`)

// readAnswer reads and checks a reply. Its errors are sentences that the model is told.
func readAnswer(res llm.Response, q question) (answer, error) {
	switch res.Stop {
	case llm.StopLength:
		return answer{}, errors.New("it was too long and is cut off")
	case llm.StopRefused:
		return answer{}, errors.New("it is a refusal")
	}
	a, err := parseAnswer(res.Text(), q.word)
	if err != nil {
		return answer{}, err
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
	if *a.Pass && len(a.Outside) > 0 && len(a.Injection) == 0 {
		return a, errContradiction
	}
	return a, nil
}

const (
	maxAnswer  = 256 << 10 // bytes of a reply that are read
	maxObjects = 200       // places in it where an object might begin
)

// parseAnswer finds the one answer in a reply: a JSON object that holds the word. Models that are not held to a schema
// put words or a fence around it, or quote other objects; those do not hold the word. Two that do are no answer.
func parseAnswer(text, word string) (answer, error) {
	if len(text) > maxAnswer {
		return answer{}, errors.New("it is too long")
	}
	var found []byte
	for range maxObjects {
		at := strings.IndexByte(text, '{')
		if at < 0 {
			break
		}
		text = text[at:]
		var object json.RawMessage
		dec := json.NewDecoder(strings.NewReader(text))
		if dec.Decode(&object) != nil {
			text = text[1:]
			continue
		}
		text = text[dec.InputOffset():]
		var has struct {
			Word string `json:"word"`
		}
		if json.Unmarshal(object, &has) != nil || has.Word != word {
			continue
		}
		if found != nil {
			return answer{}, errors.New("it holds two answers")
		}
		found = object
	}
	if found == nil {
		return answer{}, errors.New(`it holds no JSON object whose "word" is the one that the instructions give`)
	}
	if err := exactKeys(found); err != nil {
		return answer{}, err
	}
	dec := json.NewDecoder(bytes.NewReader(found))
	dec.DisallowUnknownFields()
	var a answer
	if err := dec.Decode(&a); err != nil {
		return answer{}, fmt.Errorf("it is not the JSON object asked for (%s)", clip(err.Error(), 200))
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

// exactKeys refuses members that stand twice or differ from the schema's in case: encoding/json would take either.
func exactKeys(object []byte) error {
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.Token() //nolint:errcheck // the object was decoded before
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if seen[key] || key != strings.ToLower(key) {
			return fmt.Errorf("it holds %q twice, or in another case", clip(key, 50))
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
	}
	return nil
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

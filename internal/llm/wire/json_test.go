package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// whole decodes a value by walking it, to be compared with what encoding/json makes of it.
func walked(v value) any {
	switch {
	case v.isObject():
		m := map[string]any{}
		for f := range v.fields() {
			m[f.key] = walked(f.value)
		}
		return m
	case v.isArray():
		a := []any{}
		for e := range v.elements() {
			a = append(a, walked(e))
		}
		return a
	case v.isString():
		return v.str()
	case string(v) == "null":
		return nil
	case string(v) == "true":
		return true
	case string(v) == "false":
		return false
	}
	return json.Number(string(v))
}

var jsonSeeds = []string{
	`{}`, `[]`, `""`, `0`, `-0.5e+10`, `true`, `null`, ` { "a" : [ 1 , 2.0 , "x\"y\\" , { } ] , "b" : null } `,
	`{"a":{"b":[[[]]]},"a":2}`, `"\u00e9\ud83d\ude00"`, `"é😀"`, `["\\","\"","\\\""]`, `[1,]`, `{"a":}`, `01`, `1.`, `"\x"`,
	"\"\x01\"", `{"a" 1}`, `nul`, `{} {}`, `-`, `1e`, `"abc`, `[[[[`, `{"\u0061":1}`, "\"\xff\"",
}

func checkJSON(t *testing.T, text []byte) {
	t.Helper()
	v, err := parse(text)
	if valid := json.Valid(text); valid != (err == nil) {
		if valid && deep(text) {
			return // deeper than anybody writes
		}
		t.Fatalf("%q: valid is %v, parse says %v", text, valid, err)
	}
	if err != nil {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var want any
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if got := walked(v); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q was read as %#v, want %#v", text, got, want)
	}
}

func deep(text []byte) bool {
	depth, most := 0, 0
	for _, c := range text {
		if c == '[' || c == '{' {
			depth++
		} else if c == ']' || c == '}' {
			depth--
		}
		most = max(most, depth)
	}
	return most > maxDepth
}

func TestJSONIsReadAsTheStandardLibraryDoes(t *testing.T) {
	for _, text := range jsonSeeds {
		checkJSON(t, []byte(text))
	}
	if _, err := parse([]byte(strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6))); err == nil {
		t.Error("a million arrays inside each other were taken")
	}
}

func FuzzJSON(f *testing.F) {
	for _, text := range jsonSeeds {
		f.Add([]byte(text))
	}
	f.Fuzz(checkJSON)
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int64{"12": 12, "12.0": 12, "1e3": 1000, "-5": -5, "9007199254740993": 9007199254740993} {
		if got, ok := value(text).whole(); !ok || got != want {
			t.Errorf("%s: %d %v", text, got, ok)
		}
	}
	for _, text := range []string{"1.5", `"1"`, "1e400", "1e30", "null", "", "true"} {
		if got, ok := value(text).whole(); ok {
			t.Errorf("%s: %d", text, got)
		}
	}
}

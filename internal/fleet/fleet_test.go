package fleet

import (
	"errors"
	"io/fs"
	"testing"
)

func TestMovesAreKnownAndUnique(t *testing.T) {
	seen := map[[2]State]bool{}
	for _, m := range Moves {
		if !m.From.Valid() || !m.To.Valid() {
			t.Errorf("%s -> %s names an unknown state", m.From, m.To)
		}
		if m.Why == "" {
			t.Errorf("%s -> %s has no reason", m.From, m.To)
		}
		key := [2]State{m.From, m.To}
		if seen[key] {
			t.Errorf("%s -> %s stands twice", m.From, m.To)
		}
		seen[key] = true
	}
}

func TestEveryStateIsReachedAndEveryRestCanBeLeft(t *testing.T) {
	reached := map[State]bool{Pending: true}
	for range States {
		for _, m := range Moves {
			if reached[m.From] {
				reached[m.To] = true
			}
		}
	}
	for _, s := range States {
		if !reached[s] {
			t.Errorf("%s cannot be reached from pending", s)
		}
		if s.AtRest() && !CanMove(s, Queued) {
			t.Errorf("%s is at rest and cannot be queued again", s)
		}
	}
}

func TestMoney(t *testing.T) {
	for text, want := range map[string]struct {
		micros Money
		shown  string
	}{
		"0.80": {800_000, "$0.80"}, "$12": {12 * Dollar, "$12.00"}, ".5": {500_000, "$0.50"},
		"0.000125": {125, "$0.000125"}, "1.999999": {1_999_999, "$2.00"}, "0": {0, "$0.00"},
	} {
		got, err := ParseMoney(text)
		if err != nil || got != want.micros || got.String() != want.shown {
			t.Errorf("ParseMoney(%q) = %d %q, %v; want %d %q", text, got, got, err, want.micros, want.shown)
		}
	}
	for _, text := range []string{"", "-1", "1.0000001", "abc", "99999999999999999999", "1e3"} {
		if got, err := ParseMoney(text); err == nil {
			t.Errorf("ParseMoney(%q) = %d, want an error", text, got)
		}
	}
}

func TestErrorsServeThreeReaders(t *testing.T) {
	err := error(&Error{Code: CodeInvalid, Message: "outer", File: "c.yaml", Line: 3, Column: 7,
		Err: Errorf(CodeGit, "inner: %w", fs.ErrNotExist)})
	if got := err.Error(); got != "c.yaml:3:7: outer: inner: file does not exist" {
		t.Errorf("Error() = %q", got)
	}
	if CodeOf(err) != CodeInvalid || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("code %s, is not-exist %v", CodeOf(err), errors.Is(err, fs.ErrNotExist))
	}
	if CodeOf(errors.New("plain")) != CodeInternal {
		t.Error("a plain error is internal")
	}
}

func TestParseRef(t *testing.T) {
	for text, want := range map[string]string{"Billing": "component:default/billing", "ns/a": "component:ns/a", "api:a": "api:default/a", "group:x/y": "group:x/y"} {
		if got := Ref(ParseRef(text, "component", "")); got != want {
			t.Errorf("%q -> %q, want %q", text, got, want)
		}
	}
}

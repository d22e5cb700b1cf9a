package cli

import (
	"bytes"
	"strings"
	"testing"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
)

func TestConfirmTakesOnlyAYes(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\r\n": true, " yes ": true, "\n": false, "": false, "n\n": false, "yep\n": false, "no\ny\n": false} {
		var asked bytes.Buffer
		got, err := confirm(strings.NewReader(answer), &asked, "Close 3?")
		if err != nil || got != want || asked.String() != "Close 3? [y/N] " {
			t.Errorf("%q: %v, %v, asked %q", answer, got, err, asked.String())
		}
	}
	if asksPeople(strings.NewReader("y\n")) {
		t.Error("a pipe is no person")
	}
}

func TestClosingIsTold(t *testing.T) {
	var out bytes.Buffer
	printClosing(&out, "bye", &engine.Closing{Closed: 1, Ended: 2, Merged: 3,
		Kept:   []engine.Trouble{{Repository: "acme/a", Branch: "gaggle/bye", Code: fleet.CodeBranchTaken, Message: "somebody pushed to branch gaggle/bye"}},
		Failed: []engine.Trouble{{Repository: "acme/b", Number: 7, Code: fleet.CodeForge, Message: "the forge does\nnot answer"}}})
	want := `bye: 1 pull request closed, 2 found closed, 3 found merged, 1 could not be closed
  branch gaggle/bye of acme/a stays: somebody pushed to branch gaggle/bye
  acme/b 7: the forge does not answer
next: the same command tries those again
`
	if out.String() != want {
		t.Errorf("told %s", out.String())
	}
}

package distill

import (
	"strings"
	"testing"
)

// What code hosts put before each line does not hide what a tool says.
func TestStampsOfCodeHosts(t *testing.T) {
	const plain = "# acme/x\n./main.go:3:5: undefined: x\nFAIL\tacme/x [build failed]\n"
	want, _ := Failures(Input{Text: []byte(plain), Exit: 1})
	for host, stamp := range map[string]string{"GitHub": "2026-05-01T12:00:00.1234567Z ", "Azure DevOps": "2026-05-01T12:00:00.1234567Z ", "GitLab": "2026-05-01T12:00:00.123456Z 01O ", "coarse": "2026-05-01T12:00:00Z "} {
		var b strings.Builder
		for line := range strings.Lines("##[group]Run go build ./...\n" + plain + "\n") {
			b.WriteString(stamp + line)
		}
		got, _ := Failures(Input{Text: []byte(b.String()), Exit: 1})
		if len(got) != len(want) || got[0].Key != want[0].Key || got[0].Lines[0] != want[0].Lines[0] {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	own := "2026-05-01T12:00:00Z INFO starting\n" + strings.Repeat(plain, 3)
	if got, _ := Failures(Input{Text: []byte(own), Exit: 1}); got[0].Lines[0] != want[0].Lines[0] {
		t.Errorf("a program's own stamps: %q", got)
	}
	if got := unstamped([]string{"2026-05-01T12:00:00Z a", "b"}); got[0] != "2026-05-01T12:00:00Z a" {
		t.Errorf("half of the lines: %q", got)
	}
}

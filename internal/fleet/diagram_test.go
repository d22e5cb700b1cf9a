package fleet

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the state diagram into ARCHITECTURE.md")

func TestArchitectureShowsTheMoves(t *testing.T) {
	const file = "../../ARCHITECTURE.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), "<!-- moves -->\n")
	shown, after, ok2 := strings.Cut(rest, "<!-- /moves -->")
	if !ok || !ok2 {
		t.Fatal("ARCHITECTURE.md has no place for the moves")
	}
	want := "```\n" + Diagram() + "```\n"
	if *update {
		if err := os.WriteFile(file, []byte(before+"<!-- moves -->\n"+want+"<!-- /moves -->"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != want {
		t.Errorf("the moves in ARCHITECTURE.md are not those of the table; run go test ./internal/fleet -update")
	}
}

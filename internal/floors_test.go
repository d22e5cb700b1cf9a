package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors holds the house's one rule as data: a package imports only lower floors, and packages on one floor
// never import each other. A family (forge and forge/github) shares a floor; its drivers may import its root.
var floors = []struct {
	floor int
	pkg   string // below gaggle/internal/, or the path from the module root for programs
	why   string
}{
	{0, "fleet", "nouns that everybody speaks; standard library only"},

	{1, "spec", "reads a campaign file into fleet's words; pure"},
	{1, "rollout", "decides waves and gates from a snapshot and the time; pure"},
	{1, "policy", "decides what may happen and what it may cost; pure"},
	{1, "report", "says how a campaign stands, from what others read out of the database; pure"},
	{1, "guard", "objects to a diff; pure"},
	{1, "redact", "takes secrets out of text; pure"},

	{2, "store", "rows, events, jobs: the only package that speaks SQL"},
	{2, "git", "the only package that starts the git program"},
	{2, "sandbox", "the only package that runs code Gaggle does not trust"},
	{2, "llm", "one request to one model; knows the wire formats and prices"},

	{3, "forge", "pull requests on a code host; drivers need git and nothing above"},
	{3, "catalog", "which components exist, read from mirrors"},
	{3, "search", "what the default branches contain, read from mirrors"},
	{3, "gateway", "the sandbox's door: needs llm's wire formats"},
	{3, "agent", "one attempt at a change inside a sandbox"},
	{3, "verify", "verifiers inside a sandbox"},
	{3, "judge", "asks a model about a diff"},
	{3, "rulemodel", "a model server without a model, for the demo and the tests; speaks llm's wire formats"},

	{4, "attempt", "one try at one target: agent, verifiers, guard, judge; knows no database and no forge"},
	{4, "publish", "a ready diff as a pull request"},

	{5, "engine", "reconcile: the only writer of target state"},
	{6, "ops", "every operation once"},
	{7, "demo", "makes a fleet and runs the main job on it, through ops"},
	{7, "cli", "ops as commands"},
	{8, "cmd", "flags and wiring only"},
	{8, "ci", "the checks; imports nothing of the house"},
}

func TestFloors(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "gaggle/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	place := func(path string) (floor int, family string, ok bool) {
		name, internal := strings.CutPrefix(path, "gaggle/internal/")
		if !internal {
			name = strings.TrimPrefix(path, "gaggle/")
		}
		family, _, _ = strings.Cut(name, "/")
		for _, f := range floors {
			if f.pkg == family {
				return f.floor, family, true
			}
		}
		return 0, family, false
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath == "gaggle/internal" {
			continue
		}
		floor, family, ok := place(p.ImportPath)
		if !ok {
			t.Errorf("%s stands on no floor: add it to the table, with its reason", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if floor == 0 && strings.Contains(imp, ".") {
				t.Errorf("%s imports %s: the ground floor uses the standard library only", p.ImportPath, imp)
			}
			if !strings.HasPrefix(imp, "gaggle/") {
				continue
			}
			below, other, ok := place(imp)
			if ok && (below < floor || other == family) {
				continue
			}
			t.Errorf("%s (floor %d) imports %s (floor %d): only lower floors", p.ImportPath, floor, imp, below)
		}
	}
}

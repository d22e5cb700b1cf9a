package spec

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gaggle/internal/fleet"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test -update writes it):\n%s", file, diff)
	}
}

const minimal = `
apiVersion: gaggle/v1
kind: Campaign
metadata: {name: small}
select: {include: [billing]}
change: {prompt: Do it.}
`

func TestDefaults(t *testing.T) {
	got, err := Parse("small.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := &Campaign{
		Metadata: Metadata{Name: "small"},
		Select:   Select{Include: []string{"component:default/billing"}},
		Change:   Change{Prompt: "Do it.", Agent: AgentNative, Paths: []string{"**"}},
		Verify:   Verify{Auto: true, Timeout: 10 * time.Minute},
		Judge:    Judge{Mode: JudgeEnforce},
		Limits: Limits{Rounds: 4, Turns: 40, Wall: 20 * time.Minute, Attempts: 2, Cost: fleet.Dollar, TargetCost: 2 * fleet.Dollar,
			CampaignCost: 100 * fleet.Dollar, Memory: 4 << 30},
		PullRequest: PullRequest{Title: "small", Revisions: 2, RemindAfter: 168 * time.Hour},
		Merge:       Merge{Policy: MergeNever, Evidence: 0.9, Method: "merge"},
		Rollout:     Rollout{Waves: []Wave{{Share: 10_000}}, Order: OrderSpread, Gate: Gate{Success: 0.8, Vetoed: 1}, Approval: ApprovalNone},
		File:        "small.yaml",
		Raw:         []byte(minimal),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Select.Searches() {
		t.Error("only include is written")
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	got, err := Parse("full.yaml", []byte(`
apiVersion: gaggle/v1
kind: Campaign
metadata: {name: full-1, owner: Platform, description: "First line.\nSecond line."}
select:
  where: component.name != ""
  contains: {pattern: a+b, paths: ["*.md"]}
  files: [go.mod]
  include: [component:Default/A, b]
  exclude: [ns/c]
change:
  prompt: p
  agent: claude
  model: some/model:1
  paths: ["**/*.go", "//go.work", "!vendor/**", "!//x/**"]
  env: {A: text, B: 1.50, C: true, D: ""}
  egress: ["*.example.com", "10.0.0.7:8080", "[::1]:80", localhost]
verify: {auto: false, run: [make, "make test"], timeout: 1h30m}
guard: {allow: [test-deleted, "ci-edited:.github/**"]}
judge: {mode: advise, model: m, prompt: look twice}
limits: {rounds: 1, turns: 2, minutes: 1.5, attempts: 3, cost: "$1.25", targetCost: 2, campaignCost: 0.000001, memory: 512MiB, parallel: 7}
pullRequest: {title: t, body: b, labels: [l, "no"], reviewers: [r, org/team], draft: true, askOwner: true, issue: P-1, batch: upkeep, revisions: 3, remindAfter: 2h, closeAfter: 48h}
merge: {policy: auto, when: risk < 30, evidence: 80%, method: squash}
rollout:
  waves:
    - {where: '"canary" in component.tags', name: canaries}
    - 3
    - 2.5%
    - {owner: Platform}
    - {count: 5, name: the brave}
    - {share: 50%, name: half}
    - 100%
  order: risk
  gate: {merged: 90%, minMerged: 4, success: 1, checks: 95%, vetoed: 0.1, reverted: 5%, deployed: 1, soak: 1h30m}
  approval: target
  schedule: CRON_TZ=Europe/Berlin 0 6 * * mon-fri
  priority: -7
`))
	if err != nil {
		t.Fatal(err)
	}
	got.File, got.Raw = "", nil
	want := &Campaign{
		Metadata: Metadata{Name: "full-1", Owner: "group:default/platform", Description: "First line.\nSecond line."},
		Select: Select{Where: `component.name != ""`, Contains: Contains{Pattern: "a+b", Paths: []string{"*.md"}}, Files: []string{"go.mod"},
			Include: []string{"component:default/a", "component:default/b"}, Exclude: []string{"component:ns/c"}},
		Change: Change{Prompt: "p", Agent: AgentClaude, Model: "some/model:1", Paths: []string{"**/*.go", "/go.work", "!vendor/**", "!/x/**"},
			Env:    map[string]string{"A": "text", "B": "1.50", "C": "true", "D": ""},
			Egress: []string{"*.example.com", "10.0.0.7:8080", "[::1]:80", "localhost"}},
		Verify: Verify{Run: []string{"make", "make test"}, Timeout: 90 * time.Minute},
		Guard:  Guard{Allow: []string{"test-deleted", "ci-edited:.github/**"}},
		Judge:  Judge{Mode: JudgeAdvise, Model: "m", Prompt: "look twice"},
		Limits: Limits{Rounds: 1, Turns: 2, Wall: 90 * time.Second, Attempts: 3, Cost: 1_250_000, TargetCost: 2 * fleet.Dollar, CampaignCost: 1,
			Memory: 512 << 20, Parallel: 7},
		PullRequest: PullRequest{Title: "t", Body: "b", Labels: []string{"l", "no"}, Reviewers: []string{"r", "org/team"}, Draft: true,
			AskOwner: true, Issue: "P-1", Batch: "upkeep", Revisions: 3, RemindAfter: 2 * time.Hour, CloseAfter: 48 * time.Hour},
		Merge: Merge{Policy: MergeAuto, When: "risk < 30", Evidence: 0.8, Method: "squash"},
		Rollout: Rollout{
			Waves: []Wave{{Where: `"canary" in component.tags`, Name: "canaries"}, {Count: 3}, {Share: 250}, {Owner: "group:default/platform"},
				{Count: 5, Name: "the brave"}, {Share: 5000, Name: "half"}, {Share: 10_000}},
			Order:    OrderRisk,
			Gate:     Gate{Merged: 0.9, MinMerged: 4, Success: 1, Checks: 0.95, Vetoed: 0.1, Reverted: 0.05, Deployed: 1, Soak: 90 * time.Minute},
			Approval: ApprovalTarget, Schedule: "CRON_TZ=Europe/Berlin 0 6 * * mon-fri", Priority: -7},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := roundTrip(t, got); !reflect.DeepEqual(got, again) {
		t.Errorf("it does not survive JSON: %s", cmp.Diff(got, again))
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	for _, f := range campaignFields(&Campaign{}, &header{}, &scripts{}, &guards{}) {
		switch f.path {
		case "apiVersion", "kind", "change.script", "change.run":
			continue
		}
		at := any(tree)
		for name := range strings.SplitSeq(f.path, ".") {
			at = at.(map[string]any)[name]
		}
		if at == nil {
			t.Errorf("%s is not in the file above, or has another name in the campaign's JSON form", f.path)
		}
	}
}

func TestTheTableIsSound(t *testing.T) {
	seen, targets := map[string]bool{}, map[any]string{}
	for _, f := range campaignFields(&Campaign{}, &header{}, &scripts{}, &guards{}) {
		if seen[f.path] || f.doc == "" && f.path != "kind" {
			t.Errorf("%s stands twice, or says nothing of itself", f.path)
		}
		seen[f.path] = true
		if f.into == nil {
			continue
		}
		if other := targets[f.into]; other != "" {
			t.Errorf("%s and %s fill the same field", f.path, other)
		}
		targets[f.into] = f.path
	}
	r := &reader{problems: problems{file: "defaults"}}
	root, src := document(&r.problems, []byte(minimal))
	r.src = src
	r.read(root, campaignFields(&Campaign{}, &header{}, &scripts{}, &guards{}))
	if err := r.err(); err != nil {
		t.Errorf("a default is refused: %v", err)
	}
}

// report renders an error as the golden files hold it: each problem, and its hint below it.
func report(err error) string {
	var all *Errors
	if !errors.As(err, &all) {
		return fmt.Sprintf("not Errors: %v\n", err)
	}
	var b strings.Builder
	for _, e := range all.List {
		fmt.Fprintf(&b, "%s\n\t%s\n", e.Error(), e.Hint)
	}
	if all.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", all.More)
	}
	return b.String()
}

func TestProblemsAreAllFoundAndPlaced(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad files", err)
	}
	parser := Parser{Files: fstest.MapFS{}, Rules: []string{"test-deleted", "ci-edited"}}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := parser.Parse(filepath.Base(file), data)
			if c != nil || fleet.CodeOf(err) != fleet.CodeInvalid {
				t.Fatalf("read as %v, error %v", c, err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".want", report(err))
		})
	}
}

func TestHostileText(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	var ladder strings.Builder
	ladder.WriteString("a0: &a0 [x]\n")
	for i := range 40 {
		fmt.Fprintf(&ladder, "a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	for name, tc := range map[string]struct{ data, want string }{
		"nothing":         {"", "f.yaml:1:1: the file is empty"},
		"a comment":       {"# nothing\n", "f.yaml:1:1: the file is empty"},
		"null":            {"~\n", "f.yaml:1:1: the file is empty"},
		"too large":       {strings.Repeat("#", maxFile+1), "f.yaml:1:1: the file is larger than 256 KiB"},
		"latin 1":         {"a: b\nc: \xe9t\xe9\n", "f.yaml:2:4: byte 0xE9 is not UTF-8"},
		"utf-16":          {"\xff\xfea\x00", "f.yaml:1:1: byte 0xFF is not UTF-8"},
		"nul":             {"a: é\x00\n", "f.yaml:1:5: control character U+0000"},
		"escape":          {"a: \x1b[31m\n", "f.yaml:1:4: control character U+001B"},
		"line separator":  {"a: \u2028b\n", "f.yaml:1:4: U+2028 ends a line for YAML"},
		"carriage return": {"a: b\rc: d\n", "f.yaml:1:5: U+000D ends a line for YAML"},
		"deep":            {deep, "f.yaml:1:1: not YAML: exceeded max depth of 10000"},
		"bomb":            {ladder.String(), "f.yaml:1:1: unknown key \"a0\""},
		"two documents":   {minimal + "---\nname: x\n", "f.yaml:8:1: a second document starts here"},
		"two syntaxes":    {minimal + "---\n\tx\n", "f.yaml:8:1: not YAML: a tab is used for indentation"},
		"same key":        {minimal + "kind: Campaign\n", "f.yaml:7:1: kind stands twice; first on line 3"},
	} {
		c, err := Parse("f.yaml", []byte(tc.data))
		if c != nil || err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: got %v\nwant %s", name, err, tc.want)
		}
	}
	if _, err := Parse("f.yaml", []byte("\ufeff"+minimal+"---\n")); err != nil {
		t.Errorf("a byte order mark and an empty end are harmless: %v", err)
	}
	many := "apiVersion: gaggle/v1\n" + strings.Repeat("x", 5)
	for i := range 200 {
		many += fmt.Sprintf("y%d: 1\nx", i)
	}
	var all *Errors
	if _, err := Parse("f.yaml", []byte(many+": 1\n")); !errors.As(err, &all) || len(all.List) != maxProblems || all.More == 0 {
		t.Errorf("problems are not bounded: %v", err)
	}
}

func TestScripts(t *testing.T) {
	campaign := func(change string) []byte {
		return []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: s}\nselect: {where: 'true'}\nchange: " + change + "\n")
	}
	files := fstest.MapFS{"tools/x.sh": {Data: []byte("echo 1\n")}, "empty": {}, "dir/a": {Data: []byte("a")}}
	p := Parser{Files: files}
	c, err := p.Parse("c.yaml", campaign("{script: ./tools//x.sh}"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Change.Agent != AgentScript || c.Change.Script.Path != "tools/x.sh" || string(c.Change.Script.Content) != "echo 1\n" || c.Judge.Mode != JudgeOff {
		t.Errorf("change %+v, judge %+v", c.Change, c.Judge)
	}
	before := c.ChangeHash()
	files["tools/x.sh"].Data = []byte("echo 2\n")
	if c, _ = p.Parse("c.yaml", campaign("{script: tools/x.sh}")); c.ChangeHash() == before {
		t.Error("the hash does not see the script's content")
	}
	inline, err := Parse("c.yaml", campaign(`{run: "echo 2\n", prompt: p}`))
	if err != nil || inline.Change.Agent != AgentScript || inline.Judge.Mode != JudgeEnforce {
		t.Errorf("inline: %v %+v", err, inline)
	}
	for change, want := range map[string]string{
		"{script: /bin/sh}":       "absolute",
		"{script: ../x.sh}":       "out of its folder",
		"{script: a/../../x}":     "out of its folder",
		"{script: dir}":           "not a regular file",
		"{script: .}":             "a script is a file",
		"{script: empty}":         "it is empty",
		"{script: none.sh}":       "does not exist",
		`{script: "a\\b"}`:        "written with /",
		"{run: x, script: a}":     "both script and run",
		"{run: x, model: m}":      "a script has no model",
		"{run: x, agent: claude}": "which claude does not run",
	} {
		if _, err := p.Parse("c.yaml", campaign(change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change, err, want)
		}
	}
	if _, err := Parse("c.yaml", campaign("{script: tools/x.sh}")); err == nil || !strings.Contains(err.Error(), "c.yaml:5:18: change.script: no files stand beside") {
		t.Errorf("without files: %v", err)
	}
}

func TestScriptsDoNotFollowLinksOut(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	inner := filepath.Join(dir, "campaigns")
	if err := errors.Join(os.Mkdir(inner, 0o755), os.Symlink("../secret", filepath.Join(inner, "link"))); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inner)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = Parser{Files: root.FS()}.Parse("c.yaml", []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: s}\nselect: {where: 'true'}\nchange: {script: link}\n"))
	if err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("error %v", err)
	}
}

func TestTitles(t *testing.T) {
	for description, want := range map[string]string{
		"Do this.":                   "Do this",
		"\n  Do this\n\nBecause.\n":  "Do this",
		strings.Repeat("word ", 100): strings.TrimSpace(strings.Repeat("word ", 40)),
	} {
		data, _ := json.Marshal(description)
		c, err := Parse("c.yaml", []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: s, description: "+string(data)+"}\nselect: {where: 'true'}\nchange: {run: x}\n"))
		if err != nil || c.PullRequest.Title != want {
			t.Errorf("%q -> %v, error %v; want %q", description, c, err, want)
		}
	}
}

// TestExamples reads every file of the examples folder, by the parser and by the JSON Schema.
func TestExamples(t *testing.T) {
	dir := "../../examples"
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d examples, error %v", len(files), err)
	}
	names := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parser{Files: os.DirFS(dir)}.Parse(filepath.Base(file), data)
		if err != nil {
			t.Errorf("%s", report(err))
			continue
		}
		if other := names[c.Metadata.Name]; other != "" {
			t.Errorf("%s and %s have the same name", file, other)
		}
		names[c.Metadata.Name] = file
		if err := validate(t, Schema(), data); err != nil {
			t.Errorf("%s: the schema refuses what the parser reads: %v", file, err)
		}
		again := roundTrip(t, c)
		if !reflect.DeepEqual(c, again) || c.ChangeHash() != again.ChangeHash() {
			t.Errorf("%s does not survive JSON: %s", file, cmp.Diff(c, again))
		}
	}
}

func roundTrip(t interface{ Fatal(...any) }, c *Campaign) *Campaign {
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	again := new(Campaign)
	if err := json.Unmarshal(data, again); err != nil {
		t.Fatal(err)
	}
	return again
}

func TestContainsMeansLines(t *testing.T) {
	re, err := Contains{Pattern: "^import a$"}.Regexp()
	if err != nil || !re.MatchString("package x\nimport a\n") || re.MatchString("x import a") {
		t.Errorf("%v, error %v", re, err)
	}
	if re, err := (Contains{}).Regexp(); re != nil || err != nil {
		t.Errorf("nothing asks for %v, error %v", re, err)
	}
}

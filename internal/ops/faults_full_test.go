//go:build full

package ops

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/agent/native"
	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	native.Main()
	os.Exit(m.Run())
}

// house is a data folder over a folder of real repositories.
type house struct {
	t     *testing.T
	ops   *Ops
	dir   string
	repos string
}

func newHouse(t *testing.T, models Models, names ...string) *house {
	t.Helper()
	if _, err := exec.LookPath("bwrap"); err != nil {
		t.Fatal("missing part: bubblewrap")
	}
	h := &house{t: t, dir: t.TempDir()}
	h.repos = filepath.Join(h.dir, "repos")
	for _, name := range names {
		h.git("", "init", "-q", "-b", "main", filepath.Join(h.repos, name))
		h.write(name, "README.md", "hello "+name+"\n")
		h.commit(name)
	}
	o, err := Open(t.Context(), Config{Data: filepath.Join(h.dir, "data"), Actor: "tester", Models: models})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	h.ops = o
	if len(names) > 0 {
		h.sync()
	}
	return h
}

func (h *house) sync() *SyncOutput {
	h.t.Helper()
	out, err := h.ops.Sync(h.t.Context(), SyncInput{From: h.repos})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h *house) git(repo string, args ...string) string {
	h.t.Helper()
	cmd := exec.Command("git", args...)
	if repo != "" {
		cmd.Dir = filepath.Join(h.repos, repo)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (h *house) write(repo, name, text string) {
	h.t.Helper()
	file := filepath.Join(h.repos, repo, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) commit(repo string) {
	h.t.Helper()
	h.git(repo, "add", "-A")
	h.git(repo, "commit", "-qm", "change")
}

// campaign writes a campaign file whose script is given, and returns its path.
func (h *house) campaign(name, script, more string) string {
	h.t.Helper()
	file := filepath.Join(h.dir, name+".yaml")
	text := "apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: " + name + "}\nselect: {where: \"true\"}\nchange:\n  run: |\n    " + strings.ReplaceAll(strings.TrimSpace(script), "\n", "\n    ") + "\njudge: {mode: off}\n" + more + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return file
}

func (h *house) run(file string) *RunOutput {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 3*time.Minute)
	defer cancel()
	out, err := h.ops.Run(ctx, RunInput{File: file, Parallel: 2}, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// ended returns how the targets of a campaign ended, by component name: state, or state and reason.
func (h *house) ended(campaign string) map[string]string {
	h.t.Helper()
	list, err := h.ops.Targets(h.t.Context(), TargetsInput{Campaign: campaign})
	if err != nil {
		h.t.Fatal(err)
	}
	got := map[string]string{}
	for _, t := range list {
		name := t.Component[strings.LastIndex(t.Component, "/")+1:]
		got[name] = string(t.State)
		if t.Reason != "" {
			got[name] += " " + string(t.Reason)
		}
	}
	return got
}

func (h *house) expect(campaign string, want map[string]string) {
	h.t.Helper()
	got := h.ended(campaign)
	for name, end := range want {
		if got[name] != end {
			list, _ := h.ops.Show(h.t.Context(), TargetInput{Campaign: campaign, Component: name})
			h.t.Errorf("%s is %q, want %q: %+v", name, got[name], end, list.Message)
		}
	}
}

const loose = "rollout: {gate: {success: 0}}"

func TestARepositoryThatFailsDoesNotStopTheOthers(t *testing.T) {
	h := newHouse(t, Models{}, "good", "gone", "emptied", "forced", "renamed", "damaged")
	file := h.campaign("c", `sed -i s/hello/bye/ README.md`, loose)
	if _, err := h.ops.Plan(t.Context(), PlanInput{File: file}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(h.repos, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(h.repos, "emptied")); err != nil {
		t.Fatal(err)
	}
	h.git("", "init", "-q", "-b", "main", filepath.Join(h.repos, "emptied"))
	h.git("forced", "checkout", "-q", "--orphan", "other")
	h.write("forced", "README.md", "hello again\n")
	h.commit("forced")
	h.git("forced", "branch", "-f", "main", "other")
	h.git("forced", "checkout", "-q", "main")
	h.git("renamed", "branch", "-m", "main", "trunk")
	// The mirror of one repository is damaged on disk.
	packs, err := filepath.Glob(filepath.Join(h.dir, "data", "mirrors", "damaged*", "objects", "pack", "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	loose, err := filepath.Glob(filepath.Join(h.dir, "data", "mirrors", "damaged*", "objects", "??", "*"))
	if err != nil || len(packs)+len(loose) == 0 {
		t.Fatalf("nothing to damage: %v", err)
	}
	for _, f := range append(packs, loose...) {
		if err := os.Chmod(f, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(f, 5); err != nil {
			t.Fatal(err)
		}
	}
	h.run(file)
	h.expect("c", map[string]string{"good": "proposed", "forced": "proposed", "renamed": "proposed", "damaged": "proposed"})
	got := h.ended("c")
	for _, name := range []string{"gone", "emptied"} {
		if end := got[name]; end != "" && !strings.HasPrefix(end, "failed ") && !strings.HasPrefix(end, "skipped ") {
			t.Errorf("%s ended %q", name, end)
		}
	}
}

func TestAnAgentThatMisbehavesFailsItsOwnTargetOnly(t *testing.T) {
	h := newHouse(t, Models{}, "good", "floods", "forks", "fills", "stays", "pipes", "nests", "links", "errs")
	h.run(h.campaign("c", `
case "$GAGGLE_COMPONENT" in
*/floods) yes megabytes ;;
*/forks) f() { f | f & }; f; sleep 60 ;;
*/fills) i=0; while :; do head -c 10000000 /dev/zero > big$i || sleep 60; i=$((i+1)); done ;;
*/stays) trap '' TERM INT HUP; while :; do sleep 1; done ;;
*/pipes) mkfifo README.pipe ;;
*/nests) mkdir sub && cd sub && mkdir -p .git/objects .git/refs && echo 'ref: refs/heads/x' > .git/HEAD && echo x > f ;;
*/links) ln -s /etc/passwd stolen ;;
*/errs) echo "no good" >&2; exit 7 ;;
*) sed -i s/hello/bye/ README.md ;;
esac`, "limits: {minutes: 0.2}\n"+loose))
	got := h.ended("c")
	if got["good"] != "proposed" {
		t.Errorf("the good one is %q", got["good"])
	}
	for name, reasons := range map[string][]fleet.Code{
		"floods": {fleet.CodeOutputLimit}, "forks": {fleet.CodeProcesses, fleet.CodeTimeout, fleet.CodeAgent, fleet.CodeMemory}, "fills": {fleet.CodeDiskLimit, fleet.CodeTimeout, fleet.CodeUnsafeTree}, "stays": {fleet.CodeTimeout},
		"pipes": {fleet.CodeUnsafeTree}, "nests": {fleet.CodeUnsafeTree}, "links": {fleet.CodeUnsafeTree, fleet.CodeGuard}, "errs": {fleet.CodeAgent},
	} {
		ok := false
		for _, r := range reasons {
			ok = ok || got[name] == "failed "+string(r)
		}
		if !ok {
			t.Errorf("%s is %q, want failed with one of %v", name, got[name], reasons)
		}
	}
	if left, err := os.ReadDir(filepath.Join(h.dir, "data", "work")); err != nil || len(left) > 0 {
		t.Errorf("%d folders are left, %v", len(left), err)
	}
}

func TestADatabaseLockedByAnotherProcessIsWaitedFor(t *testing.T) {
	h := newHouse(t, Models{}, "a", "b")
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "data", "gaggle.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	released := time.AfterFunc(3*time.Second, func() { _, _ = conn.ExecContext(context.Background(), "ROLLBACK") })
	defer released.Stop()
	h.run(h.campaign("c", `sed -i s/hello/bye/ README.md`, ""))
	h.expect("c", map[string]string{"a": "proposed", "b": "proposed"})
}

func TestASecondRunDoesNothingAndARerunOnlyWhatChanged(t *testing.T) {
	h := newHouse(t, Models{}, "a", "b", "c")
	file := h.campaign("c", `sed -i s/hello/bye/ README.md`, "")
	h.run(file)
	before, err := h.ops.Events(t.Context(), EventsInput{Campaign: "c"})
	if err != nil {
		t.Fatal(err)
	}
	h.run(file)
	after, err := h.ops.Events(t.Context(), EventsInput{Campaign: "c"})
	if err != nil || len(after) != len(before) {
		t.Errorf("%d events, then %d, %v", len(before), len(after), err)
	}
	for _, p := range mustPulls(t, h) {
		if _, err := h.ops.MergePull(t.Context(), PullInput{Repository: p.Repository, Number: p.Number}); err != nil {
			t.Fatal(err)
		}
	}
	h.run(file)
	h.expect("c", map[string]string{"a": "merged", "b": "merged", "c": "merged"})
	h.git("b", "reset", "-q", "--hard")
	h.write("b", "README.md", "hello once more\n")
	h.commit("b")
	out, err := h.ops.Rerun(t.Context(), SelectInput{Campaign: "c", Components: []string{"b"}})
	if err != nil || out.Targets != 1 {
		t.Fatal(out, err)
	}
	h.run(file)
	h.expect("c", map[string]string{"a": "merged", "b": "proposed", "c": "merged"})
}

func mustPulls(t *testing.T, h *house) []struct {
	Repository string
	Number     int
} {
	t.Helper()
	list, err := h.ops.Pulls(t.Context(), PullsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var out []struct {
		Repository string
		Number     int
	}
	for _, p := range list {
		out = append(out, struct {
			Repository string
			Number     int
		}{p.Repository, p.Number})
	}
	return out
}

// The made-up secrets of the test: one that Gaggle holds, one inside a repository's file.
const (
	plantedKey   = "sk-ant-api03-q7Wm3Nc6Bd5Hs0Jg2YuQa8Fq2Lz9Xv4Kp1Rt7Wm3Nc6Bd5Hs0Jg2"
	plantedToken = "ghp_a8Fq2Lz9Xv4Kp1Rt7Wm3Nc6Bd5Hs0Jg2YuQe"
)

func TestPlantedSecretsAreKeptNowhere(t *testing.T) {
	h := newHouse(t, Models{Anthropic: Endpoint{URL: "http://127.0.0.1:9", Key: plantedKey}, Model: "claude-sonnet-4-5"}, "good", "fails", "spills")
	h.write("spills", "config.txt", "token: "+plantedToken+"\n")
	h.commit("spills")
	h.sync()
	h.run(h.campaign("c", `
env
cat /proc/self/environ /proc/1/environ 2>/dev/null | tr '\0' '\n'
cat config.txt 2>/dev/null
case "$GAGGLE_COMPONENT" in
*/fails) echo "broken: `+plantedToken+`" >&2; exit 3 ;;
*/spills) sed -i s/hello/bye/ README.md; cp config.txt copy.txt ;;
*) sed -i s/hello/bye/ README.md ;;
esac`, loose))
	got := h.ended("c")
	if got["good"] != "proposed" || !strings.HasPrefix(got["spills"], "failed ") {
		t.Errorf("ended %v", got)
	}
	// Everything that is kept, decompressed: rows, records, pull requests.
	var kept bytes.Buffer
	for name := range got {
		in := TargetInput{Campaign: "c", Component: name}
		d, err := h.ops.Show(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		writeJSON(t, &kept, d)
		for _, record := range []string{"log", "transcript"} {
			if data, err := h.ops.Record(t.Context(), in, record); err == nil {
				kept.Write(data)
			}
		}
	}
	pulls, err := h.ops.Pulls(t.Context(), PullsInput{})
	if err != nil {
		t.Fatal(err)
	}
	writeJSON(t, &kept, pulls)
	for _, secret := range []string{plantedKey, plantedToken} {
		if bytes.Contains(kept.Bytes(), []byte(secret)) {
			i := bytes.Index(kept.Bytes(), []byte(secret))
			t.Errorf("a secret is kept: …%s…", kept.Bytes()[max(0, i-200):min(kept.Len(), i+80)])
		}
	}
	db, err := os.ReadFile(filepath.Join(h.dir, "data", "gaggle.db"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(db, []byte(plantedKey)) {
		t.Error("the database file holds the model key")
	}
}

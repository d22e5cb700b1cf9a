package ops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

// Whatever a campaign waits for, its status says it in one line.
func TestStatusSaysWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 3, simulator.Faults{})
	f.owned("search")
	waits := func(name, want string) {
		t.Helper()
		s, err := f.ops.Status(t.Context(), ops.StatusInput{Campaign: name, Waits: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Campaigns[0].Waits; got != want && (want == "" || !strings.HasPrefix(got, strings.TrimSuffix(want, "…")) || !strings.HasSuffix(want, "…")) {
			t.Errorf("%s waits %q, want %q", name, got, want)
		}
	}
	run := func(name, more string) {
		t.Helper()
		if _, err := f.start(name, more); err != nil {
			t.Fatal(err)
		}
	}
	run("open", "")
	waits("open", "3 pull requests are open")
	run("gate", "rollout: {waves: [1, 100%], gate: {minMerged: 1}}\n")
	waits("gate", "wave 2 of 2 waits for wave 1: 0 of 1 targets are merged, the gate needs 1")
	run("soak", "rollout: {waves: [1, {share: 100%, name: the rest}], gate: {success: 1, soak: 4h}}\n")
	waits("soak", "wave 2 of 2 (the rest) waits for wave 1: it soaks until …")
	run("approval", "rollout: {approval: wave}\n")
	waits("approval", "waiting for approval: 3 changes ready (gaggle approve approval)")
	run("recurring", "rollout: {schedule: '*/5 * * * *'}\n")
	waits("recurring", "3 pull requests are open")
	if _, err := f.ops.ClosePulls(t.Context(), ops.ClosePullsInput{Campaign: "recurring"}, nil); err != nil {
		t.Fatal(err)
	}
	run("recurring", "rollout: {schedule: '*/5 * * * *'}\n")
	waits("recurring", "gaggle follow plans it again at …")
	if _, err := f.ops.Pause(t.Context(), ops.SelectInput{Campaign: "open"}); err != nil {
		t.Fatal(err)
	}
	waits("open", "paused by test")

	stopped, stop := context.WithCancel(t.Context())
	defer stop()
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "stopped.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: stopped}\nselect: {where: \"true\"}\nchange: {run: cat '" + pipe + "'}\n" // nobody ever writes into it
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ops.Run(stopped, ops.RunInput{File: file, Parallel: 1}, func(e store.Event) {
		if e.To == fleet.Changing {
			stop()
		}
	}); err == nil {
		t.Fatal("the run was not stopped")
	}
	waits("stopped", "no run is at work on what is begun, 3 in all (gaggle run stopped)")

	f.ahead.Add(int64(5 * time.Hour))
	f.open()
	waits("soak", "wave 2 of 2 (the rest) may open (gaggle run soak)")
	waits("recurring", "it is due to be planned again, by gaggle follow")

	f.owners("freeze: [{from: 2020-01-01}]\n")
	run("low", "rollout: {priority: -5}\n")
	waits("low", "3 changes ready and wait for the owners' time")
	run("high", "rollout: {priority: 5}\n")
	all, err := f.ops.Status(t.Context(), ops.StatusInput{})
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, c := range all.Campaigns {
		open += c.States[fleet.Proposed]
	}
	f.owners(fmt.Sprintf("limits: {perOwner: %d}\n", open+3))
	run("low", "rollout: {priority: -5}\n")
	s, err := f.ops.Status(t.Context(), ops.StatusInput{Campaign: "low", Waits: true})
	if err != nil || len(s.Campaigns[0].Held) == 0 || !strings.Contains(s.Campaigns[0].Held[0].Why, "campaigns of a higher priority wait") {
		t.Errorf("%+v, %v", s.Campaigns[0].Held, err)
	}
}

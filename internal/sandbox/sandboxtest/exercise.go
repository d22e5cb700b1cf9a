package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/sandbox"
)

// Abilities is what a sandbox promises beyond running a command.
type Abilities struct {
	Isolated bool // it shows nothing but the Spec, and nothing that was started survives
	Bounded  bool // it limits memory and processes
}

// helper is the first argument by which the suite starts its own program inside.
const helper = "sandboxtest-helper"

// Main must be called first thing in TestMain. It does not return in a process that was started inside a sandbox.
func Main() {
	sandbox.Main()
	if len(os.Args) < 3 || os.Args[1] != helper {
		return
	}
	if err := help(os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func help(what string, args []string) error {
	switch what {
	case "get":
		reply, err := http.Get(args[0])
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		_, err = io.Copy(os.Stdout, reply.Body)
		return err
	case "hog": // takes memory until somebody stops it
		var all [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			runtime.KeepAlive(all)
		}
	}
	return errors.New("no such helper: " + what)
}

// Exercise runs the suite on sandboxes that open makes.
func Exercise(t *testing.T, open func(t *testing.T) sandbox.Sandbox, can Abilities) {
	for name, test := range map[string]func(*testing.T, sandbox.Sandbox, Abilities){
		"ExitCodes": exitCodes, "Streams": streams, "Environment": environment, "Folders": folders, "Mounts": mounts,
		"WallLimit": wallLimit, "OutputLimit": outputLimit, "FileSizeLimit": fileSizeLimit, "Cancel": cancel,
		"Leftovers": leftovers, "Door": door, "MemoryLimit": memoryLimit, "ProcessLimit": processLimit, "Together": together,
		"Nonsense": nonsense,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t), can)
		})
	}
}

// Run runs a shell script in a fresh work tree and returns what it printed.
func run(t *testing.T, sb sandbox.Sandbox, spec sandbox.Spec, script string) (sandbox.Result, string) {
	t.Helper()
	var out bytes.Buffer
	if script != "" {
		spec.Argv = []string{"sh", "-c", script}
	}
	spec.Stdout, spec.Stderr = &out, &out
	result, err := sb.Run(t.Context(), spec)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return result, out.String()
}

// folder returns a folder that the sandbox may be given, and that goes away whatever happens to it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandboxtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sandbox.Remove(dir); err != nil {
			t.Errorf("a work tree could not be removed: %v", err)
		}
	})
	return dir
}

func exitCodes(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	for script, want := range map[string]int{"true": 0, "exit 3": 3, "kill -9 $$": 137, "kill -15 $$": 143, "no-such-program": 127} {
		if result, out := run(t, sb, sandbox.Spec{}, script); result.ExitCode != want || result.Ended != "" {
			t.Errorf("%s: %+v, want %d\n%s", script, result, want, out)
		}
	}
	for argv, want := range map[string]int{"no-such-program": 127, "/etc": 126, "/etc/os-release": 126} {
		if result, out := run(t, sb, sandbox.Spec{Argv: []string{argv}}, ""); result.ExitCode != want {
			t.Errorf("%s: %+v, want %d\n%s", argv, result, want, out)
		}
	}
}

func streams(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	var stdout, stderr bytes.Buffer
	text := strings.Repeat("all work and no play\n", 10_000)
	result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"sh", "-c", "cat; echo over >&2"},
		Stdin: strings.NewReader(text), Stdout: &stdout, Stderr: &stderr})
	if err != nil || result.ExitCode != 0 || stdout.String() != text || stderr.String() != "over\n" {
		t.Errorf("%+v %v: %d bytes, %q", result, err, stdout.Len(), stderr.String())
	}
	// One writer for both keeps the order.
	if _, out := run(t, sb, sandbox.Spec{}, "for i in 1 2 3; do echo $i; echo $i >&2; done"); out != "1\n1\n2\n2\n3\n3\n" {
		t.Errorf("out of order: %q", out)
	}
	// Nobody listens, nobody speaks.
	if result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"sh", "-c", "cat; echo x; echo y >&2"}}); err != nil || result.ExitCode != 0 {
		t.Errorf("%+v %v", result, err)
	}
	// A reader that has more to say than is read does not keep the run from ending.
	r, w := io.Pipe()
	defer w.Close()
	if result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"true"}, Stdin: r}); err != nil || result.ExitCode != 0 {
		t.Errorf("%+v %v", result, err)
	}
	failing := writer(func([]byte) (int, error) { return 0, errors.New("no space") })
	if _, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"echo", "x"}, Stdout: failing}); err == nil {
		t.Error("a writer's error is lost")
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func environment(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	os.Setenv("SANDBOXTEST_CANARY", "canary") // not t.Setenv: the suite is parallel, and nobody else reads it
	_, out := run(t, sb, sandbox.Spec{Env: map[string]string{"GIVEN": "a b\n'c'", "LANG": "xx"}}, "env")
	if strings.Contains(out, "canary") {
		t.Errorf("this process's environment shows inside:\n%s", out)
	}
	for _, want := range []string{"GIVEN=a b\n'c'\n", "LANG=xx\n", "PATH=", "HOME=", "TMPDIR="} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

func folders(t *testing.T, sb sandbox.Sandbox, can Abilities) {
	work, home := folder(t), folder(t)
	if err := os.Mkdir(filepath.Join(work, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "old"), []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := sandbox.Spec{Work: work, Home: home, Dir: sandbox.WorkDir + "/sub"}
	result, out := run(t, sb, spec, `set -e
		cat ../old; echo new >../old; echo made >made; chmod 755 made; ln -s ../old link; mkdir -p a/b; mv a c
		echo kept >$HOME/kept; pwd; echo x >$TMPDIR/x; mkdir closed; echo y >closed/y; chmod 0 closed`)
	if result.ExitCode != 0 || !strings.HasPrefix(out, "old\n") {
		t.Fatalf("%+v\n%s", result, out)
	}
	if can.Isolated && !strings.HasSuffix(out, "\n"+sandbox.WorkDir+"/sub\n") {
		t.Errorf("it ran in %q", out)
	}
	for name, want := range map[string]string{"old": "new\n", "sub/made": "made\n", "sub/link": "new\n"} {
		if data, err := os.ReadFile(filepath.Join(work, name)); err != nil || string(data) != want {
			t.Errorf("%s holds %q, %v", name, data, err)
		}
	}
	// What was made inside belongs to whoever runs gaggle.
	for _, name := range []string{"old", "sub/made", "sub/link", "sub/c/b", "sub/closed"} {
		info, err := os.Lstat(filepath.Join(work, name))
		if err != nil {
			t.Error(err)
		} else if uid := int(info.Sys().(*syscall.Stat_t).Uid); uid != os.Geteuid() {
			t.Errorf("%s belongs to %d", name, uid)
		}
	}
	if info, err := os.Stat(filepath.Join(work, "sub/made")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("made: %v %v", info, err)
	}
	// A home that is given lasts, another does not, and /tmp never does.
	if result, out := run(t, sb, spec, "cat $HOME/kept"); result.ExitCode != 0 || out != "kept\n" {
		t.Errorf("%+v %q", result, out)
	}
	if result, out := run(t, sb, sandbox.Spec{}, "echo x >$HOME/x && cat $HOME/x"); result.ExitCode != 0 || out != "x\n" {
		t.Errorf("%+v %q", result, out)
	}
	if result, _ := run(t, sb, sandbox.Spec{}, "test -e $HOME/x"); result.ExitCode == 0 {
		t.Error("an empty home is not empty")
	}
	_, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"true"}, Work: work, Dir: sandbox.WorkDir + "/nowhere"})
	if fleet.CodeOf(err) != fleet.CodeNotFound {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func mounts(t *testing.T, sb sandbox.Sandbox, can Abilities) {
	data, cache := folder(t), folder(t)
	file := filepath.Join(data, "file")
	if err := errors.Join(os.WriteFile(file, []byte("text\n"), 0o644), os.Chmod(data, 0o755)); err != nil {
		t.Fatal(err)
	}
	spec := sandbox.Spec{Work: folder(t), Mounts: []sandbox.Mount{
		{Host: data, Inside: "/srv/data"},
		{Host: file, Inside: "/srv/one/file"},
		{Host: cache, Inside: "/srv/cache/x", Writable: true},
	}}
	result, out := run(t, sb, spec, "cat /srv/data/file /srv/one/file && echo z >/srv/cache/x/z")
	if result.ExitCode != 0 || out != "text\ntext\n" {
		t.Errorf("%+v %q", result, out)
	}
	if data, err := os.ReadFile(filepath.Join(cache, "z")); err != nil || string(data) != "z\n" {
		t.Errorf("%q %v", data, err)
	}
	if !can.Isolated {
		return
	}
	for _, attempt := range []string{"echo x >/srv/data/new", "echo x >/srv/data/file", "rm /srv/data/file", "chmod 777 /srv/data/file",
		"echo x >/srv/one/file", "touch /srv/data/file", "echo x >/srv/new", "echo x >/new", "mkdir /srv/one/d", "rm /srv/one/file"} {
		if result, out := run(t, sb, spec, attempt); result.ExitCode == 0 {
			t.Errorf("%s: it worked\n%s", attempt, out)
		}
	}
}

func wallLimit(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	spec := sandbox.Spec{Limits: sandbox.Limits{Wall: 200 * time.Millisecond}}
	result, _ := run(t, sb, spec, "trap '' TERM HUP INT; while :; do sleep 1000; done")
	if result.Ended != fleet.CodeTimeout || result.ExitCode == 0 {
		t.Errorf("%+v", result)
	}
}

func outputLimit(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	const limit = 100_000
	for _, script := range []string{"yes", "yes >&2", "yes & yes >&2", "cat /dev/zero"} {
		result, out := run(t, sb, sandbox.Spec{Limits: sandbox.Limits{Output: limit}}, script)
		if result.Ended != fleet.CodeOutputLimit || len(out) > limit {
			t.Errorf("%s: %+v, %d bytes", script, result, len(out))
		}
	}
	// What nobody wants to have counts too.
	result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"yes"}, Limits: sandbox.Limits{Output: limit}})
	if err != nil || result.Ended != fleet.CodeOutputLimit {
		t.Errorf("%+v %v", result, err)
	}
	result, out := run(t, sb, sandbox.Spec{Limits: sandbox.Limits{Output: limit}}, "head -c 100000 /dev/zero")
	if result.Ended != "" || len(out) != limit {
		t.Errorf("just within: %+v, %d bytes", result, len(out))
	}
}

func fileSizeLimit(t *testing.T, sb sandbox.Sandbox, can Abilities) {
	if !can.Isolated {
		t.Skip("not promised")
	}
	spec := sandbox.Spec{Work: folder(t), Limits: sandbox.Limits{FileSize: 1 << 20}}
	for _, script := range []string{"head -c 2000000 /dev/zero >big", "truncate -s 20G sparse", "dd if=/dev/zero of=sparse bs=1 count=1 seek=20G"} {
		if result, out := run(t, sb, spec, script); result.ExitCode == 0 {
			t.Errorf("%s: %+v\n%s", script, result, out)
		}
	}
	if result, out := run(t, sb, spec, "exec head -c 2000000 /dev/zero >big"); result.Ended != fleet.CodeDiskLimit {
		t.Errorf("%+v\n%s", result, out)
	}
}

func cancel(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	reason := errors.New("a person stopped it")
	ctx, stop := context.WithCancelCause(t.Context())
	started := writer(func(p []byte) (int, error) { stop(reason); return len(p), nil })
	_, err := sb.Run(ctx, sandbox.Spec{Argv: []string{"sh", "-c", "trap '' TERM; echo up; sleep 1000"}, Stdout: started})
	if fleet.CodeOf(err) != fleet.CodeInterrupted || !errors.Is(err, reason) {
		t.Errorf("canceled while running: %v", err)
	}
	if _, err := sb.Run(ctx, sandbox.Spec{Argv: []string{"true"}}); !errors.Is(err, reason) {
		t.Errorf("canceled before the start: %v", err)
	}
}

// leftovers starts processes that try to outlive the command, and reads from a pipe of theirs that they are gone.
func leftovers(t *testing.T, sb sandbox.Sandbox, can Abilities) {
	if !can.Isolated {
		t.Skip("not promised")
	}
	mark := strconv.Itoa(90_000_000 + os.Getpid())
	for _, script := range []string{
		"sleep MARK & exit 0",
		"(setsid sleep MARK >/dev/null 2>&1 </dev/null &) & exit 0",
		"(trap '' TERM HUP INT; (setsid sh -c 'trap \"\" TERM HUP; sleep MARK; true' &) ) & exit 0",
		"setsid sh -c 'kill -STOP $$; sleep MARK' & exit 0",
		"nohup sh -c 'while :; do sleep MARK; done' >/dev/null 2>&1 & exec true",
	} {
		result, out := run(t, sb, sandbox.Spec{}, strings.ReplaceAll(script, "MARK", mark))
		if result.ExitCode != 0 || result.Ended != "" {
			t.Errorf("%s: %+v\n%s", script, result, out)
		}
		if left := alive(mark); left != "" {
			t.Errorf("%s: %s is alive after the end", script, left)
		}
	}
}

// alive returns a process of this machine whose command line holds mark; "" when there is none.
func alive(mark string) string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, []byte(mark)) {
			return strings.ReplaceAll(string(data), "\x00", " ")
		}
	}
	return ""
}

func door(t *testing.T, sb sandbox.Sandbox, can Abilities) {
	socket := filepath.Join(folder(t), "door")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "through "+r.URL.Path) })}
	go server.Serve(listener)
	defer server.Close()

	get := func(url string) []string { return []string{sandbox.Self, helper, "get", url} }
	spec := sandbox.Spec{Argv: get(sandbox.DoorURL + "/a"), Door: socket}
	if result, out := run(t, sb, spec, ""); result.ExitCode != 0 || out != "through /a" {
		t.Errorf("%+v %q", result, out)
	}
	spec.Argv = []string{"sh", "-c", `exec "$PROGRAM" ` + helper + ` get "$BASE/b"`}
	spec.Env = map[string]string{"BASE": sandbox.DoorURL, "PROGRAM": sandbox.Self}
	if result, out := run(t, sb, spec, ""); result.ExitCode != 0 || out != "through /b" {
		t.Errorf("%+v %q", result, out)
	}
	for argv, want := range map[string]int{"no-such-program": 127, "/etc": 126} {
		if result, out := run(t, sb, sandbox.Spec{Argv: []string{argv}, Door: socket}, ""); result.ExitCode != want {
			t.Errorf("%s: %+v\n%s", argv, result, out)
		}
	}
	if can.Isolated { // without a door, nothing
		if result, out := run(t, sb, sandbox.Spec{Argv: get(sandbox.DoorURL)}, ""); result.ExitCode == 0 {
			t.Errorf("there is a way out without a door: %q", out)
		}
	}
	// Nobody behind the door is a matter for the program inside.
	server.Close()
	if result, out := run(t, sb, sandbox.Spec{Argv: get(sandbox.DoorURL), Door: socket}, ""); result.ExitCode != 1 {
		t.Errorf("%+v %q", result, out)
	}
}

func memoryLimit(t *testing.T, sb sandbox.Sandbox, can Abilities) {
	if !can.Bounded {
		t.Skip("not promised")
	}
	limits := sandbox.Limits{Memory: 200 << 20, Wall: time.Minute}
	for _, script := range []string{"exec " + sandbox.Self + " " + helper + " hog",
		sandbox.Self + " " + helper + " hog & " + sandbox.Self + " " + helper + " hog; wait; echo survived"} {
		if result, out := run(t, sb, sandbox.Spec{Limits: limits}, script); result.Ended != fleet.CodeMemory {
			t.Errorf("%s: %+v\n%s", script, result, out)
		}
	}
	result, out := run(t, sb, sandbox.Spec{Limits: limits}, "head -c 50000000 /dev/zero | tail -c 1 | od -c")
	if result.Ended != "" || result.ExitCode != 0 {
		t.Errorf("well within: %+v\n%s", result, out)
	}
}

func processLimit(t *testing.T, sb sandbox.Sandbox, can Abilities) {
	if !can.Bounded {
		t.Skip("not promised")
	}
	limits := sandbox.Limits{Processes: 50, Wall: time.Minute}
	for _, script := range []string{"f() { f | f & }; f; while :; do sleep 1; done", "while :; do sleep 100 & done"} {
		if result, out := run(t, sb, sandbox.Spec{Limits: limits}, script); result.Ended != fleet.CodeProcesses {
			t.Errorf("%s: %+v\n%.500s", script, result, out)
		}
	}
	result, out := run(t, sb, sandbox.Spec{Limits: limits}, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.01 & done; wait")
	if result.Ended != "" || result.ExitCode != 0 {
		t.Errorf("well within: %+v\n%s", result, out)
	}
}

func together(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	var wg sync.WaitGroup
	for i := range 16 {
		work := folder(t)
		wg.Go(func() {
			var out bytes.Buffer
			result, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"sh", "-c", "echo $N >n; cat n; exit $N"}, Work: work,
				Env: map[string]string{"N": strconv.Itoa(i)}, Stdout: &out})
			if err != nil || result.ExitCode != i || out.String() != fmt.Sprintln(i) {
				t.Errorf("%d: %+v %v %q", i, result, err, out.String())
			}
		})
	}
	wg.Wait()
}

func nonsense(t *testing.T, sb sandbox.Sandbox, _ Abilities) {
	work := folder(t)
	for name, spec := range map[string]sandbox.Spec{
		"nothing":           {},
		"empty program":     {Argv: []string{""}},
		"NUL in argv":       {Argv: []string{"echo", "a\x00b"}},
		"NUL in env":        {Argv: []string{"true"}, Env: map[string]string{"A": "a\x00--bind\x00/\x00/x"}},
		"= in a name":       {Argv: []string{"true"}, Env: map[string]string{"A=B": "x"}},
		"NUL in dir":        {Argv: []string{"true"}, Dir: "/\x00"},
		"relative dir":      {Argv: []string{"true"}, Dir: "sub"},
		"dir with dots":     {Argv: []string{"true"}, Dir: "/srv/../etc"},
		"relative work":     {Argv: []string{"true"}, Work: "."},
		"relative mount":    {Argv: []string{"true"}, Mounts: []sandbox.Mount{{Host: "x", Inside: "/x"}}},
		"mount over root":   {Argv: []string{"true"}, Mounts: []sandbox.Mount{{Host: work, Inside: "/"}}},
		"mount in proc":     {Argv: []string{"true"}, Mounts: []sandbox.Mount{{Host: work, Inside: "/proc/x"}}},
		"mount in work":     {Argv: []string{"true"}, Work: work, Mounts: []sandbox.Mount{{Host: work, Inside: sandbox.WorkDir + "/x"}}},
		"mount in home":     {Argv: []string{"true"}, Home: work, Mounts: []sandbox.Mount{{Host: work, Inside: sandbox.HomeDir + "/.x"}}},
		"mount in writable": {Argv: []string{"true"}, Mounts: []sandbox.Mount{{Host: work, Inside: "/srv/c/d"}, {Host: work, Inside: "/srv/c", Writable: true}}},
		"two in one place":  {Argv: []string{"true"}, Mounts: []sandbox.Mount{{Host: work, Inside: "/srv/c"}, {Host: "/etc", Inside: "/srv/c"}}},
		"long argument":     {Argv: []string{"true", strings.Repeat("x", 128<<10)}},
		"long variable":     {Argv: []string{"true"}, Env: map[string]string{"A": strings.Repeat("x", 128<<10)}},
		"long in all":       {Argv: slices.Repeat([]string{strings.Repeat("x", 100<<10)}, 11)},
		"negative limit":    {Argv: []string{"true"}, Limits: sandbox.Limits{Memory: -1}},
	} {
		if _, err := sb.Run(t.Context(), spec); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

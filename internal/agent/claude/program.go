package claude

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
)

// Tested is the version that the tests run, and the one to install.
const Tested = "2.1.330"

// Versions from oldest on and before newest behave as this package says.
var oldest, newest = [3]int{2, 1, 197}, [3]int{2, 2, 0}

const mend = "npm install -g @anthropic-ai/claude-code@" + Tested

// program is Claude Code's program on the host, and how it is shown inside.
type program struct {
	host   string // the file itself, links resolved
	mount  string // what is mounted: the file, or the folder of a program that is made of several
	at     string // where
	inside string // the file, inside
}

const place = "/opt/claude"

// locate finds the program.
func locate(name string) (program, error) {
	missing := func(err error) (program, error) {
		return program{}, &fleet.Error{Code: fleet.CodeAgentMissing, Message: "Claude Code is not installed", Hint: mend, Err: err}
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return missing(err)
	}
	if found, err = filepath.Abs(found); err != nil {
		return missing(err)
	}
	if found, err = filepath.EvalSymlinks(found); err != nil {
		return missing(err)
	}
	f, err := os.Open(found)
	if err != nil {
		return missing(err)
	}
	defer f.Close()
	head := make([]byte, 2)
	if _, err := io.ReadFull(f, head); err != nil {
		return missing(err)
	}
	if string(head) == "#!" { // a script finds the rest of itself beside it
		return program{host: found, mount: filepath.Dir(found), at: place, inside: place + "/" + filepath.Base(found)}, nil
	}
	return program{host: found, mount: found, at: place + "/claude", inside: place + "/claude"}, nil
}

// memo remembers the version of a program file that has not changed.
type memo struct {
	mu   sync.Mutex
	key  string
	text string
}

// Version implements agent.Agent: the program's own version, and a fingerprint of what it is told. It starts the program
// once, with an empty environment and home.
func (a *Agent) Version(ctx context.Context) (string, error) {
	p, err := locate(a.cfg.Program)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(p.host)
	if err != nil {
		return "", &fleet.Error{Code: fleet.CodeAgentMissing, Message: "Claude Code is not installed", Hint: mend, Err: err}
	}
	key := fmt.Sprint(p.host, info.Size(), info.ModTime())
	a.version.mu.Lock()
	defer a.version.mu.Unlock()
	if a.version.key != key {
		text, err := ask(ctx, p.host)
		if err != nil {
			return "", err
		}
		a.version.key, a.version.text = key, text
	}
	if err := inRange(a.version.text); err != nil && !a.cfg.AnyVersion {
		return "", err
	}
	return a.version.text + "+" + agent.Fingerprint(further, tools), nil
}

func ask(ctx context.Context, file string) (string, error) {
	home, err := os.MkdirTemp("", "claude-version-")
	if err != nil {
		return "", fleet.Errorf(fleet.CodeInternal, "no folder for Claude Code's home: %w", err)
	}
	defer os.RemoveAll(home)
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, file, "--version")
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.WaitDelay = home, &out, time.Second
	cmd.Env = []string{"HOME=" + home, "PATH=/usr/local/bin:/usr/bin:/bin", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1"}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fleet.Errorf(fleet.CodeInterrupted, "asking Claude Code for its version: %w", ctx.Err())
		}
		return "", &fleet.Error{Code: fleet.CodeAgentMissing, Message: "Claude Code does not start", Hint: mend, Err: err}
	}
	return parseVersion(out.String())
}

var versionText = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)\S*`)

// parseVersion reads "2.1.330 (Claude Code)".
func parseVersion(text string) (string, error) {
	v := versionText.FindString(strings.TrimSpace(text))
	if v == "" || len(v) > 60 {
		return "", fleet.Errorf(fleet.CodeUnsupported, "Claude Code names no version that can be read")
	}
	return v, nil
}

func inRange(version string) error {
	m := versionText.FindStringSubmatch(version)
	if m == nil {
		return fleet.Errorf(fleet.CodeUnsupported, "Claude Code names no version that can be read")
	}
	var v [3]int
	var bad error
	for i := range v {
		n, err := strconv.Atoi(m[i+1])
		v[i], bad = n, errors.Join(bad, err)
	}
	if bad != nil || less(v, oldest) || !less(v, newest) {
		return &fleet.Error{Code: fleet.CodeUnsupported, Hint: mend,
			Message: fmt.Sprintf("Claude Code %s is not known: versions from %s to before %s are", version, dotted(oldest), dotted(newest))}
	}
	return nil
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func dotted(v [3]int) string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

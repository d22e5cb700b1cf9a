package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// checks carries what one step hands to later ones.
type checks struct {
	env     []string // added to every command's environment
	cleanup []func()
}

// step is one check; its error ends the run.
type step struct {
	name string
	what string
	run  func(c *checks, ctx context.Context) error
}

var steps = []step{
	{"parts", "find, or install, what the checks need", (*checks).parts},
	{"build", "compile everything, for Linux and for macOS", (*checks).build},
	{"format", "gofmt and go mod tidy leave nothing to do", (*checks).format},
	{"lint", "go vet and staticcheck", (*checks).lint},
	{"quick", "go test ./..., which needs only Go and git", (*checks).quick},
	{"race", "every test, with the race detector and every real part", (*checks).race},
	{"demo", "the main job, from a fleet to open pull requests", (*checks).demo},
	{"bench", "each benchmark once", (*checks).bench},
}

func main() {
	only := flag.String("only", "", "run only the step of this name, after looking for the parts: "+strings.Join(names(), ", "))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ci: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, only string) error {
	c := &checks{}
	defer func() {
		for _, f := range c.cleanup {
			f()
		}
	}()
	if only != "" && !slices.Contains(names(), only) {
		return fmt.Errorf("there is no step %q, only %s", only, strings.Join(names(), ", "))
	}
	for _, s := range steps {
		if only != "" && s.name != only && s.name != "parts" {
			continue
		}
		fmt.Printf("== %s: %s\n", s.name, s.what)
		began := time.Now()
		if err := s.run(c, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("== %s: ok, %.1f s\n", s.name, time.Since(began).Seconds())
	}
	fmt.Println("== everything passed")
	return nil
}

// names lists the steps.
func names() []string {
	var list []string
	for _, s := range steps {
		list = append(list, s.name)
	}
	return list
}

// do runs a command with its output on ours.
func (c *checks) do(ctx context.Context, env []string, name string, args ...string) error {
	fmt.Println("$ " + strings.Join(append(append([]string{}, env...), append([]string{name}, args...)...), " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append(os.Environ(), c.env...), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	return cmd.Run()
}

// out runs a command and returns what it prints.
func (c *checks) out(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), c.env...)
	text, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(text)), err
}

func (c *checks) build(ctx context.Context) error {
	if err := c.do(ctx, nil, "go", "build", "./..."); err != nil {
		return err
	}
	return c.do(ctx, []string{"GOOS=darwin", "CGO_ENABLED=0"}, "go", "build", "./...")
}

func (c *checks) format(ctx context.Context) error {
	files, err := c.out(ctx, "git", "ls-files", "*.go")
	if err != nil {
		return err
	}
	var sources []string
	for f := range strings.Lines(files) {
		if f = strings.TrimSpace(f); !strings.Contains(f, "testdata/") {
			sources = append(sources, f)
		}
	}
	text, err := c.out(ctx, "gofmt", append([]string{"-l"}, sources...)...)
	if err != nil || text != "" {
		return fmt.Errorf("gofmt -w these: %s %w", text, err)
	}
	if text, err = c.out(ctx, "go", "mod", "tidy", "-diff"); err != nil {
		return fmt.Errorf("run go mod tidy: %s", text)
	}
	return nil
}

// staticcheck is pinned here and not in go.mod, so that the program does not carry its linter's dependencies.
const staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"

func (c *checks) lint(ctx context.Context) error {
	if err := c.do(ctx, nil, "go", "vet", "-tags", "full", "./..."); err != nil {
		return err
	}
	return c.do(ctx, nil, "go", "run", staticcheck, "-tags", "full", "./...")
}

func (c *checks) quick(ctx context.Context) error {
	return c.do(ctx, nil, "go", "test", "./...")
}

func (c *checks) race(ctx context.Context) error {
	// The real agent program is installed by its driver's tests, and used by others: it has to be there first.
	if err := c.do(ctx, nil, "go", "test", "-tags", "full", "-run", "TestVersionIsTheTestedOne", "./internal/agent/claude"); err != nil {
		return err
	}
	return c.do(ctx, nil, "go", "test", "-race", "-tags", "full", "-timeout", "40m", "./...")
}

func (c *checks) demo(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "gaggle-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return c.do(ctx, nil, "go", "run", "./cmd/gaggle", "demo", "--dir", dir)
}

func (c *checks) bench(ctx context.Context) error {
	return c.do(ctx, nil, "go", "test", "-tags", "full", "-run", "^$", "-bench", ".", "-benchtime", "1x", "-timeout", "30m", "./...")
}

var errMissing = errors.New("missing part")

package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/sandbox"
)

//go:embed campaign.yaml
var campaign []byte

// waiting is how many more attempts run at once when most of them wait for a real model.
const waiting = 4

// Config is what the demo needs.
type Config struct {
	Dir     string // the demo's folder: missing, empty, or an earlier demo's, which it goes on with. Defaults to a new temporary one
	Out     io.Writer
	Env     func(string) string
	Program []string // how the person started the program, for the commands that are shown. Defaults to gaggle
}

// StartedAs is how a person starts the program again that was started as arg0: by its name where the shell finds it by
// that, by go run where that made it.
func StartedAs(arg0 string) []string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		return []string{"go", "run", "./cmd/gaggle"}
	}
	name := filepath.Base(arg0)
	if at, err := exec.LookPath(name); err == nil {
		if full, err := exec.LookPath(arg0); err == nil && full == at {
			return []string{name}
		}
	}
	return []string{arg0}
}

// demo is one run of it.
type demo struct {
	cfg     Config
	say     *teller
	machine machine
	dir     string
	mine    bool // campaign.yaml is as the demo wrote it
	real    bool // a real model does the work
	ops     *ops.Ops
}

// Run runs the demo. smooth is whether it ended as designed; with a real model, whether no target failed. The error is
// for a demo that could not be run to its end.
func Run(ctx context.Context, cfg Config) (smooth bool, err error) {
	if len(cfg.Program) == 0 {
		cfg.Program = []string{"gaggle"}
	}
	d := &demo{cfg: cfg, say: newTeller(cfg.Out, cfg.Env)}
	if d.dir, err = place(cfg.Dir); err != nil {
		return false, err
	}
	d.machine = thisMachine(d.dir, cfg.Out)
	smooth, err = d.run(ctx)
	if err != nil && ctx.Err() != nil {
		err = &fleet.Error{Code: fleet.CodeInterrupted, Message: "stopped; nothing is lost", Hint: "go on with: " + shell(d.program("demo", "--dir", d.dir))}
	}
	return smooth, err
}

// mark is the file by which a demo's folder is known.
const mark = ".gaggle-demo"

// place makes the demo's folder, or takes up an earlier demo's. A folder with anything else in it is left alone.
func place(dir string) (string, error) {
	var err error
	if dir == "" {
		if dir, err = os.MkdirTemp("", "gaggle-demo-"); err != nil {
			return "", &fleet.Error{Code: fleet.CodeNotReady, Message: "no temporary folder can be made", Hint: "name a folder with --dir", Err: err}
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return "", &fleet.Error{Code: fleet.CodeInvalid, Message: "the demo's folder cannot be made", Hint: "name another one with --dir", Err: err}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", &fleet.Error{Code: fleet.CodeInvalid, Message: "the demo's folder cannot be read", Hint: "name another one with --dir", Err: err}
	}
	if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
		return dir, nil
	}
	if len(entries) > 0 {
		return "", &fleet.Error{Code: fleet.CodeInvalid, Message: dir + " is not empty, and no demo made it", Hint: "name an empty or a new folder with --dir"}
	}
	return dir, os.WriteFile(filepath.Join(dir, mark), []byte("Made by gaggle demo. Remove the whole folder when you are done with it.\n"), 0o644)
}

// program is a command line of this program.
func (d *demo) program(args ...string) []string {
	return append(append([]string{}, d.cfg.Program...), args...)
}

// gaggle is a command line on the demo's data folder.
func (d *demo) gaggle(args ...string) []string {
	return d.program(append([]string{"--data", d.data()}, args...)...)
}

func (d *demo) data() string     { return filepath.Join(d.dir, "data") }
func (d *demo) fleet() string    { return filepath.Join(d.dir, "fleet") }
func (d *demo) campaign() string { return filepath.Join(d.dir, "campaign.yaml") }

func (d *demo) run(ctx context.Context) (bool, error) {
	d.say.line("Gaggle's demo: from one prompt to verified and judged pull requests over a fleet, in " + printable(d.dir))

	d.say.head("The machine")
	if err := d.machine.prepare(ctx, d.say); err != nil {
		return false, err
	}
	d.say.step("the sandbox works: agents, builds and tests run in bubblewrap, without network or your files")
	models, real, stop, err := chooseModels(ctx, d.cfg.Env, d.say)
	if err != nil {
		return false, err
	}
	defer stop()
	d.real = real
	d.ops, err = ops.Open(ctx, ops.Config{Data: d.data(), Models: models, Actor: "demo", VerifyCommand: []string{sandbox.Self, "__verify"}})
	if err != nil {
		return false, err
	}
	defer d.ops.Close()

	d.say.head("The fleet")
	all, err := d.settle(ctx)
	if err != nil {
		return false, err
	}
	if err := d.warm(ctx, all); err != nil {
		return false, err
	}

	d.say.head("The campaign")
	plan, err := d.plan(ctx)
	if err != nil {
		return false, err
	}
	out, err := d.work(ctx)
	if err != nil {
		return false, err
	}
	return d.finish(ctx, plan, out)
}

// settle makes the repositories and reads them into the fleet.
func (d *demo) settle(ctx context.Context) ([]repository, error) {
	all, err := repositories()
	if err != nil {
		return nil, err
	}
	made, err := plant(ctx, d.fleet(), all)
	if err != nil {
		return nil, err
	}
	d.say.step("%d git repositories of Greylag Parcels are in %s (%d made now)", len(all), d.fleet(), made)
	got, err := d.ops.Sync(ctx, ops.SyncInput{From: d.fleet()})
	if err != nil {
		return nil, err
	}
	components, err := d.ops.Components(ctx, ops.ComponentsInput{})
	if err != nil {
		return nil, err
	}
	owners := map[string]bool{}
	for _, c := range components {
		if c.Owner != "" {
			owners[c.Owner] = true
		}
	}
	d.say.step("synced: %d repositories, %d components, %d owners", got.Repositories, got.Components, len(owners))
	for _, p := range got.Problems {
		d.say.note("%s: %s:%d: %s", p.Repository, p.File, p.Line, p.Message)
	}
	d.say.command(d.gaggle("fleet", "sync", "--from", d.fleet()))
	return all, nil
}

// warm compiles the standard library's packages that the fleet uses, once, into the cache that all builds then read.
func (d *demo) warm(ctx context.Context, all []repository) error {
	packages := standardImports(all)
	done := filepath.Join(d.dir, warmMark)
	if was, err := os.ReadFile(done); err == nil && string(was) == strings.Join(packages, "\n") {
		d.say.step("the Go cache is warm from an earlier run")
		return nil
	}
	d.say.step("warm-up: Go compiles the %d packages of its library that the fleet uses", len(packages))
	dir, err := os.MkdirTemp("", "gaggle-warm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var b strings.Builder
	b.WriteString("package warm\n\nimport (\n")
	for _, p := range packages {
		fmt.Fprintf(&b, "\t_ %q\n", p)
	}
	b.WriteString(")\n")
	for name, text := range map[string]string{"go.mod": "module greylag.example/warm\n\ngo 1.21\n", "warm.go": "package warm\n", "warm_test.go": b.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	report, err := d.ops.Verify(ctx, ops.VerifyInput{Dir: dir})
	if err != nil {
		return err
	}
	for _, c := range report.Checks {
		if c.Outcome != fleet.Passed {
			return &fleet.Error{Code: fleet.CodeNotReady, Message: "Go does not work inside the sandbox: " + c.Verifier + ": " + firstOf(c.Lines, string(c.Outcome)),
				Hint: shell(d.program("doctor")) + " says what this machine can do"}
		}
	}
	d.say.step("warm: from here on every build reads that cache, and none may write it")
	return os.WriteFile(done, []byte(strings.Join(packages, "\n")), 0o644)
}

// warmMark is the file that says what the warm-up has compiled.
const warmMark = ".warm"

// plan writes the campaign, unless the person has one there, and says what it concerns.
func (d *demo) plan(ctx context.Context) (*ops.Plan, error) {
	text, err := os.ReadFile(d.campaign())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.WriteFile(d.campaign(), campaign, 0o644); err != nil {
			return nil, err
		}
		d.mine = true
	case err != nil:
		return nil, err
	default:
		d.mine = string(text) == string(campaign)
	}
	d.say.step("%s says what to change, and where", d.campaign())
	p, err := d.ops.Plan(ctx, ops.PlanInput{File: d.campaign()})
	if err != nil {
		return nil, err
	}
	d.say.step("planned: %d targets in waves of %v, %d components left out", len(p.Targets), p.Waves, len(p.Out))
	d.say.command(d.gaggle("plan", d.campaign()))
	return p, nil
}

// work runs the campaign.
func (d *demo) work(ctx context.Context) (*ops.RunOutput, error) {
	d.say.step("running: agent, build and tests, guards, judge, pull request")
	d.say.command(d.gaggle("run", d.campaign()))
	in := ops.RunInput{File: d.campaign(), Parallel: runtime.NumCPU() + 1} // there is always one that waits for a disk
	if d.real {
		in.Parallel += waiting
	}
	return d.ops.Run(ctx, in, d.say.event)
}

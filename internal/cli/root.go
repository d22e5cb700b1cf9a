package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/sandbox"
	"gaggle/internal/spec"
)

// The exit codes.
const (
	ExitOK     = 0 // all targets are at a good rest, or the command did what it says
	ExitBroken = 1 // the machine, the database or the program is broken, or the run was stopped
	ExitInput  = 2 // the input is wrong: a flag, a file, a name
	ExitFailed = 3 // the command ran, and some targets failed
)

// App is what a command runs with.
type App struct {
	Stdout, Stderr io.Writer
	Stdin          io.Reader
	Env            func(string) string
	// Demo runs the demo in a folder ("" for a temporary one) and says whether it ended well; nil where there is none.
	Demo func(ctx context.Context, dir string, w io.Writer) (smooth bool, err error)

	data, database string
	noSandbox      bool
	json           bool
	failed         bool // some targets failed
	text           *screen
}

// Run runs one command line and returns the exit code.
func Run(ctx context.Context, app *App, args []string) int {
	app.text = &screen{w: app.Stdout}
	root := app.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err != nil && ctx.Err() != nil && fleet.CodeOf(err) != fleet.CodeInterrupted:
		// What was under way says in its own words that it was stopped; the person who did that knows.
		err = &fleet.Error{Code: fleet.CodeInterrupted, Message: "stopped", Hint: "the same command goes on where it was"}
	case err == nil && app.text.err != nil:
		err = &fleet.Error{Code: fleet.CodeInternal, Message: "the answer cannot be written", Err: app.text.err}
	}
	if err != nil {
		app.explain(err)
		return exitCode(err)
	}
	if app.failed {
		return ExitFailed
	}
	return ExitOK
}

// usageError is a mistake in flags or arguments, which cobra reports as a plain error.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		return ExitInput
	}
	switch fleet.CodeOf(err) {
	case fleet.CodeInvalid, fleet.CodeNotFound, fleet.CodeConflict, fleet.CodeUnsupported:
		return ExitInput
	}
	return ExitBroken
}

// explain shows an error once: what, where, and what to do.
func (a *App) explain(err error) {
	w := &screen{w: a.Stderr, json: a.json}
	if a.json {
		type jsonError struct {
			Code    fleet.Code `json:"code"`
			Message string     `json:"message"`
			Hint    string     `json:"hint,omitempty"`
			File    string     `json:"file,omitempty"`
			Line    int        `json:"line,omitempty"`
			Column  int        `json:"column,omitempty"`
		}
		var list []jsonError
		var many *spec.Errors
		if errors.As(err, &many) {
			for _, e := range many.List {
				list = append(list, jsonError{e.Code, e.Message, e.Hint, e.File, e.Line, e.Column})
			}
		} else {
			code := fleet.CodeOf(err)
			var usage usageError
			if errors.As(err, &usage) {
				code = fleet.CodeInvalid
			}
			list = append(list, jsonError{Code: code, Message: err.Error(), Hint: fleet.HintOf(err)})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": list})
		return
	}
	var many *spec.Errors
	if errors.As(err, &many) {
		for _, e := range many.List {
			fmt.Fprintln(w, e.Error())
			if e.Hint != "" {
				fmt.Fprintln(w, "  hint: "+e.Hint)
			}
		}
		if many.More > 0 {
			fmt.Fprintf(w, "and %d more\n", many.More)
		}
		return
	}
	fmt.Fprintln(w, "gaggle: "+err.Error())
	if hint := fleet.HintOf(err); hint != "" {
		fmt.Fprintln(w, "  hint: "+hint)
	}
}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "gaggle",
		Short: "Change the code of a whole organisation, one verified pull request at a time",
		Long: "Gaggle finds every component that a change concerns, runs a coding agent or a script on each one in a sandbox,\n" +
			"verifies the result with the component's own build, has a model judge the diff, and opens pull requests in waves.\n\n" +
			"Exit codes: 0 all targets at a good rest, 3 some failed, 2 bad input, 1 broken or stopped.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	root.SetOut(a.text)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		hint := cmd.CommandPath() + " --help lists the flags"
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			var names []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
			if near := spec.Nearest(unknown.GetSpecifiedName(), names); near != "" {
				hint = "did you mean --" + near + "? " + hint
			}
		}
		return usageError{&fleet.Error{Code: fleet.CodeInvalid, Message: err.Error(), Hint: hint}}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.data, "data", "", "the data folder (GAGGLE_DATA; defaults to gaggle in the user's data folder)")
	flags.StringVar(&a.database, "database", "", "a postgres:// URL instead of the SQLite file in the data folder; GAGGLE_DATABASE keeps a password off the command line")
	flags.BoolVar(&a.json, "json", false, "answer in JSON")
	flags.BoolVar(&a.noSandbox, "dangerously-without-sandbox", false, "run agents and verifiers with NO isolation at all")
	root.AddCommand(a.fleetCommand(), a.validateCommand(), a.schemaCommand(), a.planCommand(), a.runCommand(), a.sweepCommand(), a.followCommand(), a.revertCommand(), a.statusCommand(), a.reportCommand(), a.digestCommand(), a.showCommand(), a.eventsCommand(),
		a.diffCommand(), a.logsCommand(), a.transcriptCommand(), a.provenanceCommand(), a.prCommand(), a.verifyCommand(), a.judgeCommand(), a.doctorCommand(), a.insideCommand())
	root.AddCommand(a.controlCommands()...)
	if a.Demo != nil {
		root.AddCommand(a.demoCommand())
	}
	return root
}

// dataDir is where Gaggle keeps its things.
func (a *App) dataDir() string {
	if a.data != "" {
		return a.data
	}
	if dir := a.Env("GAGGLE_DATA"); dir != "" {
		return dir
	}
	if dir := a.Env("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "gaggle")
	}
	if home := a.Env("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "gaggle")
	}
	return ""
}

// databaseURL is the database instead of the data folder's own, or "".
func (a *App) databaseURL() string {
	if a.database != "" {
		return a.database
	}
	return a.Env("GAGGLE_DATABASE")
}

// open opens the data folder for a command.
func (a *App) open(ctx context.Context) (*ops.Ops, error) {
	forges, err := ops.ReadForges(a.Env, a.dataDir())
	if err != nil {
		return nil, err
	}
	cfg := ops.Config{Data: a.dataDir(), Forges: forges, Database: a.databaseURL(), Models: ops.ModelsFromEnvironment(a.Env), Actor: a.Env("USER"), VerifyCommand: []string{sandbox.Self, "__verify"}}
	if list := a.Env("GAGGLE_REGISTRIES"); list != "" {
		cfg.Registries = strings.Split(list, ",")
	}
	if a.noSandbox {
		cfg.Sandbox = sandbox.None
		fmt.Fprintln(a.Stderr, "WARNING: NO SANDBOX. Agents and verifiers run as you, with your files and your network.")
	}
	return ops.Open(ctx, cfg)
}

// with runs do on the open data folder.
func (a *App) with(cmd *cobra.Command, do func(ctx context.Context, o *ops.Ops) error) error {
	o, err := a.open(cmd.Context())
	if err != nil {
		return err
	}
	defer o.Close()
	return do(cmd.Context(), o)
}

// answer prints v as JSON when that was asked for, and calls text otherwise.
func (a *App) answer(v any, text func(w io.Writer)) error {
	if a.json {
		a.text.json = true
		enc := json.NewEncoder(a.text)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	text(a.text)
	return nil
}

// line prints v as one line of JSON.
func (a *App) line(v any) error {
	a.text.json = true
	return json.NewEncoder(a.text).Encode(v)
}

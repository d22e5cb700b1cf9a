package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gaggle/internal/spec"
)

//go:generate go test . -run TestReference -update

// Reference writes docs/reference.md: the commands, as cobra knows them, and the files, as package spec's tables do.
func Reference(w io.Writer) {
	app := &App{Env: func(string) string { return "" }}
	app.text = &screen{w: w}
	root := app.root()
	if app.Demo == nil {
		root.AddCommand(app.demoCommand())
	}
	fmt.Fprint(w, "# Reference\n\nMade from the program by `go generate ./internal/cli`; not edited by hand.\n\n## Commands\n\n")
	fmt.Fprint(w, "Every command takes these:\n\n")
	writeFlags(w, root.PersistentFlags())
	writeCommands(w, root)
	fmt.Fprint(w, `
## Exit codes

| code | means |
|---|---|
| 0 | all targets at a good rest, or the command did what it says |
| 1 | something is broken, or the run was stopped |
| 2 | the input is wrong: a flag, a file, a name |
| 3 | the command ran, and some targets failed |

With `+"`--json`"+`, errors are one line on standard error: `+"`{\"errors\": [{\"code\", \"message\", \"hint\", \"file\", \"line\", \"column\"}]}`"+`. `+"`run --json`"+`
prints the campaign's events, a line each, and then a line of the kind `+"`end`"+` with the status and what the campaign waits for.

## Environment

| variable | means |
|---|---|
| `+"`GAGGLE_DATA`"+` | the data folder, like `+"`--data`"+` |
| `+"`GAGGLE_DATABASE`"+` | the database, like `+"`--database`"+`, with a password kept off the command line |
| `+"`GAGGLE_REGISTRIES`"+` | further hosts of package registries, separated by commas, from which the toolchain caches are filled |
| `+"`ANTHROPIC_API_KEY`, `OPENAI_API_KEY`"+` | the provider of models for agents and the judge; `+"`ANTHROPIC_BASE_URL` and `OPENAI_BASE_URL`"+` name another endpoint, and one on this machine needs no key |
| `+"`GAGGLE_MODEL`, `GAGGLE_JUDGE_MODEL`"+` | the models of agents and of the judge, where a campaign names none |
| `+"`USER`"+` | who the history says did what people do |

The tokens of code hosts are in [forges.md](forges.md). A program that a campaign runs finds other variables:

| variable | holds |
|---|---|
| `+"`GAGGLE_CAMPAIGN`"+` | the campaign's name |
| `+"`GAGGLE_COMPONENT`, `GAGGLE_NAME`, `GAGGLE_OWNER`, `GAGGLE_LANGUAGE`"+` | the component's reference, name, owner and main language |
| `+"`GAGGLE_REPOSITORY`, `GAGGLE_PATH`, `GAGGLE_ROOT`"+` | its repository, its path in it, and the folder of the whole work tree |
| `+"`GAGGLE_COMPONENT_FILE`"+` | a file that has all of the component as JSON |
| `+"`GAGGLE_ROUND`, `GAGGLE_FEEDBACK_FILE`"+` | which try this is, from 1, and a file that says what was wrong with the one before, empty in the first |

The view of `+"`run`"+` and `+"`status --watch`"+` is for terminals; with `+"`TERM=dumb`"+`, in a pipe or in a file there are plain lines. Nothing is coloured.

## The campaign file
`)
	writeKeys(w, spec.Keys())
	fmt.Fprint(w, "\n## A repository's "+spec.RepoFile+"\n")
	writeKeys(w, spec.RepositoryKeys())
	fmt.Fprint(w, "\n## "+spec.OwnersFile+" in the data folder\n")
	writeKeys(w, spec.OwnersKeys())
	fmt.Fprint(w, "\n## "+spec.IdentityFile+" in the data folder\n")
	writeKeys(w, spec.IdentityKeys())
	fmt.Fprint(w, "\n## "+spec.ForgesFile+" in the data folder\n")
	writeKeys(w, spec.ForgesKeys())
}

func writeCommands(w io.Writer, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if !c.HasSubCommands() {
			fmt.Fprintf(w, "\n### %s\n\n`%s %s`\n\n%s.\n", c.CommandPath(), parent.CommandPath(), c.Use, c.Short)
			if c.HasLocalFlags() {
				fmt.Fprintln(w)
				writeFlags(w, c.LocalNonPersistentFlags())
			}
		}
		writeCommands(w, c)
	}
}

func writeFlags(w io.Writer, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Hidden {
			return
		}
		fmt.Fprintf(w, "- `--%s`", f.Name)
		if f.Value.Type() != "bool" {
			fmt.Fprintf(w, " *%s*", strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(f.Value.Type()), "64"), "slice"))
		}
		fmt.Fprintf(w, ": %s\n", f.Usage)
	})
}

func writeKeys(w io.Writer, keys []spec.Key) {
	fmt.Fprint(w, "\n| key | default | meaning |\n|---|---|---|\n")
	for _, k := range keys {
		def := ""
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		if k.Required {
			def = "required"
		}
		doc := k.Doc
		if len(k.Values) > 1 {
			doc = "One of " + strings.Join(k.Values, ", ") + ". " + doc
		}
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", k.Path, strings.ReplaceAll(def, "|", `\|`), strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "\n", " ").Replace(doc))
	}
}

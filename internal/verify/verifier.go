package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"
)

// Kind is what a verifier looks at.
type Kind string

// The kinds of verifiers, in the order they run.
const (
	Build Kind = "build"
	Lint  Kind = "lint"
	Test  Kind = "test" // may be flaky, so a new failure may be tried again
)

// DefaultTimeout is how long one verifier may take unless the campaign says otherwise.
const DefaultTimeout = 10 * time.Minute

// Verifier is one command that decides whether a component is sound.
type Verifier struct {
	Name    string            `json:"name"`              // such as "go test"; unique within a list
	Kind    Kind              `json:"kind"`              //
	Source  string            `json:"source"`            // why it is switched on: "go.mod", "campaign", ".gaggle.yaml"
	Tool    string            `json:"tool"`              // whose output it prints: go, node, python, maven, gradle, cargo, dotnet, make, bazel, pre-commit, shell
	Argv    []string          `json:"argv"`              //
	Dir     string            `json:"dir"`               // slash-separated, relative to the repository's root; "." for the root
	Env     map[string]string `json:"env,omitempty"`     // beside Environment
	Path    []string          `json:"path,omitempty"`    // folders of the tree, relative to its root, that come first on PATH
	Modules map[string]string `json:"modules,omitempty"` // Go: module path to folder, so that import paths become files
	Setup   []Step            `json:"setup,omitempty"`   // before it, in every fresh checkout; works without network after Warm
	Warm    []Step            `json:"warm,omitempty"`    // once, with network, in a checkout of the base that is thrown away: fills the toolchain's caches
	Scratch []string          `json:"scratch,omitempty"` // gitignore patterns, from the root, of what it leaves in the tree
	Timeout time.Duration     `json:"timeout"`           // defaults to DefaultTimeout
}

// Step is a command that has to have run before a verifier can work.
type Step struct {
	Name     string            `json:"name,omitempty"` // for people, where Argv is a script
	Argv     []string          `json:"argv"`
	Dir      string            `json:"dir"`
	Env      map[string]string `json:"env,omitempty"`
	Executes bool              `json:"executes,omitempty"` // runs code of the repository or of its dependencies: never beside a cache that other repositories read
	Local    bool              `json:"local,omitempty"`    // needs no network, once the steps before it had theirs
	Optional bool              `json:"optional,omitempty"` // the verifier is worth running when the step fails
}

// Environment is what every verifier and step runs with, beside PATH, HOME and what the machine's toolchains need.
// It asks tools to be plain, quiet and non-interactive, and no more than that: NO_COLOR or COLUMNS make the tests of programs fail that care for
// colours and widths. Colours are taken out of the output anyway.
func Environment() map[string]string {
	return map[string]string{
		"CI": "true", "TERM": "dumb",
		"LC_ALL": "C.UTF-8", "TZ": "UTC", "DO_NOT_TRACK": "1", "GIT_TERMINAL_PROMPT": "0",
		"PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": "/tmp/pycache", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1",
		"npm_config_update_notifier": "false", "npm_config_fund": "false", "npm_config_audit": "false", "npm_config_yes": "false", "npm_config_color": "false", "HUSKY": "0", "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
		"CARGO_TERM_COLOR": "never", "CARGO_TERM_PROGRESS_WHEN": "never", "CARGO_INCREMENTAL": "0", "RUST_BACKTRACE": "0",
		"DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1", "DOTNET_SKIP_FIRST_TIME_EXPERIENCE": "1",
	}
}

// Command renders what the verifier runs, as a person would type it at the repository's root.
func (v Verifier) Command() string { return commandLine(v.Dir, v.Argv) }

func commandLine(dir string, argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = quote(a)
	}
	line := strings.Join(words, " ")
	if len(argv) > 2 && argv[0] == "sh" && argv[1] == "-c" {
		line = argv[2]
		if len(argv) > 3 { // a script around a call: the call is what a person would type
			line = strings.Join(words[3:], " ")
		}
	}
	if dir != "" && dir != "." {
		line = "cd " + quote(dir) + " && " + line
	}
	return line
}

func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,@+%", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// revision grows when the same output would be distilled to something else, so that remembered reports are not
// compared with new ones.
const revision = 1

// Hash names a list of verifiers: equal hashes mean that the same commands run and that their output is read in the same way.
func Hash(verifiers []Verifier) string {
	data, err := json.Marshal(struct {
		Revision  int
		Verifiers []Verifier
	}{revision, verifiers})
	if err != nil {
		panic("verify: a verifier always encodes: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// WarmSteps lists every distinct step that has to run with network once, in order.
func WarmSteps(verifiers []Verifier) []Step {
	return steps(verifiers, func(v Verifier) []Step { return v.Warm })
}

// SetupSteps lists every distinct step that has to run in a fresh checkout, in order. Run runs them itself.
func SetupSteps(verifiers []Verifier) []Step {
	return steps(verifiers, func(v Verifier) []Step { return v.Setup })
}

func steps(verifiers []Verifier, of func(Verifier) []Step) []Step {
	var all []Step
	seen := map[string]bool{}
	for _, v := range verifiers {
		for _, s := range of(v) {
			if id := s.id(); !seen[id] {
				seen[id] = true
				all = append(all, s)
			}
		}
	}
	return all
}

func (s Step) id() string { return s.Dir + "\x00" + strings.Join(s.Argv, "\x00") }

// ScratchPatterns lists, as gitignore patterns from the repository's root, what the verifiers leave in the tree. They
// belong into the checkout's own exclude file: an agent that runs the verifiers must not find their litter in its diff.
func ScratchPatterns(verifiers []Verifier) []string {
	var all []string
	for _, v := range verifiers {
		all = append(all, v.Scratch...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// scratch makes gitignore patterns for names below a folder.
func scratch(dir string, names ...string) []string {
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = path.Join("/", dir, "**", name)
		if dir == "." || dir == "" {
			patterns[i] = "/**/" + name
		}
		if strings.HasSuffix(name, "/") {
			patterns[i] = strings.TrimSuffix(patterns[i], "/") + "/"
		}
	}
	return patterns
}

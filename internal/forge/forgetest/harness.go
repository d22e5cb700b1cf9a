package forgetest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Harness is one forge with one fresh repository whose default branch holds File.
type Harness struct {
	Forge forge.Forge
	Repo  fleet.Repository

	// Push puts one commit with these files on top of a branch, or of the default branch when
	// that branch does not exist, and returns the commit.
	Push func(t testing.TB, branch string, files map[string]string) string
	// Read returns a file of a branch; ok is false when it is not there.
	Read func(t testing.TB, branch, file string) (content string, ok bool)
	// Log returns the subjects of a branch's commits, newest first, with first parents only.
	Log func(t testing.TB, branch string) []string
	// Tip returns where a branch stands; "" when it does not exist.
	Tip func(t testing.TB, branch string) string

	// Report has CI report a check of a commit. Nil: this host's checks cannot be played.
	Report func(t *testing.T, commit, name string, state forge.CheckState)
	// Reruns returns how often a check was asked to run again. Nil: this host runs none again.
	Reruns func(t *testing.T, commit, name string) int
	// Say has a person say something of a pull request. Nil: this host's people cannot be played.
	Say func(t *testing.T, number int, r forge.Remark)
	// Drain has the host merge what is queued and can be merged, and throw out what cannot. For ExerciseQueue only.
	Drain func(t *testing.T)
	// TellsConflicts says that pull requests tell their conflicts, a while after a branch moved.
	TellsConflicts bool
	// MostBody is how many characters of a body the host takes, which forge.Clip cuts it at; 0 for any number.
	MostBody int
	// LooseHead says that the host takes no expected head with a merge: what is pushed in that very moment is merged with it.
	LooseHead bool
	// NoLabels says that the host's pull requests have none.
	NoLabels bool

	// Transient reports whether a failure is worth a retry. Nil: no call may fail that way.
	Transient func(error) bool
}

// File and Content are what the repository holds at first.
const (
	File    = "README.md"
	Content = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"
)

// Spec is a pull request of a branch of the repository.
func (h Harness) Spec(branch string) forge.PullSpec {
	return forge.PullSpec{Repo: h.Repo, HeadBranch: branch, Title: "Change " + branch, Body: "Because.", Labels: []string{"fleet"}, Reviewers: []string{"ann"}}
}

// Repository makes a bare repository in a temporary folder, with plain git, and fills in all of a Harness but the forge.
func Repository(t testing.TB, name string) Harness {
	t.Helper()
	r := &repository{dir: filepath.Join(t.TempDir(), "bare.git")}
	r.git(t, nil, "init", "--quiet", "--bare", "--initial-branch=main", r.dir)
	r.push(t, "main", map[string]string{File: Content})
	return Harness{
		Repo: fleet.Repository{Name: name, URL: r.dir, Forge: "local", DefaultBranch: "main"},
		Push: r.push,
		Tip:  r.tip,
		Read: func(t testing.TB, branch, file string) (string, bool) {
			if r.git(t, nil, "ls-tree", "--name-only", branch, "--", file) == "" {
				return "", false
			}
			return r.git(t, nil, "show", branch+":"+file) + "\n", true
		},
		Log: func(t testing.TB, branch string) []string {
			return strings.Split(r.git(t, nil, "log", "--first-parent", "--format=%s", branch), "\n")
		},
	}
}

type repository struct {
	dir     string
	commits int
}

func (r *repository) git(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	if args[0] != "init" {
		cmd.Dir = r.dir
	}
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSuffix(string(out), "\n")
}

func (r *repository) tip(t testing.TB, branch string) string {
	t.Helper()
	return r.git(t, nil, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
}

// push writes the commit with fast-import: one process, where a clone would need seven.
func (r *repository) push(t testing.TB, branch string, files map[string]string) string {
	t.Helper()
	from := r.tip(t, branch)
	if from == "" && branch != "main" {
		from = r.tip(t, "main")
	}
	r.commits++
	var b bytes.Buffer
	fmt.Fprintf(&b, "commit refs/heads/%s\nmark :1\ncommitter dev <dev@example.com> %d +0000\ndata <<END\nwork on %s\nEND\n", branch, 1_700_000_000+r.commits, branch)
	if from != "" {
		fmt.Fprintf(&b, "from %s\n", from)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", name, len(files[name]), files[name])
	}
	b.WriteString("\nget-mark :1\ndone\n")
	return r.git(t, b.Bytes(), "fast-import", "--quiet", "--force", "--done", "--date-format=raw")
}

package publish_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/forgetest"
	"gaggle/internal/forge/gitea"
	"gaggle/internal/forge/github"
	"gaggle/internal/forge/gitlab"
	"gaggle/internal/forge/local"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/git"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
)

// stage is a publisher before one repository on one kind of host, and a ready target there.
type stage struct {
	*testing.T
	forgetest.Harness
	dir  string   // the bare repository
	env  []string // of git commands on it
	git  *git.Store
	pub  *publish.Publisher
	in   publish.Proposal
	cfg  publish.Config
	trip func(method string, after bool) error // makes calls of the forge fail
}

const branch = "gaggle/c"

// vendors are the hosts that publishing is tried on.
var vendors = map[string]func(t *testing.T, h *forgetest.Harness, host *simulator.Host, store *git.Store) (forge.Forge, error){
	"local": func(t *testing.T, h *forgetest.Harness, _ *simulator.Host, store *git.Store) (forge.Forge, error) {
		return local.New(local.Config{Dir: t.TempDir(), Git: store})
	},
	"github": func(t *testing.T, h *forgetest.Harness, host *simulator.Host, _ *git.Store) (forge.Forge, error) {
		url := simulator.GitHub(t, host, nil)
		h.Repo.URL = url + "/" + simulator.Slug + ".git"
		return github.New(github.Config{URL: url, Credential: forge.Fixed("token")})
	},
	"gitlab": func(t *testing.T, h *forgetest.Harness, host *simulator.Host, _ *git.Store) (forge.Forge, error) {
		url := simulator.GitLab(t, host)
		h.Repo.URL = url + "/" + simulator.Slug + ".git"
		return gitlab.New(gitlab.Config{URL: url, Credential: forge.Fixed("token")})
	},
	"gitea": func(t *testing.T, h *forgetest.Harness, host *simulator.Host, _ *git.Store) (forge.Forge, error) {
		url := simulator.Gitea(t, host)
		h.Repo.URL = url + "/" + simulator.Slug + ".git"
		return gitea.New(gitea.Config{URL: url, Credential: forge.Fixed("token")})
	},
}

// everywhere runs a test on each kind of host.
func everywhere(t *testing.T, test func(s *stage)) {
	for name := range vendors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newStage(t, name, simulator.Faults{}))
		})
	}
}

func newStage(t *testing.T, vendor string, faults simulator.Faults) *stage {
	t.Helper()
	host, h := simulator.Harness(t, 11, faults)
	store, err := git.Open(git.Config{Dir: filepath.Join(t.TempDir(), "mirrors"), AllowFile: true, Credentials: func(context.Context, string) (string, string, error) { return "x", "token", nil }})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, git: store, dir: h.Repo.URL}
	h.Forge, err = vendors[vendor](t, &h, host, store)
	if err != nil {
		t.Fatal(err)
	}
	s.Harness = h
	s.cfg = publish.Config{Git: store, Forge: func(string) (forge.Forge, error) { return &tripping{h.Forge, s}, nil }}
	s.pub = publish.New(s.cfg)
	head, err := store.Refresh(t.Context(), h.Repo, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := spec.Parse("c.yaml", []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: c, description: Say one more}\nselect: {where: \"true\"}\nchange: {run: \"true\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s.in = publish.Proposal{
		Campaign: c, Repository: h.Repo, Component: fleet.Component{Ref: "component:default/billing", Name: "billing", Path: "."}, Diff: edit("one", "ONE"),
		Target:  fleet.Target{ID: 1, Campaign: "c", Component: "component:default/billing", Repository: h.Repo.Name, BaseCommit: head.Commit, BaseTree: head.Tree, Branch: branch, Stat: fleet.DiffStat{Files: 1, Added: 1, Deleted: 1}, CreatedAt: time.Unix(1_700_000_000, 0)},
		Attempt: fleet.Attempt{ID: 1, Number: 1, Agent: "script"},
	}
	return s
}

// edit is a diff of File that replaces its first line.
func edit(from, to string) []byte {
	return []byte("diff --git a/README.md b/README.md\n--- a/README.md\n+++ b/README.md\n@@ -1,4 +1,4 @@\n-" + from + "\n+" + to + "\n two\n three\n four\n")
}

// tripping is a forge whose calls fail when the stage says so, before or after they were carried out.
type tripping struct {
	forge.Forge
	stage *stage
}

func (f *tripping) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	if f.stage.trip != nil {
		if err := f.stage.trip("open", false); err != nil {
			return forge.Pull{}, err
		}
	}
	p, err := f.Forge.Open(ctx, spec)
	if f.stage.trip != nil && err == nil {
		if err := f.stage.trip("open", true); err != nil {
			return forge.Pull{}, err
		}
	}
	return p, err
}

func (f *tripping) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	return f.Forge.(forge.BranchDeleter).DeleteBranch(ctx, repo, branch, expect)
}

func (f *tripping) PushURL(ctx context.Context, repo fleet.Repository) (string, error) {
	if p, ok := f.Forge.(forge.PushTarget); ok {
		return p.PushURL(ctx, repo)
	}
	return repo.URL, nil
}

func (s *stage) publish() publish.Published {
	s.Helper()
	out, err := s.pub.Publish(s.Context(), s.in)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// record is what the engine writes down about a pull request.
func (s *stage) record(out publish.Published) {
	s.in.Target.HeadCommit, s.in.Target.PullNumber = out.Head, out.Pull.Number
}

// pulls counts those of the branch by asking for the newest numbers.
func (s *stage) pulls() (n int) {
	for {
		if _, err := s.Forge.Get(s.Context(), s.Repo, n+1); fleet.CodeOf(err) == fleet.CodeNotFound {
			return n
		} else if err != nil {
			s.Fatal(err)
		}
		n++
	}
}

func (s *stage) content(ref string) string {
	s.Helper()
	text, _ := s.Read(s.T, ref, forgetest.File)
	first, _, _ := strings.Cut(text, "\n")
	return first
}

var errCrash = errors.New("killed")

// noting keeps what it is asked to open.
type noting struct {
	forge.Forge
	asked *forge.PullSpec
}

func (f *noting) Open(ctx context.Context, spec forge.PullSpec) (forge.Pull, error) {
	*f.asked = spec
	return f.Forge.Open(ctx, spec)
}

// commit is the message of a branch's tip.
func commit(t *testing.T, s *stage, ref string) string {
	t.Helper()
	return s.plain("log", "-1", "--format=%B", ref)
}

// plain runs git on the repository as its owner would.
func (s *stage) plain(args ...string) string {
	s.Helper()
	cmd := exec.Command("git", append([]string{"-C", s.dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	cmd.Env = append(cmd.Env, s.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

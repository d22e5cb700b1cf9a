package git

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// AgentObjects is where a sandbox mounts Checkout.Objects read-only; the agent's throwaway git directory points at it.
const AgentObjects = "/srv/git/objects"

// Config says where mirrors live and what a tree may hold.
type Config struct {
	Dir          string // folder of the mirrors; made when missing
	Program      string // the git program; defaults to "git" on PATH
	AllowFile    bool   // allow file:// and plain paths as clone URLs
	MaxFiles     int    // entries that a work tree may hold, ignored ones included; defaults to 2,000,000
	MaxChanges   int    // files that a change may add or alter; defaults to 100,000
	MaxFileBytes int64  // size of one file that a change may add or alter; defaults to 16 MiB
	MaxTreeBytes int64  // size of all files that a change adds or alters; defaults to 512 MiB
	MaxDiffBytes int64  // size of one diff; defaults to 64 MiB

	Patience time.Duration // for reading what an agent left; defaults to 5 minutes

	// Credentials answers for an https URL; an empty secret means none. Defaults to nobody being asked.
	Credentials func(ctx context.Context, url string) (user, secret string, err error)
}

// Store is a folder of mirrors. Any number of goroutines and processes may use it at once.
type Store struct {
	cfg     Config
	program string
	path    string // PATH of the processes
	starter starter
	trusted pathSet // repositories of other users that the person trusts
	busy    keyed   // keeps this process's goroutines from polling for each other's file locks
}

// Open prepares the folder and looks for the git program; it starts no process.
func Open(cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, fleet.Errorf(fleet.CodeInternal, "git: no folder for the mirrors")
	}
	if cfg.Program == "" {
		cfg.Program = "git"
	}
	cfg.MaxFiles = or(cfg.MaxFiles, 2_000_000)
	cfg.MaxChanges = or(cfg.MaxChanges, 100_000)
	cfg.MaxFileBytes = or(cfg.MaxFileBytes, 16<<20)
	cfg.MaxTreeBytes = or(cfg.MaxTreeBytes, 512<<20)
	cfg.MaxDiffBytes = or(cfg.MaxDiffBytes, 64<<20)
	cfg.Patience = or(cfg.Patience, 5*time.Minute)
	program, err := exec.LookPath(cfg.Program)
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeNotReady, Message: "the git program is missing", Hint: "install git " + minVersionText + " or newer", Err: err}
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fleet.Errorf(fleet.CodeInternal, "git: %w", err)
	}
	s := &Store{cfg: cfg, program: program, path: "/usr/local/bin:/usr/bin:/bin"}
	if dir := filepath.Dir(program); !strings.Contains(":"+s.path+":", ":"+dir+":") {
		s.path += ":" + dir
	}
	for _, sub := range []string{locksDir, tempDir} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, sub), 0o755); err != nil {
			return nil, diskError(err, "the folder of mirrors cannot be made")
		}
	}
	sweepScratch(filepath.Join(cfg.Dir, tempDir))
	return s, nil
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// The oldest git that has all that is used here (merge-tree --write-tree, cat-file -z).
const minVersionText = "2.38"

// Version asks the git program for its version and refuses one that is too old.
func (s *Store) Version(ctx context.Context) (string, error) {
	out, err := s.output(ctx, command{args: []string{"version"}})
	if err != nil {
		return "", err
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "git version ")
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil || a < 2 || a == 2 && b < 38 {
		return version, &fleet.Error{Code: fleet.CodeNotReady, Message: "git " + version + " is too old", Hint: "install git " + minVersionText + " or newer"}
	}
	return version, nil
}

// Head is the newest commit of a default branch.
type Head struct {
	Branch string
	Commit string
	Tree   string
}

// Identity is who made a commit.
type Identity struct {
	Name  string
	Email string
}

// clockSlack is how far in the future a file's time may lie before it is not believed.
const clockSlack = time.Minute

package ops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/attempt"
	"gaggle/internal/engine"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/local"
	"gaggle/internal/forge/transport"
	"gaggle/internal/gateway"
	"gaggle/internal/git"
	"gaggle/internal/publish"
	"gaggle/internal/redact"
	"gaggle/internal/sandbox"
	"gaggle/internal/search"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// Config says where Gaggle keeps its things and what it may use.
type Config struct {
	// Data is the folder of mirrors, indexes, checkouts, the local forge and, without Database, the database. Made when missing.
	Data string
	// Database is a postgres:// URL. Defaults to Data/gaggle.db, an SQLite file.
	Database string
	// Sandbox is sandbox.Bubblewrap or sandbox.None. Defaults to bubblewrap.
	Sandbox string
	// Models says how models are reached. Defaults to none.
	Models Models
	// Registries are hosts of package registries, beside those that the go and npm commands are set up with. While the caches
	// are filled, package managers may fetch from them; nothing else may.
	Registries []string
	// Forges are the code hosts beside the built-in one. Defaults to none.
	Forges Forges
	// Actor is written into events for what people do. Defaults to the user's name.
	Actor string
	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
	// VerifyCommand starts the verifiers inside a sandbox; the face that owns the program sets it.
	VerifyCommand []string
}

// databaseFile is the SQLite file in the data folder.
const databaseFile = "gaggle.db"

// Ops is an open data folder. Its methods may be called from many goroutines.
type Ops struct {
	cfg        Config
	store      *store.Store
	git        *git.Store
	index      *search.Index
	redact     *redact.Redactor
	forge      *local.Forge
	commits    identity
	owners     *ownersFile
	publish    *publish.Publisher
	dependents *dependents
	person     func(ctx context.Context, url string) (user, secret string, err error) // the person's own credentials for git
	pause      func(ctx context.Context, d time.Duration) error                       // waits between two looks at something outside
	drivers    struct {
		sync.Mutex
		byURL    map[string]forge.Forge
		limiters []*transport.Limiter
	}
}

// Open opens the data folder. It starts no process and asks no network.
func Open(ctx context.Context, cfg Config) (*Ops, error) {
	if cfg.Data == "" {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "no data folder is named", Hint: "use --data DIR, or set GAGGLE_DATA"}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Actor == "" {
		cfg.Actor = os.Getenv("USER")
	}
	if u, err := user.Current(); cfg.Actor == "" && err == nil {
		cfg.Actor = u.Username
	}
	if cfg.Actor == "" {
		cfg.Actor = "somebody"
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, err
	}
	cfg.Data = data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "the data folder cannot be made", Hint: "name another one with --data DIR", Err: err}
	}
	if cfg.Database == "" {
		cfg.Database = filepath.Join(data, databaseFile)
	}
	o := &Ops{cfg: cfg, pause: pause, redact: redact.New(append(cfg.Models.secrets(), cfg.Forges.secrets(ctx)...)...)}
	o.cfg.Forges = cfg.Forges.taught(o.redact)
	if o.git, err = git.Open(git.Config{Dir: filepath.Join(data, "mirrors"), AllowFile: true, Credentials: o.gitCredential}); err != nil {
		return nil, unwritable(data, err)
	}
	o.person = o.git.UserCredentials()
	if o.forge, err = local.New(local.Config{Dir: filepath.Join(data, "forge"), Git: o.git, Now: cfg.Clock}); err != nil {
		return nil, unwritable(data, err)
	}
	o.index = search.Open(search.Config{Dir: filepath.Join(data, "index"), Trees: search.Mirrors(o.git)})
	if o.commits, err = readIdentity(data); err != nil {
		return nil, err
	}
	o.owners = &ownersFile{path: filepath.Join(data, spec.OwnersFile), now: time.Now}
	o.publish = publish.New(publish.Config{Git: o.git, Forge: o.forgeNamed, Author: o.commits.author, Sign: o.commits.sign})
	if o.store, err = store.Open(ctx, store.Config{URL: cfg.Database, Clock: cfg.Clock}); err != nil {
		return nil, unwritable(data, err)
	}
	o.dependents = &dependents{store: o.store, now: cfg.Clock}
	return o, nil
}

// unwritable says of an error that comes from missing rights what the person can do; others stay as they are.
func unwritable(data string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &fleet.Error{Code: fleet.CodeInvalid, Message: "the data folder " + data + " cannot be written", Hint: "name another one with --data DIR, or have its owner let you write", Err: err}
}

// Close releases the data folder.
func (o *Ops) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	o.drivers.Lock()
	defer o.drivers.Unlock()
	for _, l := range o.drivers.limiters {
		_ = l.Release(ctx) // what is left of its slice comes back by itself otherwise
	}
	o.store.Close()
}

// tip reads the commit that a repository's default branch stands at.
func (o *Ops) tip(ctx context.Context, repo fleet.Repository) (string, error) {
	head, err := o.git.Refresh(ctx, repo, refreshAge)
	return head.Commit, err
}

// engine makes an engine with everything that attempts need; withSandbox is false for commands that start none.
func (o *Ops) engine(ctx context.Context, parallel int, withSandbox bool) (*engine.Engine, error) {
	cfg := engine.Config{Store: o.store, Publisher: o.publish, Forge: o.forgeNamed, Clean: o.redact.String, Reverted: o.git.RevertOf, Conflicts: o.git.Conflicts, Tip: o.tip, Dependents: o.dependents.of, Owners: o.ownerRules, Parallel: parallel}
	if cfg.Parallel <= 0 {
		cfg.Parallel = runtime.NumCPU()
	}
	if withSandbox {
		if err := o.commits.ready(); err != nil {
			return nil, err
		}
		if _, err := o.owners.current(); err != nil {
			return nil, err
		}
		runner, err := o.runner(ctx)
		if err != nil {
			return nil, err
		}
		cfg.Changer = runner
	}
	return engine.New(cfg), nil
}

func (o *Ops) runner(ctx context.Context) (*attempt.Runner, error) {
	box, err := sandbox.New(ctx, sandbox.Config{Kind: o.cfg.Sandbox, Dir: o.cfg.Data})
	if err != nil {
		return nil, err
	}
	door, err := gateway.New(gateway.Config{Upstreams: o.cfg.Models.upstreams(), Redactor: o.redact})
	if err != nil {
		return nil, err
	}
	work := filepath.Join(o.cfg.Data, "work")
	if err := o.sweep(ctx, work); err != nil {
		return nil, err
	}
	drivers, err := o.cfg.Models.agents()
	if err != nil {
		return nil, err
	}
	agents := map[string]agent.Agent{}
	for _, a := range drivers {
		agents[a.Name()] = a
	}
	return attempt.New(attempt.Config{
		Git: o.git, Sandbox: box, Gateway: door, Agents: agents, Judge: o.cfg.Models.judge,
		Caches: sandbox.Caches{Dir: filepath.Join(o.cfg.Data, "cache")}, Registries: func(ctx context.Context) []string { return registries(ctx, o.cfg.Registries) }, WorkDir: work, Model: o.cfg.Models.Model, JudgeModel: o.cfg.Models.Judge, VerifyCommand: o.cfg.VerifyCommand, Redact: o.redact,
	}), nil
}

// sweep removes the folders of attempts that no longer run: what a killed process left.
func (o *Ops) sweep(ctx context.Context, work string) error {
	entries, err := os.ReadDir(work)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	running, err := o.store.RunningAttempts(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, id := range running {
		keep[fmt.Sprint(id)] = true
	}
	for _, e := range entries {
		if _, err := strconv.ParseInt(e.Name(), 10, 64); err != nil {
			// A folder of gaggle verify: its process may still run, but not for a day.
			if info, err := e.Info(); err != nil || o.cfg.Clock().Sub(info.ModTime()) < 24*time.Hour {
				continue
			}
		}
		if !keep[e.Name()] {
			if err := sandbox.Remove(filepath.Join(work, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

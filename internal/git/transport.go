package git

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gaggle/internal/fleet"
)

// networkEnv names what a network transport may take over from Gaggle's own environment.
var networkEnv = map[string][]string{
	"https": {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"},
	"ssh":   {"SSH_AUTH_SOCK"},
}

// runRemote runs a command that talks to the remote: over the one protocol that its URL names, with the credential
// that it needs, and without waiting for ever.
func (s *Store) runRemote(ctx context.Context, r Remote, c command) error {
	c.env = append(c.env, "GIT_ALLOW_PROTOCOL="+r.Protocol)
	for _, name := range networkEnv[r.Protocol] {
		if v := os.Getenv(name); v != "" {
			c.env = append(c.env, name+"="+v)
		}
	}
	switch r.Protocol {
	case "file":
		return s.runLocal(ctx, r, c)
	case "ssh":
		c.env = append(c.env, "GIT_SSH_VARIANT=ssh", "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4")
	default:
		if err := s.credential(ctx, r, &c); err != nil {
			return err
		}
	}
	return s.run(ctx, c)
}

// credential hands the credential for an http remote over: the helper that git is told to ask reads it from an
// inherited pipe.
func (s *Store) credential(ctx context.Context, r Remote, c *command) error {
	c.settings = append(c.settings, [2]string{"http.lowSpeedLimit", "1000"}, [2]string{"http.lowSpeedTime", "60"}, [2]string{"credential.helper", ""})
	user, secret := r.user, r.password
	if secret == "" && s.cfg.Credentials != nil {
		var err error
		if user, secret, err = s.cfg.Credentials(ctx, r.URL); err != nil {
			return &fleet.Error{Code: fleet.CodeForgeAuth, Message: "no credential for the remote", Err: err}
		}
	}
	if secret == "" {
		return nil
	}
	if strings.ContainsAny(user+secret, "\r\n\x00") {
		return &fleet.Error{Code: fleet.CodeForgeAuth, Message: "the credential for the remote holds a line break"}
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return err
	}
	c.secret = []byte("username=" + or(or(user, r.user), "gaggle") + "\npassword=" + secret + "\n")
	// Scoped to the host, so that a redirect to another one is not answered.
	c.settings = append(c.settings, [2]string{"credential." + u.Scheme + "://" + u.Host + ".helper", fromPipe})
	return nil
}

// fromPipe answers git's question from the pipe, and does nothing when git wants the answer kept or forgotten. The shell does it
// alone: each further process costs as much as the shell.
const fromPipe = `!f() { test "$1" = get || return 0; while IFS= read -r line; do printf '%s\n' "$line"; done <&3; }; f`

// runLocal starts the other half of git on a repository of this machine, hardened like this half. git refuses one
// that belongs to another user, unless the person who runs Gaggle has told git to trust it: that word is looked up
// once it is needed.
func (s *Store) runLocal(ctx context.Context, r Remote, c command) error {
	err := s.run(ctx, s.withService(r, c))
	if err == nil || !strings.Contains(stderrOf(err), "dubious ownership") || s.trusted.has(r.Path) || !s.userTrusts(ctx, r.Path) {
		return err
	}
	s.trusted.add(r.Path)
	return s.run(ctx, s.withService(r, c))
}

// withService adds the command line of the other half. It does without the search for deltas, which costs more than
// it saves on one disk.
func (s *Store) withService(r Remote, c command) command {
	words := append([]string{s.program}, hardening...)
	words = append(words, "-c", "pack.window=0", "-c", "pack.compression=1", "-c", "uploadpack.allowAnySHA1InWant=true")
	if s.trusted.has(r.Path) {
		words = append(words, "-c", "safe.directory=*") // it sees this one repository only
	}
	words = append(words, c.service)
	for i, w := range words {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	at := slices.Index(c.args, subcommand(c.args)) + 1
	c.args = slices.Insert(slices.Clone(c.args), at, "--"+c.service+"="+strings.Join(words, " "))
	return c
}

// userTrusts asks the configuration of the person who runs Gaggle, and of the machine, for safe.directory.
func (s *Store) userTrusts(ctx context.Context, path string) bool {
	var env []string
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	trusted := false
	for _, scope := range []string{"--system", "--global"} {
		out, err := s.output(ctx, command{asPerson: true, env: env, args: []string{"config", scope, "--includes", "-z", "--get-all", "safe.directory"}})
		if err != nil {
			continue // that file does not exist, or does not say
		}
		for _, value := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
			value = strings.TrimSuffix(value, "/")
			parent, isParent := strings.CutSuffix(value, "/*")
			switch {
			case value == "": // an empty entry takes back what came before
				trusted = false
			case value == "*", value == path, value == filepath.Join(path, ".git"), isParent && strings.HasPrefix(path, parent+"/"):
				trusted = true
			}
		}
	}
	return trusted
}

// pathSet is a set of paths for several goroutines.
type pathSet struct{ m sync.Map }

func (p *pathSet) add(path string) { p.m.Store(path, true) }

func (p *pathSet) has(path string) bool {
	_, ok := p.m.Load(path)
	return ok
}

// UserCredentials asks the git credential helpers of the person who runs Gaggle, once a host. A host for which they have
// nothing gets no credential, which public repositories do not need.
func (s *Store) UserCredentials() func(ctx context.Context, url string) (user, secret string, err error) {
	type answer struct{ user, secret string }
	var mu sync.Mutex
	known := map[string]answer{}
	return func(ctx context.Context, raw string) (string, string, error) {
		u, err := url.Parse(raw)
		if err != nil {
			return "", "", err
		}
		mu.Lock()
		defer mu.Unlock()
		a, ok := known[u.Scheme+u.Host]
		if !ok {
			env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") && !strings.HasPrefix(v, "GIT_CONFIG_") })
			env = append(env, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=")
			out, err := s.output(ctx, command{asPerson: true, env: env, args: []string{"credential", "fill"}, stdin: strings.NewReader("protocol=" + u.Scheme + "\nhost=" + u.Host + "\n\n")})
			if ctx.Err() != nil {
				return "", "", context.Cause(ctx)
			}
			for line := range strings.Lines(string(out)) {
				switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "="); {
				case err != nil:
				case key == "username":
					a.user = value
				case key == "password":
					a.secret = value
				}
			}
			known[u.Scheme+u.Host] = a
		}
		return a.user, a.secret, nil
	}
}

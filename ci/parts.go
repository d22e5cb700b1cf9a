package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// part is a program that the checks need, and the Debian package that holds it.
type part struct {
	program string
	pkg     string
	why     string
}

var needed = []part{
	{"git", "git", "every test works on real repositories"},
	{"bwrap", "bubblewrap", "the sandbox"},
	{"npm", "npm", "the coding agents are on the npm registry"},
	{"initdb", "postgresql", "the second database"},
	{"make", "make", "a verifier"},
	{"ssh-keygen", "openssh-client", "signs commits"},
	{"gpg", "gpg", "signs commits"},
	{"gpg-agent", "gpg-agent", "holds the keys of gpg"},
	{"gpgconf", "gpgconf", "stops the agent of a test"},
}

// parts finds each part or installs it, starts PostgreSQL, and fails with the name of what it cannot get.
func (c *checks) parts(ctx context.Context) error {
	var packages []string
	for _, p := range needed {
		if find(p.program) == "" {
			fmt.Printf("   %s is missing (%s)\n", p.program, p.why)
			packages = append(packages, p.pkg)
		}
	}
	if len(packages) > 0 {
		if err := c.install(ctx, packages); err != nil {
			return err
		}
	}
	for _, p := range needed {
		at := find(p.program)
		if at == "" {
			return fmt.Errorf("%w: %s (%s); install the package %s", errMissing, p.program, p.why, p.pkg)
		}
		fmt.Printf("   %s: %s\n", p.program, at)
	}
	return c.startPostgres(ctx)
}

// find looks on the path, and where Debian keeps PostgreSQL's programs.
func find(program string) string {
	if at, err := exec.LookPath(program); err == nil {
		return at
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	return ""
}

func (c *checks) install(ctx context.Context, packages []string) error {
	words := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("%w: %s; install them, for example with: sudo apt-get install -y %s", errMissing, words, words)
	}
	fmt.Println("   installing " + words)
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := c.do(ctx, env, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return c.do(ctx, env, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
}

// startPostgres runs a server of its own in a temporary folder, on loopback, and names it in GAGGLE_TEST_POSTGRES.
func (c *checks) startPostgres(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "gaggle-pg-")
	if err != nil {
		return err
	}
	c.cleanup = append(c.cleanup, func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return err
	}
	// The server refuses to run as root.
	as := func(program string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, find(program), args...)
	}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("%w: the user postgres, under which the server runs: %w", errMissing, err)
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return err
		}
		if err := os.Chown(dir, uid, -1); err != nil {
			return err
		}
		as = func(program string, args ...string) *exec.Cmd {
			return exec.CommandContext(ctx, "setpriv", append([]string{"--reuid", u.Uid, "--regid", u.Gid, "--clear-groups", "--", find(program)}, args...)...)
		}
	}
	data := filepath.Join(dir, "data")
	init := as("initdb", "-D", data, "-A", "trust", "-U", "gaggle", "--no-sync")
	init.Dir = dir
	if text, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, text)
	}
	server := as("postgres", "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200")
	server.Dir = dir
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	if err := server.Start(); err != nil {
		return err
	}
	c.cleanup = append([]func(){func() {
		_ = server.Process.Signal(os.Interrupt) // PostgreSQL's fast shutdown
		_ = server.Wait()
	}}, c.cleanup...)
	for range 300 {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close()
			c.env = append(c.env, fmt.Sprintf("GAGGLE_TEST_POSTGRES=postgres://gaggle@127.0.0.1:%d/postgres", port))
			fmt.Printf("   PostgreSQL on port %d\n", port)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("PostgreSQL did not start within 30 s")
}

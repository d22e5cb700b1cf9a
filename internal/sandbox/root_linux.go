package sandbox

import (
	"context"
	"os"
	"os/exec"

	"gaggle/internal/fleet"
)

func newBwrap(_ context.Context, cfg Config) (Sandbox, error) {
	name := cfg.Program
	if name == "" {
		name = "bwrap"
	}
	program, err := exec.LookPath(name)
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeNotReady, Message: "bubblewrap is not installed", Hint: "apt-get install bubblewrap", Err: err}
	}
	raw, err := filter()
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeSandbox, "sandbox: the system call filter: %w", err)
	}
	b := &bwrap{program: program, filter: raw, limits: cfg.Limits.Or(DefaultLimits())}
	b.layout = layout{
		system: []string{"/usr"},
		path:   "/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin",
		files:  etcFiles(),
		userns: true,
	}
	for _, p := range []string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"} {
		if to, err := os.Readlink(p); err == nil {
			b.layout.links = append(b.layout.links, [2]string{to, p})
		} else if _, err := os.Stat(p); err == nil {
			b.layout.system = append(b.layout.system, p)
		}
	}
	for _, p := range etcShown {
		if _, err := os.Stat(p); err == nil {
			b.layout.system = append(b.layout.system, p)
		}
	}
	return b, nil
}

// etcShown are the parts of /etc that programs need and that hold no secrets.
var etcShown = []string{"/etc/alternatives", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ld.so.cache", "/etc/java-17-openjdk", "/etc/maven", "/etc/localtime"}

// etcFiles are the parts of /etc that are made up, so that nothing of this machine shows.
func etcFiles() map[string]string {
	return map[string]string{
		"/etc/passwd":        "root:x:0:0:root:/nonexistent:/bin/false\nagent:x:1000:1000:agent:" + HomeDir + ":/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
		"/etc/group":         "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n",
		"/etc/hosts":         "127.0.0.1 localhost box\n::1 localhost ip6-localhost\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
		"/etc/resolv.conf":   "",
		"/etc/hostname":      "box\n",
	}
}

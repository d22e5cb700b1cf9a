package sandbox

import (
	"os"
	"path/filepath"
	"strings"
)

// findLayout works out what a sandbox's root is made of on this machine.
func findLayout(extra []string) layout {
	home, _ := os.UserHomeDir()
	tools := findTools(os.Getenv, home, extra)
	l := layout{path: strings.Join(tools.path, ":"), env: tools.env, files: madeUp, tools: tools.roots}
	for _, p := range systemRoots {
		if to, err := os.Readlink(p); err == nil {
			l.links = append(l.links, [2]string{to, p})
		} else if _, err := os.Stat(p); err == nil {
			l.system = append(l.system, p)
		}
	}
	for _, pattern := range etcShown {
		matches, _ := filepath.Glob(pattern)
		l.system = append(l.system, matches...)
	}
	for _, p := range procHidden {
		if _, err := os.Stat(p); err == nil {
			l.masks = append(l.masks, p)
		}
	}
	l.system = append(l.system, tools.wide...)
	return l
}

// etcShown are the parts of /etc that programs need and that hold no secrets: links between versions, the linker's cache,
// certificates that are public (not /etc/ssl/private), and what toolchains keep there. Nothing in it may be a
// configuration that carries credentials, such as /etc/gitconfig, /etc/npmrc, /etc/pip.conf, /etc/maven/settings.xml.
var etcShown = []string{
	"/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld-musl-*.path",
	"/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem", "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem",
	"/etc/pki/tls/openssl.cnf", "/etc/pki/ca-trust/extracted", "/etc/pki/java", "/etc/ca-certificates/extracted",
	"/etc/crypto-policies", "/etc/localtime", "/etc/timezone", "/etc/os-release", "/etc/debian_version", "/etc/mime.types",
	"/etc/services", "/etc/protocols", "/etc/magic", "/etc/terminfo", "/etc/fonts", "/etc/java", "/etc/java-*", "/etc/maven/[^s]*",
	"/etc/perl", "/etc/python3", "/etc/python3.*", "/etc/dotnet", "/etc/mono",
}

// procHidden are files of /proc that tell about the machine and that no build reads.
var procHidden = []string{"/proc/keys", "/proc/key-users", "/proc/kcore", "/proc/timer_list", "/proc/sched_debug", "/proc/sysrq-trigger"}

// madeUp are the parts of /etc that name this machine and its people, made up.
var madeUp = map[string]string{
	"/etc/passwd": "root:x:0:0:root:/nonexistent:/bin/false\n" +
		user + ":x:" + insideID + ":" + insideID + ":" + user + ":" + HomeDir + ":/bin/sh\n" +
		"nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
	"/etc/group":         "root:x:0:\n" + user + ":x:" + insideID + ":\nnogroup:x:65534:\n",
	"/etc/hosts":         "127.0.0.1 localhost box\n::1 localhost ip6-localhost\n",
	"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
	"/etc/hostname":      "box\n",
}

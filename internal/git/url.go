package git

import (
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"gaggle/internal/fleet"
)

// Remote is a clone URL that was looked at and may be handed to git.
type Remote struct {
	URL      string // without user and password, where those are a secret
	Path     string // folder on this machine; "" for any other transport
	Protocol string // the one transport that git may use: file, ssh, https, http (loopback only)
	user     string
	password string
}

// ParseRemote reads a clone URL: a path, file://, ssh://, user@host:path, https://, or http:// to this machine.
// A secret inside an https URL is taken out of Remote.URL and kept apart.
func ParseRemote(raw string) (Remote, error) {
	bad := func(why, hint string) (Remote, error) {
		// The URL is not repeated: it may hold a secret.
		return Remote{}, &fleet.Error{Code: fleet.CodeInvalid, Message: "not a usable clone URL: " + why, Hint: hint}
	}
	if raw == "" || strings.ContainsAny(raw, "\x00\n\r") || strings.HasPrefix(raw, "-") {
		return bad("it is empty, starts with '-' or holds a control character", "")
	}
	if filepath.IsAbs(raw) {
		return Remote{URL: filepath.Clean(raw), Path: filepath.Clean(raw), Protocol: "file"}, nil
	}
	scheme, _, isURL := strings.Cut(raw, "://")
	if !isURL {
		// user@host:path, as ssh and git write it. "ext::command" and its like have a second colon right there.
		host, path, ok := strings.Cut(raw, ":")
		if !ok || strings.Contains(host, "/") || strings.HasPrefix(path, ":") || path == "" {
			return bad("no scheme", "write file:///path, https://host/path, ssh://user@host/path or user@host:path")
		}
		if !plainHost(host[strings.LastIndexByte(host, '@')+1:]) || strings.HasPrefix(host, "-") {
			return bad("the host name is unusual", "")
		}
		return Remote{URL: raw, Protocol: "ssh"}, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return bad("it cannot be parsed", "")
	}
	switch strings.ToLower(scheme) {
	case "file":
		if u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path) || strings.ContainsAny(u.Path, "\x00\n\r") {
			return bad("file:// needs an absolute path", "write file:///srv/git/billing.git")
		}
		path := filepath.Clean(u.Path)
		return Remote{URL: path, Path: path, Protocol: "file"}, nil
	case "ssh":
		if !plainHost(u.Hostname()) || strings.HasPrefix(u.User.Username(), "-") {
			return bad("the host name is unusual", "")
		}
		if _, has := u.User.Password(); has {
			return bad("ssh takes no password in its URL", "use a key in the agent or in ~/.ssh")
		}
		return Remote{URL: u.String(), Protocol: "ssh"}, nil
	case "http", "https":
		r := Remote{Protocol: u.Scheme}
		if u.Hostname() == "" {
			return bad("no host", "")
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return bad("plain http is for this machine only", "use https")
		}
		r.user = u.User.Username()
		r.password, _ = u.User.Password()
		u.User = nil
		r.URL = u.String()
		return r, nil
	}
	return bad("unknown scheme", "file, ssh and https are supported")
}

// plainHost refuses names that ssh could take for an option.
func plainHost(host string) bool {
	return host != "" && !strings.HasPrefix(host, "-") && !strings.ContainsAny(host, " \t'\"\\$`;|&<>(){}")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

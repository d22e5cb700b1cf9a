package ops

import (
	"context"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// registries lists the hosts from which package managers may fetch while caches are filled: those named, and those that
// this machine's go and npm commands are set up with. Asking them is cheap and fails quietly: without a command there is
// nothing to fetch with.
func registries(ctx context.Context, named []string) []string {
	hosts := slices.Clone(named)
	add := func(text string) {
		text = strings.TrimSpace(text)
		if text == "" || text == "off" || text == "direct" {
			return
		}
		if !strings.Contains(text, "://") {
			text = "https://" + text // a checksum database is a bare host
		}
		if u, err := url.Parse(text); err == nil && u.Host != "" && u.Scheme == "https" && !slices.Contains(hosts, u.Host) {
			hosts = append(hosts, u.Host)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "env", "GOPROXY", "GOSUMDB").Output(); err == nil {
		for _, word := range strings.FieldsFunc(string(out), func(r rune) bool { return r == ',' || r == '|' || r == '\n' || r == ' ' }) {
			add(word)
		}
	}
	if out, err := exec.CommandContext(ctx, "npm", "config", "get", "registry").Output(); err == nil {
		add(string(out))
	}
	return hosts
}

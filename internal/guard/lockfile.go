package guard

import (
	"path"
	"regexp"
	"strings"
)

// checkLockfiles finds lockfiles that change alone, checksums that change under the same version, and
// downloads that come from a new host.
func checkLockfiles(r *review) {
	for _, c := range r.changes {
		p := c.path()
		manifests, ok := isLock(p)
		if !ok || r.excused(p) || c.isDeleted() && r.lockReplaced(c) {
			continue
		}
		if len(c.added)+len(c.removed) == 0 && c.renamed {
			continue
		}
		if !r.manifestChanged(p, manifests) {
			r.report(lockfileEdited, p, firstLine(c), "", "no manifest changes with this lockfile: restore it")
		}
		if path.Base(p) == "go.sum" {
			r.checkSums(c)
		}
		r.checkHosts(c)
	}
}

// lockReplaced reports whether another lockfile takes over, as when a project changes its package manager.
func (r *review) lockReplaced(gone *change) bool {
	for _, c := range r.changes {
		if _, ok := isLock(c.path()); ok && c.isNew() && path.Dir(c.path()) == path.Dir(gone.path()) {
			return true
		}
	}
	return false
}

// manifestChanged reports whether the diff touches a manifest of the lockfile, in its folder, above it or below it.
func (r *review) manifestChanged(lock string, manifests []string) bool {
	dir := path.Dir(lock)
	for _, c := range r.changes {
		for _, p := range c.paths() {
			base := path.Base(p)
			for _, m := range manifests {
				if base != m && !(strings.HasPrefix(m, ".") && strings.HasSuffix(base, m)) {
					continue
				}
				if d := path.Dir(p); dir == "." || d == dir || d == "." || strings.HasPrefix(d, dir+"/") || strings.HasPrefix(dir, d+"/") {
					return true
				}
			}
		}
	}
	return false
}

// checkSums finds a module version in go.sum whose hash is replaced.
func (r *review) checkSums(c *change) {
	old := map[string]string{}
	for _, l := range c.removed {
		if f := strings.Fields(l.text); len(f) == 3 {
			old[f[0]+" "+f[1]] = f[2]
		}
	}
	for _, l := range c.added {
		f := strings.Fields(l.text)
		if len(f) != 3 {
			continue
		}
		if was, ok := old[f[0]+" "+f[1]]; ok && was != f[2] {
			r.report(dependencyRerouted, c.path(), l.num, l.text, "the checksum of %s %s is replaced: restore it; if the build then fails, the module was tampered with", f[0], f[1])
		}
	}
}

var urlHost = regexp.MustCompile(`(?:^|[^\w])(?:git\+)?(https?|ssh|git)://(?:[^/\s"'@]*@)?([A-Za-z0-9.-]+)`)

// checkHosts finds a lockfile that starts to load packages from a host it did not know.
func (r *review) checkHosts(c *change) {
	if c.isNew() {
		return
	}
	known := map[string]bool{}
	for _, b := range c.before.blocks {
		for _, l := range b.lines {
			if strings.Contains(l, "://") {
				for _, m := range urlHost.FindAllStringSubmatch(l, -1) {
					known[m[2]] = true
				}
			}
		}
	}
	if len(known) == 0 {
		return
	}
	for _, l := range c.added {
		if !strings.Contains(l.text, "://") || !strings.Contains(l.text, "resolved") && !strings.Contains(l.text, "source") && !strings.Contains(l.text, "url") && !strings.Contains(l.text, "tarball") && !strings.Contains(l.text, "remote") {
			continue
		}
		if strings.Contains(l.text, `"url"`) && path.Base(c.path()) != "composer.lock" {
			continue // where to send money
		}
		for _, m := range urlHost.FindAllStringSubmatch(l.text, -1) {
			if !known[m[2]] && !usualHosts[m[2]] {
				known[m[2]] = true
				r.report(dependencyRerouted, c.path(), l.num, l.text, "packages now come from %s: use the registry that the lockfile used before", m[2])
			}
		}
	}
}

// usualHosts are the public registries.
var usualHosts = map[string]bool{
	"registry.npmjs.org": true, "registry.yarnpkg.com": true, "pypi.org": true, "files.pythonhosted.org": true, "rubygems.org": true,
	"static.crates.io": true, "crates.io": true, "index.crates.io": true, "github.com": true, "api.github.com": true, "codeload.github.com": true,
	"repo.maven.apache.org": true, "repo1.maven.org": true, "repo.packagist.org": true, "packagist.org": true, "api.nuget.org": true, "gitlab.com": true,
	"opencollective.com": true, "tidelift.com": true, "www.patreon.com": true,
}

package ops

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/azure"
	"gaggle/internal/redact"
)

// secrets are the tokens that can be read now, for the redactor. A keyring is left alone until somebody needs its token,
// since reading it may ask a person.
func (f Forges) secrets(ctx context.Context) []string {
	var all []string
	for _, c := range f {
		if c.App.ID == 0 && c.Keyring == "" && c.credential != nil {
			if s, err := c.credential(ctx); err == nil {
				all = append(all, s.Reveal())
				if _, token, ok := strings.Cut(s.Reveal(), ":"); ok && token != "" { // Bitbucket's email:token
					all = append(all, token)
				}
			}
		}
	}
	return all
}

// taught are the same, with the redactor told every token of a keyring when it is first read.
func (f Forges) taught(r *redact.Redactor) Forges {
	out := maps.Clone(f)
	for name, c := range out {
		if read := c.credential; c.Keyring != "" && read != nil {
			c.credential = func(ctx context.Context) (forge.Secret, error) {
				s, err := read(ctx)
				if err == nil {
					_, token, _ := strings.Cut(s.Reveal(), ":")
					r.Add(s.Reveal(), token)
				}
				return s, err
			}
			out[name] = c
		}
	}
	return out
}

// named finds a configuration by its name, or by the site or host that repositories carry.
func (f Forges) named(name string) (ForgeConfig, bool) {
	if c, ok := f[name]; ok {
		return c, true
	}
	names := slices.Sorted(maps.Keys(f))
	for _, n := range names { // several organisations may be on one host
		if u, err := url.Parse(f[n].URL); err == nil && f[n].Kind == "azure" && strings.EqualFold(u.Host+u.Path, name) {
			return f[n], true
		}
	}
	for _, n := range names {
		if slices.ContainsFunc(f[n].hosts(), func(h string) bool { return strings.EqualFold(h, name) }) {
			return f[n], true
		}
	}
	return ForgeConfig{}, false
}

// hosts are those of the clone URLs of a forge.
func (c ForgeConfig) hosts() []string {
	if c.Kind == "azure" {
		return azure.Hosts(c.URL)
	}
	if u, err := url.Parse(c.URL); err == nil {
		return []string{u.Host}
	}
	return nil
}

// holding finds the configuration of the forge that a clone URL is on, by the same scheme.
func (f Forges) holding(clone string) (ForgeConfig, bool) {
	u, err := url.Parse(clone)
	if err != nil {
		return ForgeConfig{}, false
	}
	same := func(c ForgeConfig) bool {
		site, err := url.Parse(c.URL)
		return err == nil && site.Scheme == u.Scheme
	}
	for _, n := range slices.Sorted(maps.Keys(f)) {
		if c := f[n]; c.Kind == "azure" && azure.Holds(c.URL, clone) && same(c) {
			return c, true
		}
	}
	if c, ok := f.named(u.Host); ok && c.Kind != "azure" && same(c) {
		return c, true
	}
	return ForgeConfig{}, false
}

// settle has each repository of a list carry the forge that holds it, where its host alone does not say which.
func (f Forges) settle(repos []fleet.Repository) {
	for i, r := range repos {
		for _, n := range slices.Sorted(maps.Keys(f)) {
			if c := f[n]; c.Kind == "azure" && azure.Holds(c.URL, r.URL) {
				if u, err := url.Parse(c.URL); err == nil {
					repos[i].Forge = u.Host + u.Path
				}
			}
		}
	}
}

package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/zalando/go-keyring"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/azure"
	"gaggle/internal/forge/bitbucket"
	"gaggle/internal/forge/gitea"
	"gaggle/internal/forge/github"
	"gaggle/internal/forge/gitlab"
	"gaggle/internal/forge/transport"
	"gaggle/internal/spec"
)

// ForgeConfig is one code host, with what reads its credential.
type ForgeConfig struct {
	spec.Forge

	credential forge.Credential
}

// Forges are the code hosts by name.
type Forges map[string]ForgeConfig

// ReadForges reads DATA/forges.yaml, and adds what GITHUB_TOKEN (and GITHUB_URL), GITLAB_TOKEN (and GITLAB_URL), GITEA_TOKEN with
// GITEA_URL, BITBUCKET_TOKEN and AZURE_DEVOPS_TOKEN with AZURE_DEVOPS_URL name, as github, gitlab, gitea, bitbucket (bitbucket-dc with
// BITBUCKET_URL) and azure. The file wins.
func ReadForges(env func(string) string, data string) (Forges, error) {
	all := Forges{}
	file := filepath.Join(data, spec.ForgesFile)
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) { // Open says what is wrong with the folder
		return nil, fleet.Errorf(fleet.CodeInvalid, "%w", err)
	}
	if err == nil {
		named, err := spec.ParseForges(file, text)
		if err != nil {
			return nil, err
		}
		for name, c := range named {
			all[name] = ForgeConfig{Forge: c}
		}
	}
	for kind, prefix := range map[string]string{"github": "GITHUB", "gitlab": "GITLAB", "gitea": "GITEA", "bitbucket": "BITBUCKET", "azure": "AZURE_DEVOPS"} {
		at := env(prefix + "_URL")
		if kind == "bitbucket" && at != "" && strings.TrimRight(at, "/") != "https://bitbucket.org" {
			kind = "bitbucket-dc"
		}
		if _, named := all[kind]; !named && env(prefix+"_TOKEN") != "" && (at != "" || kind != "gitea" && kind != "azure") {
			all[kind] = ForgeConfig{Forge: spec.Forge{Kind: kind, URL: at, TokenEnv: prefix + "_TOKEN"}}
		}
	}
	for name, c := range all {
		c.URL = cmp.Or(c.URL, map[string]string{"github": "https://github.com", "gitlab": "https://gitlab.com", "bitbucket": "https://bitbucket.org"}[c.Kind])
		c.URL = strings.TrimRight(c.URL, "/")
		under := func(path string) string {
			if path == "" || filepath.IsAbs(path) {
				return path
			}
			return filepath.Join(data, path)
		}
		switch {
		case c.Kind == "azure" && azure.Hosts(c.URL) == nil:
			wrong := &fleet.Error{Code: fleet.CodeInvalid, Message: "forge " + strconv.Quote(name) + " has no url of an organisation or a collection",
				Hint: "url: https://dev.azure.com/ORGANISATION, or https://tfs.example.com/tfs/COLLECTION"}
			if c.Line > 0 {
				wrong.File, wrong.Line, wrong.Column = file, c.Line, c.Column
			}
			return nil, wrong
		case c.App.ID != 0:
			key, err := forge.ReadPrivate(under(c.App.KeyFile))
			if err == nil {
				c.credential, err = github.App(github.AppConfig{URL: c.URL, ID: int64(c.App.ID), InstallationID: int64(c.App.Installation), Key: key})
			}
			if err != nil {
				broken := err // said when the forge is used: others work
				c.credential = func(context.Context) (forge.Secret, error) { return "", broken }
			}
		case c.TokenFile != "":
			c.credential = forge.FromFile(under(c.TokenFile))
		case c.Keyring != "":
			c.credential = forge.FromKeyring(c.Keyring, keyring.Get, time.Now)
		case c.TokenEnv != "":
			c.credential = forge.FromEnvironment(env, c.TokenEnv)
		}
		all[name] = c
	}
	return all, nil
}

// driver makes the driver of a configuration. limiter is nil for one that shares its budget of calls with nobody.
func (c ForgeConfig) driver(now func() time.Time, limiter *transport.Limiter) (forge.Forge, error) {
	switch c.Kind {
	case "github":
		return github.New(github.Config{URL: c.URL, Credential: c.credential, Limiter: limiter})
	case "gitlab":
		return gitlab.New(gitlab.Config{URL: c.URL, Credential: c.credential, Limiter: limiter})
	case "bitbucket":
		return bitbucket.NewCloud(bitbucket.CloudConfig{URL: c.URL, Credential: c.credential, Limiter: limiter, Now: now})
	case "bitbucket-dc":
		return bitbucket.NewDataCenter(bitbucket.DataCenterConfig{URL: c.URL, Credential: c.credential, Limiter: limiter})
	case "azure":
		return azure.New(azure.Config{URL: c.URL, Credential: c.credential, Limiter: limiter, Now: now})
	}
	return gitea.New(gitea.Config{URL: c.URL, Credential: c.credential, Limiter: limiter, Now: now})
}

// forgeNamed finds a forge by the name that repositories carry. Each has one driver.
func (o *Ops) forgeNamed(name string) (forge.Forge, error) {
	if name == "local" || name == "" {
		return o.forge, nil
	}
	c, ok := o.cfg.Forges.named(name)
	if !ok {
		return nil, &fleet.Error{Code: fleet.CodeUnsupported, Message: fmt.Sprintf("there is no forge %q", name), Hint: "the built-in one is called local; set GITHUB_TOKEN, GITLAB_TOKEN, BITBUCKET_TOKEN, GITEA_TOKEN with GITEA_URL, or AZURE_DEVOPS_TOKEN with AZURE_DEVOPS_URL, or name it in forges.yaml in the data folder"}
	}
	return o.driverOf(c)
}

// driverOf is the one driver of a configuration.
func (o *Ops) driverOf(c ForgeConfig) (forge.Forge, error) {
	o.drivers.Lock()
	defer o.drivers.Unlock()
	if d := o.drivers.byURL[c.URL]; d != nil {
		return d, nil
	}
	limiter := c.limiter(o.store)
	d, err := c.driver(o.cfg.Clock, limiter)
	if err == nil {
		o.drivers.limiters = append(o.drivers.limiters, limiter)
		if o.drivers.byURL == nil {
			o.drivers.byURL = map[string]forge.Forge{}
		}
		o.drivers.byURL[c.URL] = d
	}
	return d, err
}

// gitCredential answers git for a clone URL: with the token of the forge that it is on, or with what the person's own git has.
func (o *Ops) gitCredential(ctx context.Context, raw string) (user, secret string, err error) {
	c, ok := o.cfg.Forges.holding(raw)
	if !ok {
		return o.person(ctx, raw)
	}
	d, err := o.driverOf(c)
	if err != nil {
		return "", "", err
	}
	if signs, ok := d.(interface { // Bitbucket has names of its own, by the kind of token
		GitLogin(ctx context.Context) (user, secret string, err error)
	}); ok {
		return signs.GitLogin(ctx)
	}
	token, err := c.credential(ctx)
	if err != nil {
		return "", "", err
	}
	return map[string]string{"github": "x-access-token", "gitlab": "oauth2", "gitea": "gaggle", "azure": "gaggle"}[c.Kind], token.Reveal(), nil
}

// forgeSource reads a source such as "github:acme" or "gitlab:group/sub?archived&topic=go&visibility=public"; ok is false for
// one that names no forge.
func (o *Ops) forgeSource(from string) (name string, scope forge.Scope, ok bool, err error) {
	name, rest, colon := strings.Cut(from, ":")
	if _, known := o.cfg.Forges.named(name); !colon || !known {
		return "", scope, false, nil
	}
	owner, query, _ := strings.Cut(rest, "?")
	scope.Owner = strings.Trim(owner, "/")
	q, err := url.ParseQuery(query)
	if err == nil && scope.Owner == "" {
		err = errors.New("no owner")
	}
	for key, values := range q {
		switch key {
		case "archived":
			scope.Archived = true
		case "forks":
			scope.Forks = true
		case "topic":
			scope.Topics = values
		case "visibility":
			scope.Visibility = values
		case "maxSize":
			var mb int64
			if mb, err = strconv.ParseInt(values[0], 10, 64); err == nil {
				scope.MaxSize = mb << 20
			}
		default:
			err = fmt.Errorf("%q is not understood", key)
		}
	}
	if err != nil {
		return "", scope, true, &fleet.Error{Code: fleet.CodeInvalid, Message: "the source " + from + " cannot be used", Hint: "such as github:acme, bitbucket:workspace/PROJECT or gitlab:group/sub?archived&forks&topic=go&visibility=public&maxSize=500 (megabytes)", Err: err}
	}
	return name, scope, true, nil
}

// discoverForge lists the repositories of a forge source. A list that is not whole is an error: whatever is missing from
// it would be taken for gone.
func (o *Ops) discoverForge(ctx context.Context, name string, scope forge.Scope) ([]fleet.Repository, error) {
	f, err := o.forgeNamed(name)
	if err != nil {
		return nil, err
	}
	d, ok := f.(forge.Discoverer)
	if !ok {
		return nil, forge.Unsupported("forge " + name + " lists no repositories")
	}
	all := []fleet.Repository{}
	for r, err := range d.Discover(ctx, scope) {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: scope.Owner + " has no repository on " + name + " that the filter takes", Hint: "archived ones and forks count with ?archived&forks"}
	}
	return all, nil
}

// heads asks the forges of these sources where the default branches stand. A forge that cannot say now, or says it never,
// is left out: git is asked then.
func (o *Ops) heads(ctx context.Context, sources []string) map[string]fleet.Repository {
	told := map[string]fleet.Repository{}
	for _, from := range sources {
		name, scope, ok, err := o.forgeSource(from)
		if !ok || err != nil {
			continue
		}
		if f, err := o.forgeNamed(name); err != nil {
			continue
		} else if t, ok := f.(forge.HeadTeller); !ok || !t.TellsHeads() {
			continue
		}
		repos, err := o.discoverForge(ctx, name, scope)
		if err != nil {
			continue
		}
		for _, r := range repos {
			told[r.Name] = r
		}
	}
	return told
}

// examineForges says who each credential belongs to, and what can and cannot be done with it.
func examineForges(ctx context.Context, in DoctorInput) []Examined {
	all := []Examined{{Name: "forge local", OK: true, Detail: "built in: pull requests are files in the data folder"}}
	if in.Trouble != nil {
		e := Examined{Name: "forges", Required: true} // nothing runs
		e.Detail, e.Mend = firstProblem(in.Trouble, filepath.Join(in.Data, spec.ForgesFile))
		return append(all, e)
	}
	for _, name := range slices.Sorted(maps.Keys(in.Forges)) {
		c := in.Forges[name]
		e := Examined{Name: "forge " + name, Detail: c.Kind + " at " + c.URL}
		all = append(all, e)
		last := &all[len(all)-1]
		d, err := c.driver(time.Now, nil)
		if err == nil {
			checker, ok := d.(forge.Checker)
			if !ok {
				continue
			}
			ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
			var account forge.Account
			var abilities []forge.Ability
			account, abilities, err = checker.Check(ctx)
			cancel()
			last.Detail += " as " + account.Name
			if len(account.Scopes) > 0 {
				last.Detail += " (" + strings.Join(account.Scopes, ", ") + ")"
			}
			last.OK = err == nil
			for _, a := range abilities {
				switch {
				case !a.OK:
					last.Detail += "; no " + a.Name + ": " + a.Detail
				case a.Detail != "":
					last.Detail += "; " + a.Name + ": " + a.Detail
				}
			}
		}
		if err != nil {
			last.OK, last.Detail, last.Mend = false, c.Kind+" at "+c.URL+": "+err.Error(), fleet.HintOf(err)
		}
	}
	return all
}

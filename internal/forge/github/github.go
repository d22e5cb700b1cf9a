package github

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v92/github"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Config says which GitHub, and who asks.
type Config struct {
	// URL is the site's. Defaults to https://github.com. The API of any other site is below its /api.
	URL        string
	Credential forge.Credential
	// Limiter is shared by everything that uses the same token. Defaults to one of its own, at the pace that GitHub
	// documents for making content.
	Limiter *transport.Limiter
	Next    http.RoundTripper // for tests
}

// Limits are what GitHub documents: no more than 100 requests at once, 80 that make content in a minute and 500 in an hour.
var Limits = transport.Limits{WritesPerMinute: 80, WritesPerHour: 500, AtOnce: 50, Reserve: 50}

// Forge is one GitHub.
type Forge struct {
	site    *url.URL
	graphql string
	http    *transport.Transport
	api     *gh.Client

	mu     sync.Mutex
	absent map[string]*vacancy   // where Find just saw no pull request, by clone URL and branch
	rights map[string]permission // by slug and user
}

type permission struct {
	write bool
	at    time.Time
}

var (
	_ forge.Forge         = (*Forge)(nil)
	_ forge.Lister        = (*Forge)(nil)
	_ forge.Commenter     = (*Forge)(nil)
	_ forge.BranchDeleter = (*Forge)(nil)
	_ forge.Discoverer    = (*Forge)(nil)
	_ forge.HeadTeller    = (*Forge)(nil)
	_ forge.Follower      = (*Forge)(nil)
	_ forge.Checker       = (*Forge)(nil)
	_ forge.Checks        = (*Forge)(nil)
	_ forge.Rerunner      = (*Forge)(nil)
	_ forge.Reviews       = (*Forge)(nil)
	_ forge.Deployments   = (*Forge)(nil)
)

// New makes the driver. It asks nothing yet.
func New(cfg Config) (*Forge, error) {
	if cfg.URL == "" {
		cfg.URL = "https://github.com"
	}
	site, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil || site.Host == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a GitHub has a host")
	}
	rest, graphql := apiURLs(site)
	base, err := url.Parse(rest)
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a GitHub has a host")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = transport.NewLimiter(Limits, nil)
	}
	tr, err := transport.New(transport.Config{Base: base, Credential: cfg.Credential, Limiter: cfg.Limiter, Next: cfg.Next})
	if err != nil {
		return nil, err
	}
	api, err := gh.NewClient(gh.WithHTTPClient(tr.Client()), gh.WithURLs(&rest, &rest), gh.WithUserAgent("gaggle"), gh.WithDisableRateLimitCheck())
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a GitHub cannot be used: %w", err)
	}
	return &Forge{site: site, graphql: graphql, http: tr, api: api, absent: map[string]*vacancy{}, rights: map[string]permission{}}, nil
}

// apiURLs are where the REST and the GraphQL API of a site are: on a host of their own for github.com and for ghe.com,
// below /api elsewhere.
func apiURLs(site *url.URL) (rest, graphql string) {
	if site.Host == "github.com" || strings.HasSuffix(site.Host, ".ghe.com") {
		return "https://api." + site.Host + "/", "https://api." + site.Host + "/graphql"
	}
	return site.String() + "/api/v3/", site.String() + "/api/graphql"
}

// HostTime implements forge.Clock.
func (f *Forge) HostTime() time.Time { return f.http.HostTime() }

// Calls is how many requests were made.
func (f *Forge) Calls() int { return f.http.Calls() }

func (f *Forge) slug(repo fleet.Repository) (owner, name string, err error) {
	slug, err := forge.Slug(repo, f.site.Path)
	if err != nil {
		return "", "", err
	}
	owner, name, _ = strings.Cut(slug, "/")
	if strings.Contains(name, "/") {
		return "", "", fleet.Errorf(fleet.CodeInvalid, "repository %s has a clone URL that names no repository of GitHub", repo.Name)
	}
	return owner, name, nil
}

// missing says what a 404 is about: the pull request, or the whole repository.
func (f *Forge) missing(ctx context.Context, repo fleet.Repository, owner, name string, err error, what error) error {
	if transport.StatusOf(err) != http.StatusNotFound && transport.StatusOf(err) != http.StatusGone {
		return readOnly(repo, err)
	}
	_, _, err = f.api.Repositories.Get(ctx, owner, name)
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return gone(owner, name)
	}
	if err != nil {
		return err
	}
	return what
}

func readOnly(repo fleet.Repository, err error) error {
	if transport.Says(err, "archived") {
		return &fleet.Error{Code: fleet.CodeRepoGone, Message: "repository " + repo.Name + " is archived and takes no changes", Err: err}
	}
	return err
}

func toPull(repo fleet.Repository, p *gh.PullRequest) forge.Pull {
	out := forge.Pull{
		Repository: repo.Name, Number: p.GetNumber(), URL: p.GetHTMLURL(), Title: p.GetTitle(), Body: p.GetBody(), Draft: p.GetDraft(),
		HeadBranch: p.GetHead().GetRef(), HeadSHA: p.GetHead().GetSHA(), BaseBranch: p.GetBase().GetRef(), Author: p.GetUser().GetLogin(),
		CreatedAt: p.GetCreatedAt().Time, UpdatedAt: p.GetUpdatedAt().Time,
	}
	switch {
	case p.GetState() == "open":
		out.State, out.Queued = forge.StateOpen, p.AutoMerge != nil
		out.Conflicts = dirty(p)
	case p.MergedAt != nil || p.GetMerged():
		out.State, out.MergeSHA = forge.StateMerged, p.GetMergeCommitSHA()
	default:
		out.State = forge.StateClosed
	}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.GetName())
	}
	out.Reviewers = requested(p)
	return out
}

// dirty says that GitHub knows of a conflict. A single pull request tells it, once GitHub has found out; lists do not.
func dirty(p *gh.PullRequest) bool {
	return p.GetMergeableState() == "dirty" || p.Mergeable != nil && !p.GetMergeable() && p.GetMergeableState() != "blocked"
}

func requested(p *gh.PullRequest) []string {
	var all []string
	for _, u := range p.RequestedReviewers {
		all = append(all, u.GetLogin())
	}
	for _, t := range p.RequestedTeams {
		all = append(all, "team/"+t.GetSlug())
	}
	return all
}

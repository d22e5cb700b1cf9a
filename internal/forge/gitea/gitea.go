package gitea

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Config says which server, and who asks.
type Config struct {
	URL        string // of the site
	Credential forge.Credential
	Limiter    *transport.Limiter // shared by everything that uses the same token; defaults to one of its own
	Next       http.RoundTripper  // for tests
	Now        func() time.Time   // defaults to time.Now
}

// Limits spare a server that usually has a machine to itself and no limits of its own.
var Limits = transport.Limits{AtOnce: 16}

// Forge is one Gitea or Forgejo.
type Forge struct {
	site *url.URL
	http *transport.Transport
	now  func() time.Time

	known  acquaintance
	rights rights

	mu       sync.Mutex
	labels   map[string]*labels     // by slug, and by owner for those of an organisation
	slugs    map[int64]string       // of repositories by id, as the fleet has them
	gates    map[string]*sync.Mutex // of branches that a pull request is opened for
	memories map[string]memory      // of open pull requests, by slug and number
}

var (
	_ forge.Forge         = (*Forge)(nil)
	_ forge.Lister        = (*Forge)(nil)
	_ forge.Commenter     = (*Forge)(nil)
	_ forge.BranchDeleter = (*Forge)(nil)
	_ forge.Discoverer    = (*Forge)(nil)
	_ forge.Follower      = (*Forge)(nil)
	_ forge.Checker       = (*Forge)(nil)
	_ forge.Checks        = (*Forge)(nil)
	_ forge.Reviews       = (*Forge)(nil)
)

// New makes the driver. It asks nothing yet.
func New(cfg Config) (*Forge, error) {
	site, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil || site.Host == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a Gitea has a host")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = transport.NewLimiter(Limits, nil)
	}
	tr, err := transport.New(transport.Config{Base: site, Credential: cfg.Credential, Limiter: cfg.Limiter, Next: cfg.Next,
		Sign: func(h http.Header, token string) { h.Set("Authorization", "token "+token) }})
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Forge{site: site, http: tr, now: cfg.Now, known: acquaintance{slugs: map[string]bool{}}, labels: map[string]*labels{}, slugs: map[int64]string{}, memories: map[string]memory{}, gates: map[string]*sync.Mutex{}}, nil
}

// HostTime implements forge.Clock.
func (f *Forge) HostTime() time.Time { return f.http.HostTime() }

// Calls is how many requests were made.
func (f *Forge) Calls() int { return f.http.Calls() }

// api is the library for one call: its context belongs to the client, which costs nothing to make.
func (f *Forge) api(ctx context.Context) (*sdk.Client, error) {
	c, err := sdk.NewClient(f.site.String(), sdk.SetHTTPClient(f.http.Client()), sdk.SetContext(ctx), sdk.SetGiteaVersion(""), sdk.SetUserAgent("gaggle"))
	return c, transport.Error(ctx, err)
}

// at prepares a call about a repository.
func (f *Forge) at(ctx context.Context, repo fleet.Repository) (api *sdk.Client, owner, name string, err error) {
	slug, err := forge.Slug(repo, f.site.Path)
	if err != nil {
		return nil, "", "", err
	}
	owner, name, _ = strings.Cut(slug, "/")
	if strings.Contains(name, "/") {
		return nil, "", "", fleet.Errorf(fleet.CodeInvalid, "repository %s has a clone URL that names no repository of a Gitea", repo.Name)
	}
	api, err = f.api(ctx)
	return api, owner, name, err
}

// missing says what a 404 is about: the pull request, or the whole repository.
func (f *Forge) missing(ctx context.Context, repo fleet.Repository, err, what error) error {
	if transport.StatusOf(err) != http.StatusNotFound {
		if transport.StatusOf(err) == http.StatusLocked || transport.Says(err, "archived") {
			return &fleet.Error{Code: fleet.CodeRepoGone, Message: "repository " + repo.Name + " is archived and takes no changes", Err: err}
		}
		return err
	}
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return err
	}
	_, _, err = api.GetRepo(owner, name)
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return &fleet.Error{Code: fleet.CodeRepoGone, Message: "the forge has no repository " + owner + "/" + name + " for this credential", Hint: "it was deleted, or made private to it"}
	}
	if err != nil {
		return err
	}
	return what
}

// pager follows a list to its end.
type pager struct {
	sdk.ListOptions
	seen int
}

func newPager() *pager { return &pager{ListOptions: sdk.ListOptions{Page: 1, PageSize: 50}} }

// next moves on after a page of n items, and reports whether there is another. A page that is shorter than asked for
// says nothing: the server may cap pages.
func (p *pager) next(resp *sdk.Response, n int) bool {
	p.seen += n
	switch {
	case resp.NextPage > p.Page:
		p.Page = resp.NextPage
		return true
	case resp.Header.Get("Link") != "" || n == 0:
		return false
	}
	total, err := strconv.Atoi(resp.Header.Get("X-Total-Count"))
	if err == nil && p.seen >= total {
		return false
	}
	p.Page++
	return true // without any word on the end, the end is an empty page
}

// wip is how the server knows a draft by its title.
const wip = "WIP: "

func cutDraft(title string) string {
	for _, prefix := range []string{"WIP:", "[WIP]"} {
		if len(title) >= len(prefix) && strings.EqualFold(title[:len(prefix)], prefix) {
			return strings.TrimSpace(title[len(prefix):])
		}
	}
	return title
}

// pull is what the server says of a pull request, with what it came to so far. ci is "" where nobody asked.
func (f *Forge) pull(repo fleet.Repository, p *sdk.PullRequest, ci forge.CheckState) forge.Pull {
	out := toPull(repo, p)
	out.CI = ci
	if slug, err := forge.Slug(repo, f.site.Path); err == nil {
		out.Conflicts = f.remember(memoryKey(slug, out.Number), p, ci)
	}
	return out
}

func toPull(repo fleet.Repository, p *sdk.PullRequest) forge.Pull {
	out := forge.Pull{Repository: repo.Name, Number: int(p.Index), URL: p.HTMLURL, Title: p.Title, Body: p.Body, State: forge.StateClosed, Draft: p.Draft || cutDraft(p.Title) != p.Title}
	if out.Draft {
		out.Title = cutDraft(p.Title)
	}
	switch {
	case p.HasMerged:
		out.State = forge.StateMerged
		if p.MergedCommitID != nil {
			out.MergeSHA = *p.MergedCommitID
		}
	case p.State == sdk.StateOpen:
		out.State = forge.StateOpen
	}
	if p.Head != nil {
		out.HeadBranch, out.HeadSHA = p.Head.Ref, p.Head.Sha
	}
	if p.Base != nil {
		out.BaseBranch = p.Base.Ref
	}
	if p.Poster != nil {
		out.Author = p.Poster.UserName
	}
	if p.Created != nil {
		out.CreatedAt = *p.Created
	}
	if p.Updated != nil {
		out.UpdatedAt = *p.Updated
	}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.Name)
	}
	for _, r := range p.RequestedReviewers {
		out.Reviewers = append(out.Reviewers, r.UserName)
	}
	return out
}

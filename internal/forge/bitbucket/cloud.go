package bitbucket

import (
	"cmp"
	"context"
	"encoding/base64"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// CloudConfig says which Bitbucket Cloud, and who asks.
type CloudConfig struct {
	URL        string             // of the site; defaults to https://bitbucket.org
	Credential forge.Credential   // an access token, or an API token as "email:token"
	Limiter    *transport.Limiter // shared by everything that uses the same token; defaults to one of its own
	Next       http.RoundTripper  // for tests
	Now        func() time.Time   // defaults to time.Now
}

// CloudLimits spare a host that grants an account about a thousand calls an hour and does not say how many are left.
var CloudLimits = transport.Limits{WritesPerMinute: 120, CallsPerHour: 1000, AtOnce: 8}

// Cloud is Bitbucket Cloud.
type Cloud struct {
	site, api  *url.URL
	http       *transport.Transport
	credential forge.Credential

	hashes  memory[string]      // commits in full, by repository and what the host shortens them to
	absent  memory[time.Time]   // when Find last saw no pull request, by slug and branch
	people  memory[[]cloudUser] // members, by workspace
	writers memory[writers]     // by slug
	merges  memory[tried]       // by the two commits
	follows cloudFollows
	now     func() time.Time
}

var (
	_ forge.Forge         = (*Cloud)(nil)
	_ forge.Lister        = (*Cloud)(nil)
	_ forge.Commenter     = (*Cloud)(nil)
	_ forge.BranchDeleter = (*Cloud)(nil)
	_ forge.Discoverer    = (*Cloud)(nil)
	_ forge.Follower      = (*Cloud)(nil)
	_ forge.Checker       = (*Cloud)(nil)
	_ forge.Checks        = (*Cloud)(nil)
	_ forge.Rerunner      = (*Cloud)(nil)
	_ forge.Reviews       = (*Cloud)(nil)
	_ forge.Deployments   = (*Cloud)(nil)
)

// NewCloud makes the driver. It asks nothing yet.
func NewCloud(cfg CloudConfig) (*Cloud, error) {
	site, err := url.Parse(strings.TrimRight(cmp.Or(cfg.URL, "https://bitbucket.org"), "/"))
	if err != nil || site.Host == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a Bitbucket has a host")
	}
	api := site.JoinPath("2.0")
	if site.Host == "bitbucket.org" {
		api.Host = "api.bitbucket.org"
	}
	if cfg.Limiter == nil {
		cfg.Limiter = transport.NewLimiter(CloudLimits, nil)
	}
	tr, err := transport.New(transport.Config{Base: api, Credential: cfg.Credential, Limiter: cfg.Limiter, Next: cfg.Next,
		Sign: func(h http.Header, token string) {
			if strings.Contains(token, ":") {
				h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(token)))
				return
			}
			h.Set("Authorization", "Bearer "+token)
		}})
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Cloud{site: site, api: api, http: tr, credential: cfg.Credential, now: cfg.Now}, nil
}

// Calls is how many requests were made.
func (f *Cloud) Calls() int { return f.http.Calls() }

// GitLogin is what git signs in with: the names that Bitbucket has for its two kinds of token.
func (f *Cloud) GitLogin(ctx context.Context) (user, secret string, err error) {
	token, err := f.credential(ctx)
	if err != nil {
		return "", "", err
	}
	if _, api, ok := strings.Cut(token.Reveal(), ":"); ok {
		return "x-bitbucket-api-token-auth", api, nil
	}
	return "x-token-auth", token.Reveal(), nil
}

// slug is the workspace and the repository in a clone URL.
func (f *Cloud) slug(repo fleet.Repository) (string, error) {
	slug, err := forge.Slug(repo, f.site.Path)
	if err == nil && strings.Count(slug, "/") != 1 {
		err = fleet.Errorf(fleet.CodeInvalid, "repository %s has a clone URL that names no repository of Bitbucket", repo.Name)
	}
	return slug, err
}

func escape(slug string) string {
	owner, name, _ := strings.Cut(slug, "/")
	return url.PathEscape(owner) + "/" + url.PathEscape(name)
}

// at is the URL of something in a repository.
func (f *Cloud) at(repo fleet.Repository, rest string) (string, error) {
	slug, err := f.slug(repo)
	return f.api.String() + "/repositories/" + escape(slug) + rest, err
}

func (f *Cloud) pullAt(repo fleet.Repository, number int, rest string) (string, error) {
	return f.at(repo, "/pullrequests/"+strconv.Itoa(number)+rest)
}

// pages follows a list by the links that the host gives, to this host only.
func pages[T any](ctx context.Context, f *Cloud, at string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for at != "" {
			var page struct {
				Next   string
				Values []T
			}
			if _, err := f.http.JSON(ctx, http.MethodGet, at, nil, &page); err != nil {
				yield(none, err)
				return
			}
			for _, v := range page.Values {
				if !yield(v, nil) {
					return
				}
			}
			if at = page.Next; at != "" && !same(f.api, at) {
				yield(none, fleet.Errorf(fleet.CodeForge, "the forge's next page is on another host"))
				return
			}
		}
	}
}

// missing says what a 404 is about: the pull request, or the whole repository.
func (f *Cloud) missing(ctx context.Context, repo fleet.Repository, err, what error) error {
	if transport.Says(err, "archived") {
		return archived(repo, err)
	}
	if status := transport.StatusOf(err); status != http.StatusNotFound && status != http.StatusGone {
		return err
	}
	at, err := f.at(repo, "?fields=full_name")
	if err != nil {
		return err
	}
	_, err = f.http.JSON(ctx, http.MethodGet, at, nil, nil)
	switch transport.StatusOf(err) {
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden:
		if transport.Says(err, "privilege scopes") {
			return err
		}
		return &fleet.Error{Code: fleet.CodeRepoGone, Message: "Bitbucket has no repository " + repo.Name + " for this credential", Hint: "it was deleted, or made private to it"}
	}
	if err != nil {
		return err
	}
	return what
}

// tried is what came of trying a merge. The base that a pull request names may lag behind, so it is not believed for long.
type tried struct {
	conflicts bool
	at        time.Time
}

// cloudUser is an account. Nicknames are what people read; only the uuid is unique.
type cloudUser struct {
	UUID        string `json:"uuid"`
	AccountID   string `json:"account_id"`
	Nickname    string `json:"nickname"`
	DisplayName string `json:"display_name"`
}

func (u cloudUser) name() string { return cmp.Or(u.Nickname, u.DisplayName, u.AccountID, u.UUID) }

type cloudCommit struct {
	Hash string `json:"hash"`
}

type cloudEnd struct {
	Branch struct {
		Name       string   `json:"name"`
		Strategies []string `json:"merge_strategies"`
	} `json:"branch"`
	Commit     cloudCommit `json:"commit"`
	Repository struct {
		UUID     string `json:"uuid"`
		FullName string `json:"full_name"`
	} `json:"repository"`
}

type cloudPull struct {
	ID          int    `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Summary     struct {
		Raw string `json:"raw"`
	} `json:"summary"`
	State       string       `json:"state"` // OPEN, MERGED, DECLINED, SUPERSEDED
	Draft       bool         `json:"draft"`
	Author      cloudUser    `json:"author"`
	Source      cloudEnd     `json:"source"`
	Destination cloudEnd     `json:"destination"`
	MergeCommit *cloudCommit `json:"merge_commit"`
	Reviewers   []cloudUser  `json:"reviewers"`
	CreatedOn   time.Time    `json:"created_on"`
	UpdatedOn   time.Time    `json:"updated_on"`
	Links       struct {
		HTML struct {
			Href string `json:"href"`
		} `json:"html"`
	} `json:"links"`
}

// pullFields are what is read of a pull request: the whole one comes with its text rendered three times.
var pullFields = []string{"id", "title", "description", "summary.raw", "state", "draft", "author", "source.branch.name", "source.commit.hash", "source.repository.uuid",
	"destination.branch", "destination.commit.hash", "destination.repository.uuid", "destination.repository.full_name", "merge_commit.hash", "reviewers",
	"created_on", "updated_on", "links.html.href"}

func hashKey(uuid, short string) string { return uuid + " " + short }

// full is what a shortened commit of a repository is in full. A commit that is gone stays short.
func (f *Cloud) full(ctx context.Context, repo fleet.Repository, uuid, short string) (string, error) {
	if len(short) >= 40 || short == "" {
		return short, nil
	}
	key := hashKey(uuid, short)
	if hash, ok := f.hashes.get(key); ok {
		return hash, nil
	}
	at, err := f.at(repo, "/commit/"+url.PathEscape(short)+"?fields=hash")
	if err != nil {
		return "", err
	}
	var c cloudCommit
	_, err = f.http.JSON(ctx, http.MethodGet, at, nil, &c)
	if transport.StatusOf(err) == http.StatusNotFound {
		return short, nil
	}
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(c.Hash, short) {
		return "", fleet.Errorf(fleet.CodeForge, "the forge gave another commit than %s", short)
	}
	f.hashes.put(key, c.Hash)
	return c.Hash, nil
}

// pull makes ours of a pull request, with its commits in full.
func (f *Cloud) pull(ctx context.Context, repo fleet.Repository, p *cloudPull) (forge.Pull, error) {
	out := toPull(repo.Name, p)
	var err error
	if out.HeadSHA, err = f.full(ctx, repo, p.Destination.Repository.UUID, out.HeadSHA); err == nil {
		out.MergeSHA, err = f.full(ctx, repo, p.Destination.Repository.UUID, out.MergeSHA)
	}
	return out, err
}

func toPull(repository string, p *cloudPull) forge.Pull {
	out := forge.Pull{Repository: repository, Number: p.ID, URL: p.Links.HTML.Href, Title: p.Title, Body: cmp.Or(p.Description, p.Summary.Raw), State: forge.StateClosed, Draft: p.Draft,
		HeadBranch: p.Source.Branch.Name, HeadSHA: p.Source.Commit.Hash, BaseBranch: p.Destination.Branch.Name, Author: p.Author.name(), CreatedAt: p.CreatedOn, UpdatedAt: p.UpdatedOn}
	switch p.State {
	case "OPEN":
		out.State = forge.StateOpen
	case "MERGED":
		out.State = forge.StateMerged
		if p.MergeCommit != nil {
			out.MergeSHA = p.MergeCommit.Hash
		}
	}
	for _, r := range p.Reviewers {
		out.Reviewers = append(out.Reviewers, r.name())
	}
	return out
}

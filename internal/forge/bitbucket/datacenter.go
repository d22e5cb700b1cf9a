package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// DataCenterConfig says which Bitbucket Data Center, and who asks.
type DataCenterConfig struct {
	URL        string             // of the site
	Credential forge.Credential   // an HTTP access token
	Limiter    *transport.Limiter // shared by everything that uses the same token; defaults to one of its own
	Next       http.RoundTripper  // for tests
	Now        func() time.Time   // defaults to time.Now
}

// DataCenterLimits stay below the tokens that a server hands out unless its administrator says otherwise: sixty at once.
var DataCenterLimits = transport.Limits{AtOnce: 16}

// DataCenter is one Bitbucket Data Center, or the Bitbucket Server that it was called before.
type DataCenter struct {
	site       *url.URL
	http       *transport.Transport
	credential forge.Credential
	now        func() time.Time

	login   memory[string]  // the account's name, by token: one may be replaced
	mails   memory[string]  // names by mail address; "" for nobody
	writers memory[writers] // by slug and name
	seen    memory[glance]  // what Follow saw, by slug and number
	places  memory[string]  // slugs as the fleet has them, by the number of the repository
	authors struct {        // of pull requests that are followed
		mu    sync.Mutex
		names []string
	}
}

var (
	_ forge.Forge         = (*DataCenter)(nil)
	_ forge.Lister        = (*DataCenter)(nil)
	_ forge.Commenter     = (*DataCenter)(nil)
	_ forge.BranchDeleter = (*DataCenter)(nil)
	_ forge.Discoverer    = (*DataCenter)(nil)
	_ forge.Follower      = (*DataCenter)(nil)
	_ forge.Checker       = (*DataCenter)(nil)
	_ forge.Checks        = (*DataCenter)(nil)
	_ forge.Reviews       = (*DataCenter)(nil)
)

// NewDataCenter makes the driver. It asks nothing yet.
func NewDataCenter(cfg DataCenterConfig) (*DataCenter, error) {
	site, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil || site.Host == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a Bitbucket Data Center has a host")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = transport.NewLimiter(DataCenterLimits, nil)
	}
	tr, err := transport.New(transport.Config{Base: site, Credential: cfg.Credential, Limiter: cfg.Limiter, Next: cfg.Next,
		Sign: func(h http.Header, token string) {
			h.Set("Authorization", "Bearer "+token)
			h.Set("X-Atlassian-Token", "no-check") // or what has no body is taken for forged
		}})
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &DataCenter{site: site, http: tr, credential: cfg.Credential, now: cfg.Now}, nil
}

// Calls is how many requests were made.
func (f *DataCenter) Calls() int { return f.http.Calls() }

// GitLogin is what git signs in with: the name of the account that the token belongs to, which it has to be.
func (f *DataCenter) GitLogin(ctx context.Context) (user, secret string, err error) {
	token, err := f.credential(ctx)
	if err == nil {
		user, err = f.whoami(ctx, token)
	}
	return user, token.Reveal(), err
}

// whoami is the account that a token belongs to, which every reply says in its header.
func (f *DataCenter) whoami(ctx context.Context, token forge.Secret) (string, error) {
	if name, ok := f.login.get(token.Reveal()); ok {
		return name, nil
	}
	h, err := f.http.JSON(ctx, http.MethodGet, f.site.String()+"/rest/api/latest/application-properties", nil, nil)
	if err != nil {
		return "", err
	}
	name, err := url.QueryUnescape(h.Get("X-AUSERNAME"))
	if err != nil || name == "" || name == "anonymous" {
		return "", &fleet.Error{Code: fleet.CodeForgeAuth, Message: "Bitbucket signs nobody in with the token", Hint: "make an HTTP access token for an account, with write permission for repositories"}
	}
	f.login.put(token.Reveal(), name)
	return name, nil
}

// slug is the project's key and the repository's slug. Clone URLs over HTTP have them below /scm.
func (f *DataCenter) slug(repo fleet.Repository) (string, error) {
	slug, err := forge.Slug(repo, f.site.Path)
	slug = strings.TrimPrefix(slug, "scm/")
	if err == nil && strings.Count(slug, "/") != 1 {
		err = fleet.Errorf(fleet.CodeInvalid, "repository %s has a clone URL that names no repository of a Bitbucket Data Center", repo.Name)
	}
	return slug, err
}

// at is the URL of something in a repository, below one of the server's interfaces.
func (f *DataCenter) at(repo fleet.Repository, api, rest string) (string, error) {
	slug, err := f.slug(repo)
	key, name, _ := strings.Cut(slug, "/")
	return f.site.String() + "/rest/" + api + "/latest/projects/" + url.PathEscape(key) + "/repos/" + url.PathEscape(name) + rest, err
}

func (f *DataCenter) pullAt(repo fleet.Repository, number int, rest string) (string, error) {
	return f.at(repo, "api", "/pull-requests/"+strconv.Itoa(number)+rest)
}

// starts follows a list by the numbers that the server gives: it may cap pages, and skip what the account may not see.
func starts[T any](ctx context.Context, f *DataCenter, at string, q url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for start := 0; ; {
			q.Set("start", strconv.Itoa(start))
			var page struct {
				Last   *bool `json:"isLastPage"`
				Next   *int  `json:"nextPageStart"`
				Values []T
			}
			if _, err := f.http.JSON(ctx, http.MethodGet, at+"?"+q.Encode(), nil, &page); err != nil {
				yield(none, err)
				return
			}
			for _, v := range page.Values {
				if !yield(v, nil) {
					return
				}
			}
			if page.Last == nil || *page.Last || page.Next == nil || *page.Next <= start {
				return
			}
			start = *page.Next
		}
	}
}

// trouble is the refusal of a server: what happened by the name of an exception, and what it was about.
type trouble struct {
	Exception  string `json:"exceptionName"`
	Message    string `json:"message"`
	Conflicted bool   `json:"conflicted"`
	Reviewers  []struct {
		Name string `json:"context"`
	} `json:"reviewerErrors"`
}

func troubleOf(err error) trouble {
	var s *transport.Status
	var said struct{ Errors []trouble }
	if !errors.As(err, &s) || json.Unmarshal([]byte(s.Body), &said) != nil || len(said.Errors) == 0 {
		return trouble{}
	}
	return said.Errors[0]
}

// is compares the last part of the exception's name, which outlived the server's renaming.
func (t trouble) is(names ...string) bool {
	return slices.Contains(names, t.Exception[strings.LastIndexByte(t.Exception, '.')+1:])
}

// missing says what a 404 is about: the pull request, or the whole repository. A server says 401 also to an account that
// may not do something.
func (f *DataCenter) missing(ctx context.Context, repo fleet.Repository, err, what error) error {
	switch t := troubleOf(err); {
	case transport.Says(err, "archived"):
		return archived(repo, err)
	case t.is("NoSuchRepositoryException", "NoSuchProjectException"):
		return f.gone(repo)
	case t.is("NoSuchPullRequestException"):
		return what
	}
	if transport.StatusOf(err) != http.StatusNotFound {
		return err
	}
	at, err := f.at(repo, "api", "")
	if err != nil {
		return err
	}
	_, err = f.http.JSON(ctx, http.MethodGet, at, nil, nil)
	if status := transport.StatusOf(err); status == http.StatusNotFound || status == http.StatusUnauthorized && troubleOf(err).is("AuthorisationException") {
		return f.gone(repo)
	}
	if err != nil {
		return err
	}
	return what
}

func (f *DataCenter) gone(repo fleet.Repository) error {
	return &fleet.Error{Code: fleet.CodeRepoGone, Message: "Bitbucket has no repository " + repo.Name + " for this credential", Hint: "it was deleted, or made private to it"}
}

type dcUser struct {
	Name  string `json:"name"`
	Slug  string `json:"slug"`
	Email string `json:"emailAddress"`
}

type dcParticipant struct {
	User   dcUser `json:"user"`
	Status string `json:"status"`
}

type dcRepository struct {
	ID            int    `json:"id"`
	Slug          string `json:"slug"`
	DefaultBranch string `json:"defaultBranch"`
	Archived      bool   `json:"archived"`
	Public        bool   `json:"public"`
	Origin        *struct {
		ID int `json:"id"`
	} `json:"origin"`
	Project struct {
		Key string `json:"key"`
	} `json:"project"`
}

type dcRef struct {
	ID         string       `json:"id"`
	Branch     string       `json:"displayId"`
	Commit     string       `json:"latestCommit"`
	Repository dcRepository `json:"repository"`
}

type dcPull struct {
	ID          int             `json:"id"`
	Version     int             `json:"version"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	State       string          `json:"state"` // OPEN, MERGED, DECLINED
	Draft       bool            `json:"draft"`
	Created     int64           `json:"createdDate"` // milliseconds
	Updated     int64           `json:"updatedDate"`
	Closed      int64           `json:"closedDate"`
	From        dcRef           `json:"fromRef"`
	To          dcRef           `json:"toRef"`
	Author      dcParticipant   `json:"author"`
	Reviewers   []dcParticipant `json:"reviewers"`
	Properties  struct {
		MergeResult struct {
			Outcome string `json:"outcome"` // CLEAN, CONFLICTED, UNKNOWN
			Current bool   `json:"current"` // of the commits where the branches stand now
		} `json:"mergeResult"`
		MergeCommit struct {
			ID string `json:"id"`
		} `json:"mergeCommit"`
		Comments int `json:"commentCount"`
	} `json:"properties"`
	Links struct {
		Self []struct {
			Href string `json:"href"`
		} `json:"self"`
	} `json:"links"`
}

func (p *dcPull) conflicts() bool {
	r := p.Properties.MergeResult
	return r.Current && r.Outcome == "CONFLICTED"
}

func (p *dcPull) pull(repository string) forge.Pull {
	out := forge.Pull{Repository: repository, Number: p.ID, Title: p.Title, Body: p.Description, State: forge.StateClosed, Draft: p.Draft,
		HeadBranch: p.From.Branch, HeadSHA: p.From.Commit, BaseBranch: p.To.Branch, Author: p.Author.User.Name, CreatedAt: time.UnixMilli(p.Created).UTC(), UpdatedAt: time.UnixMilli(max(p.Updated, p.Closed)).UTC()}
	if len(p.Links.Self) > 0 {
		out.URL = p.Links.Self[0].Href
	}
	switch p.State {
	case "OPEN":
		out.State, out.Conflicts = forge.StateOpen, p.conflicts()
	case "MERGED":
		out.State, out.MergeSHA = forge.StateMerged, p.Properties.MergeCommit.ID
		if out.MergeSHA == "" {
			out.MergeSHA = p.To.Commit
		}
	}
	for _, r := range p.Reviewers {
		out.Reviewers = append(out.Reviewers, r.User.Name)
	}
	return out
}

package gitlab

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	sdk "gitlab.com/gitlab-org/api/client-go/v2"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// Config says which GitLab, and who asks.
type Config struct {
	URL        string // of the site; defaults to https://gitlab.com
	Credential forge.Credential
	Limiter    *transport.Limiter // shared by everything that uses the same token; defaults to one of its own
	Next       http.RoundTripper  // for tests
}

// Limits stay below what gitlab.com documents.
var Limits = transport.Limits{WritesPerMinute: 300, AtOnce: 32, Reserve: 50}

// Forge is one GitLab.
type Forge struct {
	site *url.URL
	http *transport.Transport
	api  *sdk.Client

	mu     sync.Mutex
	moved  map[string]int64 // numbers of projects that moved, by slug
	slugs  map[int64]string // slugs by the number of the project
	users  map[string]int64 // numbers by user name; 0: there is nobody
	rights map[string]bool  // by slug and number of a user
	trains map[string]bool  // whether a project merges by trains, by slug
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

// unpaced leaves pacing to the transport; the library's own limiter would ask the server first.
type unpaced struct{}

func (unpaced) Wait(context.Context) error { return nil }

// New makes the driver. It asks nothing yet.
func New(cfg Config) (*Forge, error) {
	site, err := url.Parse(strings.TrimRight(cmp.Or(cfg.URL, "https://gitlab.com"), "/"))
	if err != nil || site.Host == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a GitLab has a host")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = transport.NewLimiter(Limits, nil)
	}
	tr, err := transport.New(transport.Config{Base: site, Credential: cfg.Credential, Limiter: cfg.Limiter, Next: cfg.Next,
		Sign: func(h http.Header, token string) {
			h.Del("Private-Token")
			h.Set("Authorization", "Bearer "+token)
		}})
	if err != nil {
		return nil, err
	}
	never := func(context.Context, *http.Response, error) (bool, error) { return false, nil }
	api, err := sdk.NewClient("", sdk.WithBaseURL(site.String()+"/api/v4"), sdk.WithHTTPClient(tr.Client()), sdk.WithCustomRetryMax(0), sdk.WithCustomRetry(never), sdk.WithCustomLimiter(unpaced{}), sdk.WithUserAgent("gaggle"))
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a GitLab cannot be used: %w", err)
	}
	return &Forge{site: site, http: tr, api: api, moved: map[string]int64{}, slugs: map[int64]string{}, users: map[string]int64{}, rights: map[string]bool{}, trains: map[string]bool{}}, nil
}

// HostTime implements forge.Clock.
func (f *Forge) HostTime() time.Time { return f.http.HostTime() }

// Calls is how many requests were made.
func (f *Forge) Calls() int { return f.http.Calls() }

// project names a project for a call: by its path, or by its number once it is known to have moved.
func (f *Forge) project(repo fleet.Repository) (pid any, slug string, err error) {
	if slug, err = forge.Slug(repo, f.site.Path); err != nil {
		return nil, "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, ok := f.moved[slug]; ok {
		return id, slug, nil
	}
	return slug, slug, nil
}

// change makes a call that writes, and makes it again where the project turns out to have moved.
func (f *Forge) change(ctx context.Context, repo fleet.Repository, do func(pid any) error) error {
	pid, slug, err := f.project(repo)
	if err != nil {
		return err
	}
	err = transport.Error(ctx, do(pid))
	if !transport.Says(err, "moved projects") {
		return err
	}
	p, _, err := f.api.Projects.GetProject(slug, nil, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); err != nil {
		return err
	}
	f.mu.Lock()
	f.moved[slug] = p.ID
	f.mu.Unlock()
	return transport.Error(ctx, do(p.ID))
}

// missing says what a 404 is about: the merge request, or the whole project.
func (f *Forge) missing(ctx context.Context, repo fleet.Repository, err, what error) error {
	if transport.Says(err, "archived") {
		return &fleet.Error{Code: fleet.CodeRepoGone, Message: "project " + repo.Name + " is archived and takes no changes", Err: err}
	}
	if transport.StatusOf(err) != http.StatusNotFound {
		return err
	}
	pid, slug, err := f.project(repo)
	if err != nil {
		return err
	}
	_, _, err = f.api.Projects.GetProject(pid, nil, sdk.WithContext(ctx))
	if err = transport.Error(ctx, err); transport.StatusOf(err) == http.StatusNotFound {
		return &fleet.Error{Code: fleet.CodeRepoGone, Message: "GitLab has no project " + slug + " for this credential", Hint: "it was deleted, or made private to it"}
	}
	if err != nil {
		return err
	}
	return what
}

func cutDraft(title string) string {
	for _, prefix := range []string{"Draft:", "[Draft]", "(Draft)"} {
		if len(title) >= len(prefix) && strings.EqualFold(title[:len(prefix)], prefix) {
			return strings.TrimSpace(title[len(prefix):])
		}
	}
	return title
}

// full is a merge request that was read by itself. Its pipeline counts where it ran for the head, and not for what was
// there before or for the result of a merge.
func full(repository string, m *sdk.MergeRequest) forge.Pull {
	p := toPull(repository, &m.BasicMergeRequest)
	switch {
	case p.State != forge.StateOpen:
	case m.HeadPipeline == nil:
		p.CI = forge.CheckNone
	case m.HeadPipeline.SHA == m.SHA:
		p.CI = pipelineState(m.HeadPipeline.Status)
	}
	return p
}

func toPull(repository string, m *sdk.BasicMergeRequest) forge.Pull {
	out := forge.Pull{Repository: repository, Number: int(m.IID), URL: m.WebURL, Title: m.Title, Body: m.Description, Draft: m.Draft, State: forge.StateOpen,
		HeadBranch: m.SourceBranch, HeadSHA: m.SHA, BaseBranch: m.TargetBranch, Labels: m.Labels}
	if m.Draft {
		out.Title = cutDraft(m.Title)
	}
	switch m.State {
	case "merged":
		out.State, out.MergeSHA = forge.StateMerged, cmp.Or(m.MergeCommitSHA, m.SquashCommitSHA, m.SHA)
	case "closed":
		out.State = forge.StateClosed
	default:
		out.Conflicts, out.Queued = conflicts(m.HasConflicts, m.DetailedMergeStatus), m.MergeWhenPipelineSucceeds
	}
	if m.Author != nil {
		out.Author = m.Author.Username
	}
	if m.CreatedAt != nil {
		out.CreatedAt = *m.CreatedAt
	}
	if m.UpdatedAt != nil {
		out.UpdatedAt = *m.UpdatedAt
	}
	for _, r := range m.Reviewers {
		out.Reviewers = append(out.Reviewers, r.Username)
	}
	return out
}

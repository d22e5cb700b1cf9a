package gitea

import (
	"context"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// acquaintance is where the account has made pull requests. The server has no list of those with a head branch, and one by
// one they cost a call for each repository; one list of all that the account ever made tells which ones can be spared.
type acquaintance struct {
	mu    sync.Mutex // held while asking: the first to need it asks for all
	at    time.Time  // when it was last brought up to date; zero: never
	vast  bool       // there are too many to know
	slugs map[string]bool
}

const (
	vast  = 2000        // pull requests: more are not worth listing
	fresh = time.Minute // other processes make some, too
)

// isFresh says that the account has made no pull request in a repository, as far as is known.
func (f *Forge) isFresh(ctx context.Context, repo fleet.Repository) (bool, error) {
	slug, err := forge.Slug(repo, f.site.Path)
	if err != nil {
		return false, err
	}
	a := &f.known
	a.mu.Lock()
	defer a.mu.Unlock()
	if started := f.now(); !a.vast && started.Sub(a.at) > fresh {
		since := a.at
		if !since.IsZero() {
			since = since.Add(-10 * time.Second) // clocks differ
		}
		n := 0
		for issue, err := range f.mine(ctx, since) {
			if err != nil {
				return false, err
			}
			a.slugs[strings.ToLower(issue.Repository.FullName)] = true
			if n++; n >= vast {
				a.vast = true
				break
			}
		}
		a.at = started
	}
	return !a.vast && !a.slugs[strings.ToLower(slug)], nil
}

// met notes that a pull request may have been made in a repository.
func (f *Forge) met(slug string) {
	f.known.mu.Lock()
	defer f.known.mu.Unlock()
	f.known.slugs[strings.ToLower(slug)] = true
}

package gitea

import (
	"context"
	"net/http"
	"strings"
	"sync"

	sdk "code.gitea.io/sdk/gitea"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// labels are the ids of one repository's or one organisation's labels, by name in small letters. Its lock is held while the
// server is asked, too: two workers must not make one label twice.
type labels struct {
	mu  sync.Mutex
	ids map[string]int64 // nil: not asked yet
}

func (f *Forge) labelsOf(key string) *labels {
	f.mu.Lock()
	defer f.mu.Unlock()
	key = strings.ToLower(key)
	if f.labels[key] == nil {
		if len(f.labels) > 20000 {
			clear(f.labels)
		}
		f.labels[key] = &labels{}
	}
	return f.labels[key]
}

func (f *Forge) forgetLabels(slug string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.labels, strings.ToLower(slug))
}

// labelIDs looks the labels up, and makes those that neither the repository nor its organisation has.
func (f *Forge) labelIDs(ctx context.Context, repo fleet.Repository, names []string) ([]int64, error) {
	names = forge.Lacking(nil, names)
	if len(names) == 0 {
		return nil, nil
	}
	api, owner, name, err := f.at(ctx, repo)
	if err != nil {
		return nil, err
	}
	shared, err := f.shared(ctx, api, owner)
	if err != nil {
		return nil, err
	}
	own := f.labelsOf(owner + "/" + name)
	own.mu.Lock()
	defer own.mu.Unlock()
	ids := make([]int64, len(names))
	for i, n := range names {
		key := strings.ToLower(n)
		if ids[i] = shared[key]; ids[i] != 0 {
			continue
		}
		if own.ids == nil {
			own.ids, err = listLabels(ctx, func(page sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error) {
				return api.ListRepoLabels(owner, name, sdk.ListLabelsOptions{ListOptions: page})
			})
			if err != nil {
				return nil, f.missing(ctx, repo, err, err)
			}
		}
		if ids[i] = own.ids[key]; ids[i] != 0 {
			continue
		}
		l, _, err := api.CreateLabel(owner, name, sdk.CreateLabelOption{Name: n, Color: "#70c24a"})
		if err = transport.Error(ctx, err); err != nil {
			own.ids = nil // it may be there after all
			return nil, err
		}
		ids[i], own.ids[key] = l.ID, l.ID
	}
	return ids, nil
}

// shared are the labels of an organisation, which all its repositories take; none where the owner is a user, or does not
// show them.
func (f *Forge) shared(ctx context.Context, api *sdk.Client, owner string) (map[string]int64, error) {
	org := f.labelsOf(owner)
	org.mu.Lock()
	defer org.mu.Unlock()
	if org.ids != nil {
		return org.ids, nil
	}
	ids, err := listLabels(ctx, func(page sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error) {
		return api.ListOrgLabels(owner, sdk.ListOrgLabelsOptions{ListOptions: page})
	})
	switch transport.StatusOf(err) {
	case http.StatusNotFound, http.StatusForbidden:
		ids, err = map[string]int64{}, nil
	}
	org.ids = ids
	return ids, err
}

func listLabels(ctx context.Context, list func(sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error)) (map[string]int64, error) {
	ids := map[string]int64{}
	pages := newPager()
	for {
		page, resp, err := list(pages.ListOptions)
		if err = transport.Error(ctx, err); err != nil {
			return nil, err
		}
		for _, l := range page {
			ids[strings.ToLower(l.Name)] = l.ID
		}
		if !pages.next(resp, len(page)) {
			return ids, nil
		}
	}
}

package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gaggle/internal/catalog"
	"gaggle/internal/fleet"
	"gaggle/internal/git"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// SyncInput names where repositories come from: a folder of repositories, or a file of clone URLs. Empty reads again what
// was named before.
type SyncInput struct {
	From string `json:"from"`
}

// SyncOutput says what a sync found.
type SyncOutput struct {
	Repositories int             `json:"repositories"` // of the whole fleet
	Components   int             `json:"components"`   // of the whole fleet
	Read         int             `json:"read"`         // new or changed
	Unchanged    int             `json:"unchanged"`
	Gone         int             `json:"gone"`
	Problems     []fleet.Problem `json:"problems"`
}

// memoSources is the memo that remembers where repositories come from.
const memoSources = "fleet/sources"

// Sync reads the sources into the fleet. What is wrong with a repository is a problem in the output and stops nothing.
func (o *Ops) Sync(ctx context.Context, in SyncInput) (*SyncOutput, error) {
	sources, err := o.sources(ctx)
	if err != nil {
		return nil, err
	}
	if in.From != "" {
		from, err := o.source(in.From)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(sources, from) {
			sources = append(sources, from)
		}
	}
	if len(sources) == 0 {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "no source of repositories is known", Hint: "gaggle fleet sync --from DIR|FILE|FORGE:OWNER"}
	}
	known, err := o.known(ctx)
	if err != nil {
		return nil, err
	}
	repos, sourceOf, problems, err := o.discover(ctx, sources, in.From != "")
	if err != nil {
		return nil, err
	}
	out := &SyncOutput{Problems: problems}
	for name := range known {
		if sourceOf[name] == "" {
			out.Gone++
			if err := o.store.Tx(ctx, func(tx *store.Tx) error { return tx.DropRepository(ctx, name) }); err != nil {
				return nil, err
			}
		}
	}
	told := make(map[string]fleet.Repository, len(repos))
	for _, r := range repos {
		told[r.Name] = r
	}
	if err := o.sync(ctx, repos, sourceOf, known, told, 0, out); err != nil {
		return nil, err
	}
	data, err := json.Marshal(sources)
	if err != nil {
		return nil, err
	}
	if err := o.store.Tx(ctx, func(tx *store.Tx) error { return tx.Remember(ctx, memoSources, string(data)) }); err != nil {
		return nil, err
	}
	return out, o.collect(ctx)
}

// source settles what a person named: a folder or a file by its whole path, a forge and an owner as it is.
func (o *Ops) source(from string) (string, error) {
	if _, _, ok, err := o.forgeSource(from); ok {
		return from, err
	}
	path, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		hint := "--from takes a folder of repositories, a file with a clone URL a line, or a forge and an owner such as github:acme"
		return "", &fleet.Error{Code: fleet.CodeNotFound, Message: "there is nothing at " + path, Hint: hint, Err: err}
	}
	return path, nil
}

// discover lists the repositories of all sources. A source that cannot be read any more is an error where a person
// named one just now, and a problem otherwise.
func (o *Ops) discover(ctx context.Context, sources []string, strict bool) (all []fleet.Repository, sourceOf map[string]string, problems []fleet.Problem, err error) {
	sourceOf = map[string]string{}
	for i, from := range sources {
		var repos []fleet.Repository
		var found []fleet.Problem
		name, scope, remote, err := o.forgeSource(from)
		switch {
		case err != nil:
		case remote:
			repos, err = o.discoverForge(ctx, name, scope)
		default:
			repos, found, err = catalog.Discover(ctx, from)
			o.cfg.Forges.settle(repos)
		}
		if err != nil && remote {
			return nil, nil, nil, err // with what the forge asked for, such as to wait
		}
		if err != nil && (strict && i == len(sources)-1 || ctx.Err() != nil) {
			return nil, nil, nil, err
		}
		if err != nil {
			return nil, nil, nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the source " + from + " cannot be read any more", Hint: "restore it; nothing was removed from the fleet", Err: err}
		}
		problems = append(problems, found...)
		for _, r := range repos {
			if other := sourceOf[r.Name]; other != "" {
				problems = append(problems, fleet.Problem{Code: catalog.ProblemDuplicate, Repository: r.Name, File: from, Message: "another repository of that name comes from " + other, Hint: "give one of them a name of its own: in a list, name=NAME after the URL"})
				continue
			}
			sourceOf[r.Name] = from
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b fleet.Repository) int { return strings.Compare(a.Name, b.Name) })
	return all, sourceOf, problems, nil
}

// refreshAge is how old the last look at a remote may be when a plan or an attempt needs it: a run over many takes minutes,
// and asking each again would cost more than its plan. gaggle fleet sync asks whatever the age.
const refreshAge = 5 * time.Minute

// Refresh looks at every repository of the fleet again. A remote that was asked within refreshAge is not asked again;
// one on this machine always is, because that costs a few file reads.
func (o *Ops) Refresh(ctx context.Context) error {
	known, err := o.known(ctx)
	if err != nil || len(known) == 0 {
		return err
	}
	repos := make([]fleet.Repository, 0, len(known))
	sourceOf := make(map[string]string, len(known))
	for name, r := range known {
		repos = append(repos, r.Repository)
		sourceOf[name] = r.Source
	}
	slices.SortFunc(repos, func(a, b fleet.Repository) int { return strings.Compare(a.Name, b.Name) })
	sources := slices.Compact(slices.Sorted(maps.Values(sourceOf)))
	return o.sync(ctx, repos, sourceOf, known, o.heads(ctx, sources), refreshAge, &SyncOutput{})
}

func (o *Ops) sources(ctx context.Context) ([]string, error) {
	text, ok, err := o.store.Memo(ctx, memoSources)
	if err != nil || !ok {
		return nil, err
	}
	var list []string
	return list, json.Unmarshal([]byte(text), &list)
}

func (o *Ops) known(ctx context.Context) (map[string]store.StoredRepository, error) {
	repos, err := o.store.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[string]store.StoredRepository, len(repos))
	for _, r := range repos {
		known[r.Name] = r
	}
	return known, nil
}

// aged asks remotes on this machine whatever their age, and none whose forge just told that it stands where it stood.
type aged struct {
	catalog.Mirrors
	known map[string]store.StoredRepository
	told  map[string]fleet.Repository
}

// Refresh implements catalog.Mirrors.
func (m aged) Refresh(ctx context.Context, repo fleet.Repository, maxAge time.Duration) (git.Head, error) {
	if r, err := git.ParseRemote(repo.URL); err == nil && r.Path != "" {
		maxAge = 0
	}
	was, now := m.known[repo.Name], m.told[repo.Name]
	if now.Head != "" && now.Head == was.Head && now.URL == was.URL && now.DefaultBranch == was.DefaultBranch && was.Tree != "" {
		return git.Head{Branch: was.DefaultBranch, Commit: was.Head, Tree: was.Tree}, nil
	}
	return m.Mirrors.Refresh(ctx, repo, maxAge)
}

// sync reads the repositories and stores what is new, each in a transaction of its own.
func (o *Ops) sync(ctx context.Context, repos []fleet.Repository, sourceOf map[string]string, known map[string]store.StoredRepository, told map[string]fleet.Repository, maxAge time.Duration, out *SyncOutput) error {
	_, err := catalog.Sync(ctx, repos, catalog.Options{
		Mirrors: aged{catalog.GitMirrors(o.git), known, told},
		MaxAge:  maxAge,
		Now:     o.cfg.Clock,
		Known: func(name string) (catalog.Known, bool) {
			r, ok := known[name]
			return catalog.Known{Repository: r.Repository, Memo: r.Memo}, ok
		},
	}, func(r catalog.Result) error {
		out.Problems = append(out.Problems, r.Problems...)
		was, seen := known[r.Repository.Name]
		switch r.Outcome {
		case catalog.Unchanged:
			out.Unchanged++
			if was.Head == r.Repository.Head && was.URL == r.Repository.URL {
				return nil // not even the time is worth a write for each repository
			}
			return o.store.Tx(ctx, func(tx *store.Tx) error { return tx.SeeRepository(ctx, r.Repository, r.Problems) })
		case catalog.Gone:
			out.Gone++
			if !seen {
				return nil
			}
			return o.store.Tx(ctx, func(tx *store.Tx) error { return tx.DropRepository(ctx, r.Repository.Name) })
		case catalog.Failed:
			if !seen {
				return nil
			}
			return o.store.Tx(ctx, func(tx *store.Tx) error { return tx.SeeRepository(ctx, was.Repository, r.Problems) })
		}
		out.Read++
		inv := store.RepositoryInventory{Repository: r.Repository, Components: r.Components, Entities: r.Entities, Problems: r.Problems, Memo: r.Memo, Source: sourceOf[r.Repository.Name]}
		if r.Settings != nil {
			inv.Config = string(r.Settings.Data)
			if r.Settings.Data == nil {
				inv.Config = "too large to be read" // no settings file: whoever wrote it is taken to opt out
			}
			inv.Problems = append(inv.Problems, settingsProblems(r)...)
			out.Problems = append(out.Problems, settingsProblems(r)...)
		}
		if r.Repository.Tree != "" {
			if _, err := o.index.Ensure(ctx, r.Repository, r.Previous); err != nil && ctx.Err() != nil {
				return err
			} // otherwise planning makes it, and says what is wrong
		}
		return o.store.Tx(ctx, func(tx *store.Tx) error { return tx.PutRepository(ctx, inv) })
	})
	if err != nil {
		return err
	}
	out.Repositories, out.Components, err = o.store.FleetSize(ctx)
	return err
}

// settingsProblems says what is wrong with a repository's .gaggle.yaml.
func settingsProblems(r catalog.Result) []fleet.Problem {
	_, err := spec.ParseRepository(r.Settings.File, r.Settings.Data)
	if err == nil {
		return nil
	}
	var problems []fleet.Problem
	var list *spec.Errors
	if !errors.As(err, &list) {
		return nil
	}
	for _, e := range list.List {
		problems = append(problems, fleet.Problem{Code: "settings_invalid", Repository: r.Repository.Name, File: r.Settings.File, Line: e.Line, Column: e.Column, Message: e.Message, Hint: e.Hint})
	}
	return problems
}

// collect removes what no repository of the fleet needs any more.
func (o *Ops) collect(ctx context.Context) error {
	repos, err := o.store.Repositories(ctx)
	if err != nil {
		return err
	}
	live := make(map[string]bool, len(repos))
	for _, r := range repos {
		live[r.Tree] = true
	}
	_, _, err = o.index.Collect(ctx, live, time.Hour)
	return err
}

// ComponentsInput narrows a list of components.
type ComponentsInput struct {
	Owner string `json:"owner,omitempty"` // entity reference; a name alone is a group
}

// Components lists the fleet's components by reference.
func (o *Ops) Components(ctx context.Context, in ComponentsInput) ([]fleet.Component, error) {
	all, err := o.store.Components(ctx)
	if err != nil {
		return nil, err
	}
	owner := fleet.Ref(fleet.ParseRef(in.Owner, "group", ""))
	mine := []fleet.Component{}
	for _, c := range all {
		if in.Owner == "" || c.Owner == owner {
			mine = append(mine, c)
		}
	}
	return mine, nil
}

func componentRefs(all []fleet.Component) []string {
	refs := make([]string, len(all))
	for i, c := range all {
		refs[i] = c.Ref
	}
	return refs
}

// ComponentDetail is everything that is known of a component.
type ComponentDetail struct {
	fleet.Component
	Repository fleet.Repository `json:"repositoryDetail"`
	Targets    []fleet.Target   `json:"targets"`
	Problems   []fleet.Problem  `json:"problems"`
}

// Component tells everything about one component.
func (o *Ops) Component(ctx context.Context, ref string) (*ComponentDetail, error) {
	full := fleet.Ref(fleet.ParseRef(ref, "component", ""))
	c, err := o.store.Component(ctx, full)
	if err != nil && fleet.CodeOf(err) == fleet.CodeNotFound {
		all, listErr := o.store.Components(ctx)
		if listErr != nil {
			return nil, listErr
		}
		return nil, missingRef(fmt.Sprintf("%s is not in the fleet", full), full, componentRefs(all), "gaggle fleet list names all components")
	}
	if err != nil {
		return nil, err
	}
	d := &ComponentDetail{Component: c}
	repo, err := o.store.Repository(ctx, c.Repository)
	if err != nil {
		return nil, err
	}
	d.Repository = repo.Repository
	if d.Targets, err = o.store.Targets(ctx, store.Filter{Component: c.Ref}); err != nil {
		return nil, err
	}
	d.Problems, err = o.store.Problems(ctx, c.Repository)
	return d, err
}

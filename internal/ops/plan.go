package ops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/guard"
	"gaggle/internal/search"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// ReadCampaign reads and checks a campaign file. The error holds everything wrong with it.
func ReadCampaign(file string) (*spec.Campaign, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the campaign file cannot be read", Hint: "its owner must let you read it", Err: err}
	}
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the campaign file cannot be read", Hint: "name a campaign file, or look at examples/", Err: err}
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the campaign file's folder cannot be read", Err: err}
	}
	defer root.Close()
	var rules []string
	for _, r := range guard.Rules() {
		rules = append(rules, r.Name)
	}
	return spec.Parser{Files: root.FS(), Rules: rules}.Parse(file, data)
}

// PlanInput asks which components a campaign concerns.
type PlanInput struct {
	File  string   `json:"file"`
	Only  []string `json:"only,omitempty"`  // component references; others are left out
	Limit int      `json:"limit,omitempty"` // at most so many targets; 0 for all
	Why   []string `json:"why,omitempty"`   // explain these components in detail
}

// Validate checks the input.
func (in PlanInput) Validate() error {
	if in.File == "" {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "no campaign file is named", Hint: "gaggle plan campaign.yaml"}
	}
	if in.Limit < 0 {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("a limit of %d makes no sense", in.Limit), Hint: "--limit takes a positive number"}
	}
	return nil
}

// PlannedTarget is a component that the campaign would change.
type PlannedTarget struct {
	Component  string            `json:"component"`
	Repository string            `json:"repository"`
	Path       string            `json:"path"`
	Owner      string            `json:"owner,omitempty"`
	Wave       int               `json:"wave"` // 1-based
	Why        string            `json:"why"`
	Examples   []search.Location `json:"examples,omitempty"`

	cohorts []int // the entries of rollout.waves whose cohort it belongs to
}

// LeftOut is a component that the campaign would not change.
type LeftOut struct {
	Component  string `json:"component"`
	Repository string `json:"repository"`
	Owner      string `json:"owner,omitempty"`
	Reason     string `json:"reason"` // machine-readable: where, contains, excluded, opted_out, archived, empty, problem, limit, only
	Why        string `json:"why"`
}

// Plan is what a campaign concerns, and what not.
type Plan struct {
	Campaign string          `json:"campaign"`
	Targets  []PlannedTarget `json:"targets"`
	Out      []LeftOut       `json:"out"`
	Waves    []int           `json:"waves"` // sizes, with what an earlier run has put there

	// WaveNames are the waves' names or cohorts, "" for a wave that is its number alone. Nil when all are.
	WaveNames []string `json:"waveNames,omitempty"`

	Owners []PlannedOwner `json:"owners"` // of the targets, those with the most first

	// Explanations say in words why the components of PlanInput.Why are in or out.
	Explanations []string `json:"explanations,omitempty"`

	// Estimate says when it would be done if it was run now; nil when nothing is left of it.
	Estimate *Estimate `json:"estimate,omitempty"`

	spec    *spec.Campaign
	partial bool
	repos   map[string]store.StoredRepository
}

// Plan finds the components that a campaign concerns, by the inventory and the mirrors. Nothing is changed.
func (o *Ops) Plan(ctx context.Context, in PlanInput) (*Plan, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	c, err := ReadCampaign(in.File)
	if err != nil {
		return nil, err
	}
	p, err := o.planSpec(ctx, c, in)
	if err == nil {
		p.Estimate, err = o.estimatePlan(ctx, p)
	}
	return p, err
}

// choice is one component on its way through the selection.
type choice struct {
	component fleet.Component
	repo      store.StoredRepository
	out       *LeftOut
	why       []string
	examples  []search.Location
	cohorts   []int // the entries of rollout.waves whose cohort it belongs to
	included  bool
}

func (c *choice) leave(reason, why string) {
	c.out = &LeftOut{Component: c.component.Ref, Repository: c.component.Repository, Owner: c.component.Owner, Reason: reason, Why: why}
}

func (o *Ops) planSpec(ctx context.Context, c *spec.Campaign, in PlanInput) (*Plan, error) {
	components, err := o.store.Components(ctx)
	if err != nil {
		return nil, err
	}
	repos, err := o.store.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	if len(components) == 0 {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the fleet is empty", Hint: "gaggle fleet sync --from DIR adds repositories"}
	}
	byName := make(map[string]store.StoredRepository, len(repos))
	for _, r := range repos {
		byName[r.Name] = r
	}
	choices := make([]*choice, len(components))
	for i, comp := range components {
		choices[i] = &choice{component: comp, repo: byName[comp.Repository]}
	}
	if err := knownRefs(components, c, in.Only); err != nil {
		return nil, err
	}
	if err := filter(choices, c, in.Only); err != nil {
		return nil, err
	}
	if err := o.filterContent(ctx, choices, c); err != nil {
		return nil, err
	}
	p, err := o.deal(ctx, choices, components, c, in)
	if err != nil {
		return nil, err
	}
	p.repos = byName
	if p.Owners, err = o.dueOwners(ctx, p.Targets); err != nil {
		return nil, err
	}
	p.Explanations, err = o.explain(ctx, choices, c, in.Why)
	return p, err
}

// explain says in words why components are in or out.
func (o *Ops) explain(ctx context.Context, choices []*choice, c *spec.Campaign, why []string) ([]string, error) {
	var all []string
	known := make([]string, len(choices))
	for i, ch := range choices {
		known[i] = ch.component.Ref
	}
	for _, ref := range why {
		ref = fleet.Ref(fleet.ParseRef(ref, "component", ""))
		i := slices.IndexFunc(choices, func(ch *choice) bool { return ch.component.Ref == ref })
		if i < 0 {
			return nil, missingRef(ref+" is not in the fleet", ref, known, "gaggle fleet list names all components")
		}
		ch := choices[i]
		text := ref + " is in: " + strings.Join(ch.why, ", ")
		if ch.out != nil {
			text = ref + " is out: " + ch.out.Why
		}
		if query, err := search.Compile(terms(c)); err == nil && searches(c) {
			place := search.Place{Repository: ch.repo.Repository, Paths: []string{ch.component.Path}}
			for _, other := range choices {
				if other.repo.Name == ch.repo.Name && other != ch {
					place.Others = append(place.Others, other.component.Path)
				}
			}
			e, err := o.index.Explain(ctx, place, query)
			if err != nil {
				return nil, err
			}
			text += "\n  content: " + e.String()
		}
		all = append(all, text)
	}
	return all, nil
}

// terms is what the campaign asks of the default branches' content.
func terms(c *spec.Campaign) search.Terms {
	return search.Terms{Contains: c.Select.Contains.Pattern, In: c.Select.Contains.Paths, Files: c.Select.Files}
}

func searches(c *spec.Campaign) bool {
	return c.Select.Contains.Pattern != "" || len(c.Select.Files) > 0
}

// knownRefs refuses names that are not in the fleet, because a slip in an exclude list would let a component in.
func knownRefs(components []fleet.Component, c *spec.Campaign, only []string) error {
	known := make(map[string]bool, len(components))
	for _, comp := range components {
		known[comp.Ref] = true
	}
	for _, list := range []struct {
		name string
		refs []string
	}{{"select.include", c.Select.Include}, {"select.exclude", c.Select.Exclude}, {"--only", only}} {
		for _, ref := range list.refs {
			if !known[fleet.Ref(fleet.ParseRef(ref, "component", ""))] {
				return missingRef(fmt.Sprintf("%s names %s, which is not in the fleet", list.name, ref), ref, componentRefs(components), "gaggle fleet list names all components")
			}
		}
	}
	return nil
}

func refs(list []string) map[string]bool {
	set := map[string]bool{}
	for _, ref := range list {
		set[fleet.Ref(fleet.ParseRef(ref, "component", ""))] = true
	}
	return set
}

// filter decides by everything that needs no content.
func filter(choices []*choice, c *spec.Campaign, only []string) error {
	include, exclude, onlySet := refs(c.Select.Include), refs(c.Select.Exclude), refs(only)
	var where *spec.Where
	if c.Select.Where != "" {
		var err error
		if where, err = spec.CompileWhere(c.Select.Where); err != nil {
			return err
		}
	}
	configs := map[string]*spec.RepoConfig{}
	for _, ch := range choices {
		comp, repo := ch.component, ch.repo
		ch.included = include[comp.Ref]
		switch {
		case repo.Archived:
			ch.leave("archived", "its repository is archived")
		case repo.Head == "":
			ch.leave("empty", "its repository has no commit on its default branch")
		case exclude[comp.Ref]:
			ch.leave("excluded", "select.exclude names it")
		case len(onlySet) > 0 && !onlySet[comp.Ref]:
			ch.leave("only", "--only does not name it")
		}
		if ch.out != nil {
			continue
		}
		if why := refusal(configs, repo, comp, c.Metadata.Name); why != "" {
			ch.leave("opted_out", why)
			continue
		}
		if ch.included {
			ch.why = append(ch.why, "select.include names it")
			continue
		}
		if where == nil {
			if !searches(c) {
				ch.leave("where", "select.include does not name it")
			}
			continue
		}
		match, err := where.Match(comp, repo.Repository)
		switch {
		case err != nil:
			ch.leave("where", "where has no answer: "+err.Error())
		case !match:
			ch.leave("where", "where is false")
		default:
			ch.why = append(ch.why, "where is true")
		}
	}
	return nil
}

// refusal says why the repository keeps this campaign away from the component, if it does.
func refusal(configs map[string]*spec.RepoConfig, repo store.StoredRepository, comp fleet.Component, campaign string) string {
	if repo.Config == "" {
		return ""
	}
	cfg, seen := configs[repo.Name]
	if !seen {
		parsed, err := spec.ParseRepository(spec.RepoFile, []byte(repo.Config))
		if err == nil {
			cfg = &parsed
		}
		configs[repo.Name] = cfg
	}
	if cfg == nil {
		return "its " + spec.RepoFile + " cannot be read, and whoever wrote it wanted something (gaggle fleet show says what is wrong)"
	}
	return cfg.For(comp.Path).Refuses(campaign)
}

// filterContent decides by what the default branches hold.
func (o *Ops) filterContent(ctx context.Context, choices []*choice, c *spec.Campaign) error {
	if !searches(c) {
		return nil
	}
	query, err := search.Compile(terms(c))
	if err != nil {
		return err
	}
	byRepo := map[string][]*choice{}
	all := map[string][]string{}
	for _, ch := range choices {
		name := ch.repo.Name
		all[name] = append(all[name], ch.component.Path)
		if ch.out == nil && !ch.included {
			byRepo[name] = append(byRepo[name], ch)
		}
	}
	names := make([]string, 0, len(byRepo))
	for name := range byRepo {
		sort.Slice(byRepo[name], func(i, j int) bool { return byRepo[name][i].component.Path < byRepo[name][j].component.Path })
		names = append(names, name)
	}
	slices.Sort(names)
	places := func(yield func(search.Place) bool) {
		for _, name := range names {
			p := search.Place{Repository: byRepo[name][0].repo.Repository}
			for _, ch := range byRepo[name] {
				p.Paths = append(p.Paths, ch.component.Path)
			}
			if len(all[name]) > len(p.Paths) {
				asked := map[string]bool{}
				for _, path := range p.Paths {
					asked[path] = true
				}
				for _, path := range all[name] {
					if !asked[path] {
						p.Others = append(p.Others, path)
					}
				}
			}
			if !yield(p) {
				return
			}
		}
	}
	return o.index.Select(ctx, query, places, func(p search.Place, hits []search.Hit, err error) error {
		for i, ch := range byRepo[p.Repository.Name] {
			switch {
			case err != nil:
				ch.leave("problem", "its content cannot be read: "+err.Error())
			case !hits[i].Matched:
				ch.leave("contains", "no file matches contains and files")
			default:
				ch.examples = hits[i].Examples
				ch.why = append(ch.why, describe(hits[i]))
			}
		}
		return nil
	})
}

func describe(h search.Hit) string {
	if len(h.Examples) == 0 {
		return "its files match"
	}
	e := h.Examples[0]
	if e.Line == 0 {
		return "it has " + e.File
	}
	return fmt.Sprintf("%s:%d matches", e.File, e.Line)
}

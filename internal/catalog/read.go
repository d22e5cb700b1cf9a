package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// Mirrors is what Sync reads repositories through. GitMirrors makes one of a git.Store.
type Mirrors interface {
	// Refresh brings the mirror up to date, unless the remote was asked within maxAge, and returns its head.
	Refresh(ctx context.Context, repo fleet.Repository, maxAge time.Duration) (git.Head, error)
	// Open returns the tree with that object id.
	Open(ctx context.Context, repo fleet.Repository, tree string) Tree
}

// Tree is one tree's files. It is used by one goroutine at a time and closed after use.
type Tree interface {
	// Files lists every file below the tree.
	Files() iter.Seq2[git.Entry, error]
	// Read calls each with every blob's content, in the order of oids; nil for a blob larger than limit.
	Read(oids []string, limit int64, each func(i int, content []byte) error) error
	Close() error
}

// GitMirrors reads repositories through the mirrors of a store.
func GitMirrors(store *git.Store) Mirrors { return gitMirrors{store} }

type gitMirrors struct{ *git.Store }

func (m gitMirrors) Open(ctx context.Context, repo fleet.Repository, tree string) Tree {
	return m.Store.Tree(ctx, repo, tree)
}

// Settings is a repository's .gaggle.yaml, as it stands; package spec reads it.
type Settings struct {
	File string
	Data []byte // nil when the file is too large to be read: then, as with any that cannot be understood, campaigns keep away
}

// Bounds of what is read of one repository.
const (
	maxYAML        = 100_000  // YAML files that Locations can point to
	maxDescriptors = 5_000    // that are read
	maxDescribed   = 32 << 20 // bytes of them
	maxEntities    = 20_000   // that they name
	maxSettings    = 256 << 10
)

var (
	rootDescriptors = []string{"catalog-info.yaml", "catalog-info.yml"}
	settingsFiles   = []string{".gaggle.yaml", ".gaggle.yml"}
)

// reading is what one repository says, before it is held against the others.
type reading struct {
	repo      fleet.Repository
	described []described // components with their paths, languages and owners, and entities
	settings  *Settings
	problems  []fleet.Problem
}

// reader reads one tree.
type reader struct {
	ctx       context.Context
	repo      fleet.Repository
	tree      Tree
	problems  *problems
	yaml      map[string]string // path to object id
	sorted    []string          // its paths
	small     map[string]git.Entry
	dirs      map[string]bool   // every directory
	typical   map[string]string // by directory, a file that is like its others: the first one of code, or else the first
	folders   []string          // those of typical, sorted; nil until they are needed
	languages *languages
	globs     int
	owners    *owners
}

// read reads the tree of a repository. Its error is one of the mirror; all else is a problem in the reading.
func read(ctx context.Context, mirrors Mirrors, repo fleet.Repository) (*reading, error) {
	r := &reader{
		ctx: ctx, repo: repo, tree: mirrors.Open(ctx, repo, repo.Tree), problems: &problems{repository: repo.Name},
		yaml: map[string]string{}, small: map[string]git.Entry{}, dirs: map[string]bool{".": true}, typical: map[string]string{}, languages: newLanguages(),
	}
	defer r.tree.Close()
	if err := r.list(); err != nil {
		return nil, err
	}
	if err := r.languages.decide(r.tree); err != nil {
		return nil, err
	}
	out := &reading{repo: repo}
	var err error
	if out.settings, err = r.settings(); err != nil {
		return nil, err
	}
	if out.described, err = r.descriptors(); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(out.described, func(d described) bool { return d.component != nil }) {
		out.described = append(out.described, described{component: inferred(repo)})
	}
	if err := r.fillIn(out.described); err != nil {
		return nil, err
	}
	out.problems = r.problems.done()
	return out, nil
}

// list walks the tree once and keeps what the rest needs of it.
func (r *reader) list() error {
	wanted := map[string]bool{}
	for _, names := range [][]string{codeownersFiles, settingsFiles} {
		for _, n := range names {
			wanted[n] = true
		}
	}
	code := map[string]bool{}
	for f, err := range r.tree.Files() {
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			return err
		}
		for dir := path.Dir(f.Path); !r.dirs[dir]; dir = path.Dir(dir) {
			r.dirs[dir] = true
		}
		if !f.IsFile() {
			continue
		}
		if wanted[f.Path] {
			r.small[f.Path] = f
		}
		if ext := path.Ext(f.Path); (ext == ".yaml" || ext == ".yml") && fs.ValidPath(f.Path) {
			if len(r.yaml) < maxYAML || !strings.Contains(f.Path, "/") {
				r.yaml[f.Path] = f.OID
			}
		}
		dir := path.Dir(f.Path)
		if r.languages.add(f) && !code[dir] {
			r.typical[dir], code[dir] = f.Path, true
		} else if _, known := r.typical[dir]; !known {
			r.typical[dir] = f.Path
		}
	}
	r.sorted = slices.Sorted(maps.Keys(r.yaml))
	return nil
}

func (r *reader) yamlPaths() []string { return r.sorted }

func (r *reader) isDir(dir string) bool { return r.dirs[dir] }

// first reads the first of the files that is there.
func (r *reader) first(names []string, limit int64) (file string, data []byte, err error) {
	for _, name := range names {
		f, ok := r.small[name]
		if !ok {
			continue
		}
		err := r.tree.Read([]string{f.OID}, limit, func(_ int, content []byte) error {
			data = content
			return nil
		})
		return name, data, err
	}
	return "", nil, nil
}

func (r *reader) settings() (*Settings, error) {
	file, data, err := r.first(settingsFiles, maxSettings)
	if err != nil || file == "" {
		return nil, err
	}
	if data == nil {
		r.problems.add(ProblemSettings, place{file: file}, "", "the file is larger than %d KiB and is not read", maxSettings>>10)
		return &Settings{File: file}, nil
	}
	return &Settings{File: file, Data: data}, nil
}

// descriptors reads the root's descriptor and whatever Locations lead to. Where the root has no Location, every
// catalog-info.yaml counts that is no example, template or somebody else's.
func (r *reader) descriptors() ([]described, error) {
	var all []described
	var budget int64 = maxDescribed
	queued := map[string]bool{}
	var queue []string
	enqueue := func(paths ...string) {
		for _, p := range paths {
			if !queued[p] {
				queued[p] = true
				queue = append(queue, p)
			}
		}
	}
	for _, name := range rootDescriptors {
		if _, ok := r.yaml[name]; ok {
			enqueue(name)
		}
	}
	locations := false
	for round := 0; ; round++ {
		batch := queue
		queue = nil
		if room := max(0, maxDescriptors-len(queued)+len(batch)); len(batch) > room {
			r.problems.add(ProblemTooMany, place{file: batch[room]}, "", "the repository has more than %d descriptors; the others are not read", maxDescriptors)
			batch = batch[:room]
		}
		oids := make([]string, len(batch))
		for i, p := range batch {
			oids[i] = r.yaml[p]
		}
		err := r.tree.Read(oids, maxDescriptor, func(i int, data []byte) error {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			d := &descriptor{file: batch[i], problems: r.problems}
			if budget -= int64(len(data)); data == nil || budget < 0 || len(all) > maxEntities {
				r.problems.add(ProblemTooMany, place{file: batch[i]}, "split the file", "the descriptor, or all of them, are too large to be read")
				return nil
			}
			d.read(data)
			all = append(all, d.found...)
			for _, t := range d.targets {
				locations = true
				enqueue(r.resolve(d.file, t)...)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if round == 0 && !locations {
			enqueue(r.everyDescriptor()...)
		}
		if len(queue) == 0 {
			return all, nil
		}
	}
}

// foreign are folders whose descriptors describe nothing of this repository.
var foreign = map[string]bool{
	"testdata": true, "fixtures": true, "__fixtures__": true, "test-fixtures": true, "node_modules": true, "vendor": true, "third_party": true,
	"template": true, "templates": true, "skeleton": true, "skeletons": true, "examples": true, "example": true, "samples": true,
}

func (r *reader) everyDescriptor() []string {
	var out []string
	for _, p := range r.sorted {
		if !slices.Contains(rootDescriptors, path.Base(p)) {
			continue
		}
		if !slices.ContainsFunc(splitPath(path.Dir(p)), func(s string) bool { return foreign[strings.ToLower(s)] }) {
			out = append(out, p)
		}
	}
	return out
}

// fillIn gives components what the tree says: repository, path, languages, and owners where the descriptor has none.
func (r *reader) fillIn(all []described) error {
	var dirs []string
	needOwner := false
	for _, d := range all {
		if d.entity != nil {
			d.entity.Repository = r.repo.Name
			continue
		}
		c := d.component
		c.Repository = r.repo.Name
		if c.Path = "."; !c.Inferred {
			c.Path = componentPath(d, r.repo, r.isDir, r.problems)
		}
		dirs = append(dirs, c.Path)
		needOwner = needOwner || c.Owner == ""
	}
	if needOwner {
		file, data, err := r.first(codeownersFiles, maxCodeowners)
		if err != nil {
			return err
		}
		if file != "" && data == nil {
			r.problems.add(ProblemCodeowners, place{file: file}, "", "the file is larger than %d MiB and is not read", maxCodeowners>>20)
		}
		r.owners = readOwners(file, data, r.problems)
	}
	languages, bytes := r.languages.of(dirs)
	for _, d := range all {
		if d.component == nil {
			continue
		}
		c := d.component
		c.Bytes = bytes[c.Path]
		if c.Languages = languages[c.Path]; len(c.Languages) > 0 {
			c.Language = c.Languages[0]
		}
		if c.Owner == "" {
			c.Owner = r.owners.ofDir(c.Path, func() []string { return r.samples(c.Path) })
		}
	}
	if r.owners != nil && r.owners.matches >= maxMatches {
		r.problems.add(ProblemTooMany, place{file: r.owners.file}, "write spec.owner into the descriptors", "the rules of CODEOWNERS and the components are too many; some components have no owner")
	}
	return r.ctx.Err()
}

// samples returns typical files of the directories at and below dir, evenly spread.
func (r *reader) samples(dir string) []string {
	if r.folders == nil {
		r.folders = slices.Sorted(maps.Keys(r.typical))
	}
	below := r.folders
	if dir != "." {
		lo, _ := slices.BinarySearch(r.folders, dir+"/")
		hi, _ := slices.BinarySearch(r.folders, dir+"0") // "0" follows "/"
		below = r.folders[lo:hi]
	}
	var out []string
	if f, ok := r.typical[dir]; ok {
		out = append(out, f)
	}
	for i := range min(len(below), ownerSamples) {
		out = append(out, r.typical[below[i*len(below)/min(len(below), ownerSamples)]])
	}
	return out
}

// inferred is the component that a repository is when nothing in it describes one.
func inferred(repo fleet.Repository) *fleet.Component {
	name := componentName(repo.Name)
	return &fleet.Component{Ref: fleet.Ref("component", "", name), Kind: "Component", Namespace: "default", Name: name, Inferred: true}
}

// setAside gives an inferred component the name that is left to it when another repository describes a component of its name.
func setAside(c *fleet.Component) {
	sum := sha256.Sum256([]byte(c.Repository))
	suffix := "-" + hex.EncodeToString(sum[:4])
	c.Name = strings.TrimRight(c.Name[:min(len(c.Name), maxName-len(suffix))], "-_.") + suffix
	c.Ref = fleet.Ref("component", c.Namespace, c.Name)
}

// componentName makes a repository's name one of a component: acme/billing becomes acme-billing.
func componentName(repository string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r)) {
			return r
		}
		return '-'
	}, repository)
	name = cmp.Or(strings.Trim(name, "-_."), "repository")
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(repository))
		name = strings.TrimRight(name[:maxName-9], "-_.") + "-" + fmt.Sprintf("%x", sum[:4])
	}
	return name
}

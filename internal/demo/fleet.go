package demo

import (
	"context"
	"embed"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/tools/txtar"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

//go:embed fleet/*.txtar
var archives embed.FS

// repository is one repository of the demo's fleet.
type repository struct {
	name  string
	about string // why it is there
	files map[string][]byte
}

// repositories reads the archives, in the order of their names.
func repositories() ([]repository, error) {
	names, err := fs.Glob(archives, "fleet/*.txtar")
	if err != nil {
		return nil, err
	}
	all := make([]repository, 0, len(names))
	for _, name := range names {
		data, err := archives.ReadFile(name)
		if err != nil {
			return nil, err
		}
		a := txtar.Parse(data)
		r := repository{name: strings.TrimSuffix(path.Base(name), ".txtar"), files: map[string][]byte{}}
		title, about, _ := strings.Cut(strings.Join(strings.Fields(string(a.Comment)), " "), ": ")
		if title != r.name || about == "" {
			return nil, fleet.Errorf(fleet.CodeInternal, "%s does not begin with what it is for", name)
		}
		r.about = about
		for _, f := range a.Files {
			r.files[f.Name] = f.Data
		}
		all = append(all, r)
	}
	return all, nil
}

// founded is when every repository of the fleet was made, so that they are the same commits on every machine.
var founded = time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)

// plant makes the repositories that are not in dir yet, bare ones, and returns how many it made.
func plant(ctx context.Context, dir string, all []repository) (made int, err error) {
	scratch, err := os.MkdirTemp("", "gaggle-plant-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	store, err := git.Open(git.Config{Dir: scratch})
	if err != nil {
		return 0, err
	}
	var g errgroup.Group
	g.SetLimit(4)
	for _, r := range all {
		at := filepath.Join(dir, r.name+".git")
		if _, err := os.Stat(at); err == nil {
			continue // made by an earlier run, as a whole or not at all
		}
		made++
		g.Go(func() error {
			return store.Make(ctx, at, git.NewRepository{
				Files: r.files, Message: "Move " + r.name + " to git\n\nThe history before stayed where it was.",
				Author: git.Identity{Name: "Ines", Email: "ines@greylag.example"}, Date: founded,
			})
		})
	}
	return made, g.Wait()
}

// standardImports lists the packages of the standard library that the fleet's Go files import, in order.
func standardImports(all []repository) []string {
	seen := map[string]bool{}
	for _, r := range all {
		for name, data := range r.files {
			if path.Ext(name) != ".go" {
				continue
			}
			for _, p := range importsOf(name, data) {
				if first, _, _ := strings.Cut(p, "/"); !strings.Contains(first, ".") {
					seen[p] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// importsOf lists what a Go file imports; nothing when it is not one.
func importsOf(name string, data []byte) []string {
	f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	paths := make([]string, 0, len(f.Imports))
	for _, spec := range f.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

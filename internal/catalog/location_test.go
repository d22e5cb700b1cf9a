package catalog

import (
	"fmt"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func locations(targets ...string) string {
	var b strings.Builder
	b.WriteString("apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec:\n  targets:\n")
	for _, t := range targets {
		fmt.Fprintf(&b, "    - %q\n", t)
	}
	return b.String()
}

func TestLocations(t *testing.T) {
	tree := map[string]string{
		"services/a/catalog-info.yaml": named("a"), "services/b/catalog-info.yaml": named("b"), "services/b/deep/catalog-info.yml": named("deep"),
		"all.yaml": locations("./services/*/catalog-info.yaml", "catalog-info.yaml"), "docs/page.md": "x", "libs/other.yaml": named("lib"), "link.yaml": "link:/etc/passwd",
	}
	for name, c := range map[string]struct{ root, components, problems string }{
		"a path":              {locations("./services/a/catalog-info.yaml"), "a", ""},
		"without a dot":       {locations("services/a/catalog-info.yaml"), "a", ""},
		"from the root":       {locations("/services/a/catalog-info.yaml"), "a", ""},
		"a glob":              {locations("./services/*/catalog-info.yaml"), "a b", ""},
		"a deep glob":         {locations("./services/**/catalog-info.y*ml"), "a b deep", ""},
		"any name":            {locations("./libs/*.yaml"), "lib", ""},
		"chained and circled": {locations("./all.yaml", "./all.yaml"), "a b", ""},
		"a link to itself":    {locations("https://forge.example/acme/mono/blob/main/services/a/catalog-info.yaml"), "a", ""},
		"one target":          {"apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: x}\nspec: {type: file, target: ./libs/other.yaml}\n", "lib", ""},
		"optional":            {"apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: x}\nspec: {target: ./none.yaml, presence: optional}\n", "acme-mono", ""},
		"out":                 {locations("../../x.yaml"), "acme-mono", `6:7 location_target the target "../../x.yaml" leads out of the repository`},
		"out by detour":       {locations("./a/../../x.yaml"), "acme-mono", `6:7 location_target the target "./a/../../x.yaml" leads out of the repository`},
		"missing":             {locations("./none.yaml", "./all.yaml"), "a b", `6:7 location_target there is no YAML file "none.yaml"`},
		"nothing matches":     {locations("./none/*.yaml"), "acme-mono", `6:7 location_target no YAML file matches "./none/*.yaml"`},
		"a symbolic link":     {locations("./link.yaml"), "acme-mono", `6:7 location_target there is no YAML file "link.yaml"`},
		"elsewhere":           {locations("https://evil.example/acme/mono/blob/main/all.yaml"), "acme-mono", `6:7 location_target the target "https://evil.example/acme/mono/blob/main/all.yaml" is outside this repository and is not followed`},
		"file scheme":         {locations("file:///etc/passwd"), "acme-mono", `6:7 location_target the target "file:///etc/passwd" is outside this repository and is not followed`},
		"braces":              {locations("./{a,b}/*.yaml"), "acme-mono", `6:7 location_target "./{a,b}/*.yaml" is not a usable glob`},
		"bad glob":            {locations("./[a"), "acme-mono", `6:7 location_target "./[a" is not a usable glob`},
		"no spec":             {"apiVersion: backstage.io/v1alpha1\nkind: Location\n", "a b deep", "1:1 location_target the location has no spec"},
		"no targets":          {"apiVersion: backstage.io/v1alpha1\nkind: Location\nspec: {type: url}\n", "a b deep", "3:7 location_target the location has no targets"},
		"not a path":          {"apiVersion: backstage.io/v1alpha1\nkind: Location\nspec: {targets: [[x], './all.yaml']}\n", "a b", "3:18 location_target the target is not a path"},
		"not a list":          {"apiVersion: backstage.io/v1alpha1\nkind: Location\nspec: {targets: x}\n", "a b deep", "3:17 location_target targets is a single value"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"catalog-info.yaml": c.root}
			for p, text := range tree {
				files[p] = text
			}
			inv := one(t, files)
			var got []string
			for _, c := range inv.results["acme/mono"].Components {
				got = append(got, c.Name)
			}
			equal(t, "components", strings.Join(got, " "), c.components)
			want := c.problems
			if want != "" {
				want = "acme/mono catalog-info.yaml:" + want
			}
			equal(t, "problems", inv.problems(), want)
		})
	}
}

func TestDescriptorsWithoutALocation(t *testing.T) {
	files := map[string]string{
		"catalog-info.yml": named("root"), "services/a/catalog-info.yaml": named("a"), "services/b/catalog-info.yml": named("b"), "services/b/other.yaml": named("not-read"),
		"templates/x/catalog-info.yaml": doc("metadata: {name: '${{ values.name }}'}"), "pkg/testdata/catalog-info.yaml": "broken: [", "web/node_modules/x/catalog-info.yaml": named("x"),
	}
	equal(t, "components", one(t, files).components(), "acme/mono . root group:default/o\nacme/mono services/a a group:default/o\nacme/mono services/b b group:default/o")
	delete(files, "catalog-info.yml")
	inv := one(t, files)
	equal(t, "components", inv.components(), "acme/mono services/a a group:default/o\nacme/mono services/b b group:default/o")
	equal(t, "problems", inv.problems(), "")
	files["catalog-info.yml"] = named("root") + "---\n" + locations("services/b/other.yaml")
	equal(t, "components", one(t, files).components(), "acme/mono . root group:default/o\nacme/mono services/b not-read group:default/o")
}

func TestReadLink(t *testing.T) {
	github := fleet.Repository{URL: "https://github.com/acme/mono.git", DefaultBranch: "main"}
	ssh := fleet.Repository{URL: "git@gitlab.example:group/sub/mono.git", DefaultBranch: "release/1.x"}
	local := fleet.Repository{URL: "file:///srv/git/mono.git", DefaultBranch: "main"}
	azure := fleet.Repository{URL: "https://dev.azure.com/org/project/_git/mono", DefaultBranch: "main"}
	for _, c := range []struct {
		repo       fleet.Repository
		link, want string // want is "" for another repository, "?" for no link
	}{
		{github, "https://github.com/acme/mono/tree/main/services/a/", "services/a"},
		{github, "https://GitHub.com/Acme/Mono/blob/main/services/a/x.yaml", "services/a/x.yaml"},
		{github, "https://github.com/acme/mono/tree/other/services/a", "services/a"},
		{github, "https://github.com/acme/mono/tree/main", "."},
		{github, "https://github.com/acme/mono", "."},
		{github, "https://github.com/acme/mono/tree/main/../../../etc", "etc"},
		{github, "https://github.com/acme/mono/tree/main/%2e%2e/%2e%2e/etc", "etc"},
		{github, "https://github.com/acme/mono-too/tree/main/a", ""},
		{github, "https://github.com/acme", ""},
		{github, "https://github.com/acme/mono/wiki", ""},
		{github, "https://evil.example/acme/mono/tree/main/a", ""},
		{ssh, "https://gitlab.example/group/sub/mono/-/tree/release/1.x/services/a", "services/a"},
		{ssh, "https://gitlab.example/group/sub/mono/-/blob/main/a.yaml", "a.yaml"},
		{ssh, "https://gitlab.example/group/mono/-/tree/main/a", ""},
		{local, "https://github.com/acme/mono/tree/main/services/a", "services/a"},
		{local, "https://gitea.example/acme/mono/src/branch/main/services/a", "services/a"},
		{local, "https://bitbucket.org/acme/mono/src/main/services/a", "services/a"},
		{local, "https://bb.example/projects/X/repos/mono/browse/services/a", "services/a"},
		{local, "https://github.com/acme/other/tree/main/mono", ""},
		{azure, "https://dev.azure.com/org/project/_git/mono?path=/services/a", "services/a"},
		{github, "ftp://github.com/acme/mono", "?"}, {github, "https://", "?"}, {github, "https://%zz", "?"},
		{fleet.Repository{}, "https://github.com/acme/mono", ""},
	} {
		link, ok := readLink(c.link, c.repo)
		got := link.path
		if !ok {
			got = "?"
		}
		if got != c.want || ok && link.same != (c.want != "") {
			t.Errorf("%s in %s: %+v, want %q", c.link, c.repo.URL, link, c.want)
		}
	}
}

func TestSourceLocations(t *testing.T) {
	for source, c := range map[string]struct{ path, problem string }{
		"url:https://forge.example/acme/mono/tree/main/services/a/": {"services/a", ""},
		"https://forge.example/acme/mono/tree/main/services/a/x.go": {"services/a", ""},
		"dir:../services/a":                    {"services/a", ""},
		"./":                                   {"catalog", ""},
		"/services":                            {"services", ""},
		"dir:.":                                {"catalog", ""},
		"dir:../../services":                   {"catalog", `"../../services" leads out of the repository; the descriptor's folder counts`},
		"dir:/../../etc":                       {"catalog", `"/../../etc" leads out of the repository; the descriptor's folder counts`},
		"url:https://forge.example/acme/other": {"catalog", "the source location points to another repository; the descriptor's folder counts"},
		"url:https://forge.example/acme/mono/tree/main/none": {"catalog", `there is no folder "none"; the descriptor's folder counts`},
		"file:///etc": {"catalog", `"file:///etc" is not understood; the descriptor's folder counts`},
	} {
		inv := one(t, map[string]string{
			"catalog/catalog-info.yaml": doc("metadata:", "  name: a", "  annotations:", "    backstage.io/source-location: "+source, "spec: {owner: o}"),
			"services/a/x.go":           "package a",
		})
		got := inv.results["acme/mono"].Components[0]
		if got.Path != c.path {
			t.Errorf("%s: path %s, want %s", source, got.Path, c.path)
		}
		want := c.problem
		if want != "" {
			want = "acme/mono catalog/catalog-info.yaml:6:35 source_location " + want
		}
		equal(t, source, inv.problems(), want)
		if (c.path == "services/a" || c.path == "services") != (got.Language == "Go") {
			t.Errorf("%s: language %q", source, got.Language)
		}
	}
}

func TestTooManyOfEverything(t *testing.T) {
	files := map[string]string{"catalog-info.yaml": ""}
	var globs []string
	for i := range maxGlobTargets + 20 {
		globs = append(globs, fmt.Sprintf("./x%d/*.yaml", i))
	}
	files["catalog-info.yaml"] = named("root") + "---\n" + locations(append(globs, "./d/**")...)
	for i := range maxDescriptors + 10 {
		files[fmt.Sprintf("d/%05d.yaml", i)] = named(fmt.Sprint("n", i))
	}
	inv := one(t, files)
	r := inv.results["acme/mono"]
	if len(r.Components) != 1 || len(r.Problems) == 0 || len(r.Problems) > maxProblems+1 {
		t.Errorf("%d components, %d problems", len(r.Components), len(r.Problems))
	}
	files["catalog-info.yaml"] = locations("./d/**")
	inv = one(t, files)
	r = inv.results["acme/mono"]
	if len(r.Components) < maxDescriptors-10 || len(r.Components) > maxDescriptors || len(r.Problems) != 1 || r.Problems[0].Code != ProblemTooMany {
		t.Errorf("%d components, %v", len(r.Components), r.Problems)
	}
	inv = one(t, map[string]string{"catalog-info.yaml": named("a") + "#" + strings.Repeat("x", maxDescriptor)})
	equal(t, "too large", inv.problems(), "acme/mono catalog-info.yaml:0:0 too_many the descriptor, or all of them, are too large to be read")
	equal(t, "too large", inv.components(), "acme/mono . acme-mono")
	inv = one(t, map[string]string{"catalog-info.yaml": strings.Repeat("---\nfoo\n", 1000)})
	if n := len(inv.results["acme/mono"].Problems); n != maxProblems+1 {
		t.Errorf("%d problems", n)
	}
}

// A clone on this machine may have another name than the repository that its descriptors speak of: that is no problem.
func TestALocalCloneUnderAnotherName(t *testing.T) {
	p := &problems{}
	d := described{at: place{file: "catalog/catalog-info.yaml"}, source: &value{text: "url:https://forge.example/acme/mono/tree/main/services/a", tag: "!!str"}}
	repo := fleet.Repository{URL: "file:///srv/clones/mono-2", DefaultBranch: "main"}
	if dir := componentPath(d, repo, func(string) bool { return true }, p); dir != "catalog" || len(p.list) != 0 {
		t.Errorf("%s, %v", dir, p.list)
	}
}

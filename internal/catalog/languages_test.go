package catalog

import (
	"fmt"
	"strings"
	"testing"
)

func TestLanguages(t *testing.T) {
	objc := "#import <Foundation/Foundation.h>\n@interface Foo : NSObject\n@end\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"by bytes":           {map[string]string{"a.go": "package a", "b.py": "print(1234567890)", "c.rs": "x"}, "Python,Go,Rust"},
		"by name":            {map[string]string{"Makefile": "all:", "Dockerfile": "FROM scratch as x"}, "Dockerfile,Makefile"},
		"no data, no prose":  {map[string]string{"a.json": "{}", "b.yaml": "a: b", "README.md": "# x", "go.mod": "module x", "LICENSE": "x"}, ""},
		"vendored":           {map[string]string{"vendor/x/a.go": "package a", "node_modules/x/i.js": "x()", "web/dist/jquery-3.1.js": "x", "a.ts": "x"}, "TypeScript"},
		"generated":          {map[string]string{"a.pb.go": "package a", "b.go": "x", "package-lock.json": "{}", "node.min.js": "x"}, "Go"},
		"dot files":          {map[string]string{".eslintrc.js": "module.exports = {}", "a.rb": "x"}, "Ruby"},
		"headers by content": {map[string]string{"a.h": objc, "b.m": objc}, "Objective-C"},
		"scripts":            {map[string]string{"bin/run": "exec:#!/usr/bin/env python3\nprint()", "bin/notes": "not executable"}, "Python"},
		"the usual language": {map[string]string{"a.ts": "const xyz = 1", "b.cs": "class X {}", "c.php": "<?php", "d.tsx": "<a/>"}, "TypeScript,C#,PHP,TSX"},
		"links":              {map[string]string{"a.go": "link:b.py"}, ""},
		"empty":              {map[string]string{"a.go": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(one(t, c.files).results["acme/mono"].Components[0].Languages, ",")
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Ambiguous files are decided by a bounded number of samples; the others follow the majority.
func TestAmbiguousExtensionsCostABoundedNumberOfReads(t *testing.T) {
	files := map[string]string{}
	for i := range 500 {
		files[fmt.Sprintf("d%d/a.pl", i)] = "#!/usr/bin/perl\nuse strict;\nmy $x = 1;\n"
	}
	l := newLanguages()
	tree := &countingTree{fakeTree: files}
	for f := range tree.Files() {
		l.add(f)
	}
	if err := l.decide(tree); err != nil {
		t.Fatal(err)
	}
	if got, bytes := l.of([]string{"."}); len(got["."]) != 1 || got["."][0] != "Perl" || bytes["."] != 19500 || tree.reads != maxSamples {
		t.Errorf("%v of %v bytes after %d reads", got, bytes, tree.reads)
	}
}

type countingTree struct {
	fakeTree
	reads int
}

func (c *countingTree) Read(oids []string, limit int64, each func(int, []byte) error) error {
	c.reads += len(oids)
	return c.fakeTree.Read(oids, limit, each)
}

func TestEachComponentHasItsOwnLanguages(t *testing.T) {
	inv := one(t, map[string]string{
		"catalog-info.yaml": named("root"), "main.go": "package main", "tools/x.go": "package x",
		"services/a/catalog-info.yaml": named("a"), "services/a/src/app.py": "print(12345678901234567890)", "services/ab/x.rs": "fn x() {}",
	})
	equal(t, "components", inv.components(), `
acme/mono . root group:default/o Go,Rust
acme/mono services/a a group:default/o Python`)
}

func BenchmarkLanguages(b *testing.B) {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("internal/pkg%d/file%d.go", i/20, i)] = "x"
	}
	for b.Loop() {
		l := newLanguages()
		for f := range fakeTree(files).Files() {
			l.add(f)
		}
	}
}

package internal_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryDependencyHasItsReason holds ARCHITECTURE.md's list to go.mod: a module that is required directly stands there with why, and
// nothing stands there that is not.
func TestEveryDependencyHasItsReason(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Dependencies")
	var listed, required []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\S.*?) \| `).FindAllStringSubmatch(table, -1) {
		if row[1] == "module" {
			continue
		}
		cell := regexp.MustCompile(`\(.*?\)|\bwith\b`).ReplaceAllString(row[1], ",")
		if root, names, ok := strings.Cut(cell, "{"); ok {
			for name := range strings.SplitSeq(strings.TrimSuffix(names, "}"), ",") {
				listed = append(listed, root+name)
			}
			continue
		}
		for name := range strings.SplitSeq(cell, ",") {
			if name = strings.TrimSpace(name); name != "" {
				listed = append(listed, name)
			}
		}
	}
	version := regexp.MustCompile(`/v[0-9]+$`)
	for i := range listed {
		listed[i] = version.ReplaceAllString(listed[i], "")
	}
	for line := range strings.Lines(string(mod)) {
		path, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, "\t") || strings.Contains(rest, "// indirect") {
			continue
		}
		name := version.ReplaceAllString(strings.TrimPrefix(path, "github.com/"), "")
		if strings.HasPrefix(name, "riverqueue/river/") {
			continue // released with the module above
		}
		required = append(required, name)
		if !slices.Contains(listed, name) {
			t.Errorf("%s is required, and ARCHITECTURE.md does not say why", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(required, name) {
			t.Errorf("ARCHITECTURE.md gives a reason for %s, which is not required", name)
		}
	}
}

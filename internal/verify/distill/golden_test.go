package distill_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gaggle/internal/verify/distill"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A case is testdata/TOOL/NAME.out, what the tool really printed with its repository at /srv/work, and NAME.want: a
// header with the exit status and the folder it ran in, then what is made of it.
type golden struct {
	name string
	in   distill.Input
	want string
}

func corpus(t testing.TB) []golden {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.out")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d captures, %v", len(files), err)
	}
	var all []golden
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".out") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		g := golden{name: strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".out"), want: string(want)}
		g.in = distill.Input{Tool: filepath.Base(filepath.Dir(file)), Text: text, Root: "/srv/work", Modules: map[string]string{"example.org/shop": "."}}
		if _, err := fmt.Sscanf(string(want), "exit: %d\ndir: %s\n", &g.in.Exit, &g.in.Dir); err != nil {
			t.Fatalf("%s: header: %v", file, err)
		}
		all = append(all, g)
	}
	return all
}

func render(in distill.Input) string {
	var b strings.Builder
	fmt.Fprintf(&b, "exit: %d\ndir: %s\n\n", in.Exit, in.Dir)
	if in.Exit == 0 {
		fmt.Fprintln(&b, distill.Passed(in))
		return b.String()
	}
	if what, line, ok := distill.Missing(in); ok {
		fmt.Fprintf(&b, "missing: %s\n%s\n", what, line)
		return b.String()
	}
	failures, unread := distill.Failures(in)
	for _, line := range distill.Render(failures, unread, distill.MaxLines) {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b, "\nkeys:")
	for _, f := range failures {
		fmt.Fprintln(&b, f.Key)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, g := range corpus(t) {
		t.Run(g.name, func(t *testing.T) {
			got := render(g.in)
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", g.name+".want"), []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(g.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if gone := strings.Contains(got, "missing: "); gone != (strings.Contains(g.name, "/missing-") || strings.HasSuffix(g.name, "-deps")) {
				t.Errorf("missing: %v", gone)
			}
		})
	}
}

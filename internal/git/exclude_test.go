package git_test

import "testing"

// What is excluded is not taken, in whatever folder; what the base holds is, and so is all else. Reset keeps to it.
func TestExclude(t *testing.T) {
	src := newSource(t, map[string]string{"a": "1\n", "target/kept": "1\n"})
	s := newStore(t)
	c := checkout(t, s, src.repo())
	for range 2 {
		if err := c.Exclude([]string{"/**/target/", "/*.log"}); err != nil {
			t.Fatal(err)
		}
		write(t, c.Tree, map[string]string{"target/kept": "2\n", "target/new": "x\n", "deep/target/new": "x\n", "x.log": "x\n", "deep/x.log": "x\n", "b": "x\n"})
		var got []string
		for _, f := range snapshot(t, c).Files {
			got = append(got, f.Path)
		}
		if len(got) != 3 || got[0] != "b" || got[1] != "deep/x.log" || got[2] != "target/kept" {
			t.Fatalf("%q", got)
		}
		if err := c.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write(t, c.Tree, map[string]string{"x.log": "x\n"})
	if got := snapshot(t, c).Files; len(got) != 0 {
		t.Errorf("after Reset: %+v", got)
	}
}

package spec

import (
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// TestEveryVisibleCharacterIsFound writes a text in each of YAML's styles, folded and indented as the emitter likes, and
// asks for the place of each of its characters.
func TestEveryVisibleCharacterIsFound(t *testing.T) {
	styles := []yaml.Style{0, yaml.LiteralStyle, yaml.FoldedStyle, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle}
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z'"\\:#,{}é☃&|]{1,12}`), 1, 40).Draw(t, "words")
		text := ""
		for _, w := range words {
			text += w + rapid.SampledFrom([]string{" ", " ", " ", "\n", "\n\n", "  ", "\t"}).Draw(t, "space")
		}
		text = strings.TrimSpace(text)
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: rapid.SampledFrom(styles).Draw(t, "style")}
		tree := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
			{Kind: yaml.ScalarNode, Value: "outer"},
			{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "key"}, node}},
		}}
		data, err := yaml.Marshal(tree)
		if err != nil {
			t.Skip(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(data, &doc); err != nil {
			t.Skip(err)
		}
		src := newSource(data)
		read := doc.Content[0].Content[1].Content[1]
		for i, r := range []rune(read.Value) {
			if unicode.IsSpace(r) {
				continue
			}
			at := src.within(read, i)
			found := []rune(src.line(at.line))[at.column-1]
			if found != r && found != '\\' {
				t.Fatalf("character %d, %q, is said to be at %v, where %q stands, in\n%s", i, r, at, found, data)
			}
		}
	})
}

func TestWithinFallsBack(t *testing.T) {
	src := newSource([]byte("a: b\n"))
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: "xyz", Line: 1, Column: 4}
	if at := src.within(n, 2); at != (position{1, 4}) {
		t.Errorf("a text that is not there is at %v", at)
	}
	n.Line = 99
	if at := src.within(n, 2); at != (position{99, 4}) {
		t.Errorf("a line that is not there is at %v", at)
	}
}

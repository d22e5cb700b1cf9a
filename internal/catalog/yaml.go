package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"gaggle/internal/spec"
)

// Bounds of what is read of descriptors. Real ones are a few kilobytes, an API's definition now and then a megabyte.
const (
	maxDescriptor = 2 << 20 // bytes of one file
	maxNodes      = 100_000 // of one document, aliases written out
	maxNesting    = 100
)

// yamlDocument is one document of a file, on its own: a broken one does not hide its neighbours.
type yamlDocument struct {
	text  []byte
	first int // line of the file that the text begins on, 1-based
}

// splitDocuments cuts a file at its document markers. These stand at the start of a line and nowhere else: not even a
// block scalar may hold one.
func splitDocuments(data []byte) []yamlDocument {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var docs []yamlDocument
	start, first, line := 0, 1, 0
	end := func(at int) {
		if text := data[start:at]; !hollow(text) {
			docs = append(docs, yamlDocument{text, first})
		}
	}
	for at := 0; at < len(data); {
		line++
		next := len(data)
		if n := bytes.IndexByte(data[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		switch l := data[at:next]; {
		case marker(l, "---"):
			end(at)
			start, first = at, line
		case marker(l, "..."):
			end(at)
			start, first = next, line+1
		}
		at = next
	}
	end(len(data))
	return docs
}

func marker(line []byte, mark string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(mark))
	return ok && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' || rest[0] == '\n')
}

// hollow reports whether a text has nothing but markers, comments, directives and blank lines.
func hollow(text []byte) bool {
	for line := range bytes.Lines(text) {
		if marker(line, "---") {
			line = line[3:]
		} else if bytes.HasPrefix(line, []byte("%")) {
			continue
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// value is a node of a document with aliases and merge keys written out. Lines are those of the file.
type value struct {
	kind   valueKind
	line   int
	column int
	text   string // of a scalar
	tag    string // of a scalar, such as "!!str"
	keys   []string
	fields map[string]*value // of a mapping
	items  []*value          // of a sequence
}

type valueKind uint8

const (
	scalarValue valueKind = iota
	mappingValue
	sequenceValue
)

// words for messages
func (k valueKind) String() string { return [...]string{"a single value", "a mapping", "a list"}[k] }

// field returns a mapping's field, or nil; null counts as not there.
func (v *value) field(key string) *value {
	if v == nil || v.fields == nil {
		return nil
	}
	if f := v.fields[key]; f != nil && !f.null() {
		return f
	}
	return nil
}

func (v *value) null() bool { return v.kind == scalarValue && v.tag == "!!null" }

// parse reads the document. Its problems are added with their places; nil means that nothing of it can be used.
func (d yamlDocument) parse(file string, p *problems) *value {
	var root yaml.Node
	if err := yaml.Unmarshal(d.text, &root); err != nil {
		e := spec.SyntaxError(file, d.text, err)
		p.add(ProblemDescriptor, place{file, e.Line + d.first - 1, e.Column}, e.Hint, "%s", e.Message)
		return nil
	}
	if len(root.Content) == 0 {
		return nil
	}
	w := &writeOut{file: file, shift: d.first - 1, problems: p}
	v := w.node(root.Content[0], 0)
	if w.excess != "" {
		p.add(ProblemDescriptor, place{file, root.Content[0].Line + w.shift, root.Content[0].Column}, "split the document", "the document %s", w.excess)
		return nil
	}
	return v
}

// writeOut turns a parsed document into values.
type writeOut struct {
	file     string
	shift    int
	problems *problems
	nodes    int
	excess   string
}

func (w *writeOut) node(n *yaml.Node, depth int) *value {
	if w.nodes++; w.nodes > maxNodes {
		w.excess = fmt.Sprintf("has more than %d values once its aliases are written out", maxNodes)
	} else if depth > maxNesting {
		w.excess = fmt.Sprintf("is nested more than %d levels deep", maxNesting)
	}
	if w.excess != "" {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		v := w.node(n.Alias, depth+1)
		if v != nil {
			v.line, v.column = n.Line+w.shift, n.Column
		}
		return v
	}
	v := &value{line: n.Line + w.shift, column: n.Column}
	switch n.Kind {
	case yaml.MappingNode:
		v.kind, v.fields = mappingValue, map[string]*value{}
		w.mapping(v, n, depth)
	case yaml.SequenceNode:
		v.kind = sequenceValue
		for _, c := range n.Content {
			v.items = append(v.items, w.node(c, depth+1))
		}
	default:
		v.text, v.tag = n.Value, n.ShortTag()
	}
	return v
}

func (w *writeOut) mapping(v *value, n *yaml.Node, depth int) {
	var merged []*value
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		at := place{w.file, n.Content[i].Line + w.shift, n.Content[i].Column}
		item := w.node(n.Content[i+1], depth+1)
		switch _, twice := v.fields[k.Value]; {
		case item == nil: // too much
		case k.Kind != yaml.ScalarNode:
			w.problems.add(ProblemField, at, "keys are single words", "the key is no text")
		case k.ShortTag() == "!!merge":
			merged = append(merged, item)
		case twice:
			w.problems.add(ProblemField, at, "remove one of the two; the first counts", "the key %s stands twice", quote(k.Value))
		default:
			v.keys = append(v.keys, k.Value)
			v.fields[k.Value] = item
		}
	}
	for _, m := range merged { // what is written out wins, and the first of several merged mappings
		from := []*value{m}
		if m.kind == sequenceValue {
			from = m.items
		}
		for _, f := range from {
			for _, key := range f.keys {
				if _, there := v.fields[key]; !there {
					v.keys = append(v.keys, key)
					v.fields[key] = f.fields[key]
				}
			}
		}
	}
}

// appendJSON writes the value as JSON, with keys in the order of the file.
func (v *value) appendJSON(b []byte) []byte {
	switch v.kind {
	case mappingValue:
		b = append(b, '{')
		for i, k := range v.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = v.fields[k].appendJSON(b)
		}
		return append(b, '}')
	case sequenceValue:
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	}
	switch v.tag {
	case "!!null":
		return append(b, "null"...)
	case "!!bool":
		if text := strings.ToLower(v.text); text == "true" || text == "false" {
			return append(b, text...)
		}
	case "!!int", "!!float":
		if json.Valid([]byte(v.text)) {
			return append(b, v.text...)
		}
	}
	return appendString(b, v.text)
}

func appendString(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string always can be
	return append(b, text...)
}

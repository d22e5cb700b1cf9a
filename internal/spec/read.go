package spec

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// field is one row of a table of keys: everything that the parser and the JSON Schema know about one key.
type field struct {
	path     string // dotted, such as "limits.rounds"
	kind     kind
	into     any    // pointer that kind.read fills; nil for a group
	def      string // the default, written as in a file; "" for none
	doc      string // for editors
	must     bool
	short    string                  // group: the key that a bare value stands for
	oneOf    []string                // the only values
	min, max float64                 // of numbers; both 0 for no bounds
	pattern  string                  // for the schema: what check accepts, roughly
	check    func(text string) *flaw // of a text, or of each text of a list
}

// flaw is what is wrong with a text, and at which character of it.
type flaw struct {
	offset    int
	why, hint string
}

// kind is how a value is read, and how the JSON Schema describes it.
type kind struct {
	read   func(r *reader, n *yaml.Node, f *field)
	schema func(f *field) map[string]any
}

// branch is a table of keys as a tree.
type branch struct {
	name     string
	field    field // zero for a group that the table does not describe
	children []*branch
}

func (b *branch) child(name string) *branch {
	for _, c := range b.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (b *branch) names() []string {
	names := make([]string, len(b.children))
	for i, c := range b.children {
		names[i] = c.name
	}
	return names
}

// grow turns a table into a tree, in the table's order.
func grow(fields []field) *branch {
	root := &branch{}
	for _, f := range fields {
		at := root
		for name := range strings.SplitSeq(f.path, ".") {
			next := at.child(name)
			if next == nil {
				next = &branch{name: name}
				at.children = append(at.children, next)
			}
			at = next
		}
		at.field = f
	}
	return root
}

// reader walks a file's tree beside a table's tree.
type reader struct {
	problems
	src  *source
	set  map[string]*yaml.Node // by path: the value where a key stands in the file
	root *branch
}

// read fills everything that the table points to: with its default, then with what the file says.
func (r *reader) read(n *yaml.Node, fields []field) {
	r.root, r.set = grow(fields), map[string]*yaml.Node{}
	for i := range fields {
		if f := &fields[i]; f.def != "" {
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(f.def), &doc); err == nil {
				f.kind.read(r, doc.Content[0], f)
			}
		}
	}
	r.group(n, r.root, "")
}

// group reads a mapping.
func (r *reader) group(n *yaml.Node, b *branch, path string) {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && b.field.short != "" {
		r.value(n, b.child(b.field.short), join(path, b.field.short))
		return
	}
	if n.Kind != yaml.MappingNode {
		where := "the file"
		if path != "" {
			where = path
		}
		r.add(start(n), "write keys below it: "+strings.Join(b.names(), ", "), "%s is a mapping, not %s", where, describe(n))
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			continue // reported with the anchors
		}
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			r.add(start(key), "one of "+strings.Join(b.names(), ", "), "a key is plain text, not %s", describe(key))
			continue
		}
		if first := seen[key.Value]; first != nil {
			r.add(start(key), "remove one of the two", "%s stands twice; first on line %d", join(path, key.Value), first.Line)
			continue
		}
		seen[key.Value] = key
		c := b.child(key.Value)
		if c == nil {
			hint := ""
			if len(r.list) < maxProblems { // nobody sees the others
				hint = r.keyHint(key.Value, b, path)
			}
			r.add(start(key), hint, "unknown key %q%s", clip(key.Value), in(path))
			continue
		}
		r.value(value, c, join(path, c.name))
	}
	for _, c := range b.children {
		if c.field.must && seen[c.name] == nil {
			r.add(start(n), c.field.doc, "%s is missing", join(path, c.name))
		}
	}
}

func (r *reader) value(n *yaml.Node, b *branch, path string) {
	r.set[path] = n
	if n.Kind == yaml.AliasNode {
		return // reported with the anchors
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		r.add(start(n), "give it one, or leave the key out", "%s has no value", path)
		return
	}
	if len(b.children) > 0 {
		r.group(n, b, path)
		return
	}
	b.field.kind.read(r, n, &b.field)
}

// keyHint says which key was meant: one beside it, or one of that name elsewhere.
func (r *reader) keyHint(word string, b *branch, path string) string {
	if hint := didYouMean(word, b.names()); hint != "" {
		return hint
	}
	var elsewhere func(at *branch, path string) string
	elsewhere = func(at *branch, path string) string {
		for _, c := range at.children {
			full := join(path, c.name)
			if squash(c.name) == squash(word) {
				return full
			}
			if found := elsewhere(c, full); found != "" {
				return found
			}
		}
		return ""
	}
	if full := elsewhere(r.root, ""); full != "" && full != path {
		return "the key of that name is " + full
	}
	return "known here: " + strings.Join(b.names(), ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

// clip keeps a message short when the file is not what it should be.
func clip(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// describe names what stands where something else was expected.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!str":
		return "the text " + quote(n.Value)
	case n.Tag == "!!int", n.Tag == "!!float":
		return "the number " + clip(n.Value)
	case n.Tag == "!!null":
		return "nothing"
	}
	return clip(n.Value)
}

func quote(text string) string { return `"` + clip(strings.ReplaceAll(text, "\n", " ")) + `"` }

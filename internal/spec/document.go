package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a campaign file and a .gaggle.yaml. Real ones are a few kilobytes, prompts included.
const maxFile = 256 << 10

// maxRetries bounds the bytes that are parsed again to find the line of a syntax error.
const maxRetries = 1 << 20

// document parses data into one tree, or reports why it cannot and returns nil; an empty file gives nil and no report. Anchors, aliases and tags are reported
// too; they stay in the tree, unexpanded, so that what else is wrong can be found.
func document(p *problems, data []byte) (*yaml.Node, *source) {
	if len(data) > maxFile {
		p.add(position{1, 1}, "keep long programs in a file of their own and name it by change.script",
			"the file is larger than %d KiB", maxFile>>10)
		return nil, nil
	}
	if at, what := badText(data); what != "" {
		p.add(at, "save the file as UTF-8 text", "%s", what)
		return nil, nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	src := newSource(data)
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		p.syntax(src, data, err)
		return nil, nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil && !empty(&second) {
		p.add(start(second.Content[0]), "put each in a file of its own", "a second document starts here")
	} else if err != nil && !errors.Is(err, io.EOF) {
		p.syntax(src, data, err)
		return nil, nil
	}
	p.subset(&doc)
	if empty(&doc) {
		return nil, nil
	}
	return doc.Content[0], src
}

func empty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Tag == "!!null"
}

// badText finds the first thing that no text file holds. YAML's own message has no position for it.
func badText(data []byte) (position, string) {
	at := position{1, 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return at, fmt.Sprintf("byte 0x%02X is not UTF-8", data[i])
		case r == '\r' && i+1 < len(data) && data[i+1] == '\n':
		case r == '\r', r == 0x85, r == 0x2028, r == 0x2029:
			return at, fmt.Sprintf("U+%04X ends a line for YAML, but for no editor", r)
		case r < ' ' && r != '\t' && r != '\n', r >= 0x7f && r < 0xa0:
			return at, fmt.Sprintf("control character U+%04X", r)
		case r == '\n':
			at = position{at.line + 1, 0}
		}
		at.column++
		i += size
	}
	return position{}, ""
}

// subset reports every construct that this package does not read, and lets nothing else be said of it.
func (p *problems) subset(n *yaml.Node) {
	if p.shut == nil {
		p.shut = map[position]bool{}
	}
	refuse := func(n *yaml.Node, hint, format string, args ...any) {
		p.add(start(n), hint, format, args...)
		p.shut[start(n)] = true
	}
	switch {
	case n.Kind == yaml.AliasNode:
		refuse(n, "write the value out", "aliases such as *%s are not read here", clip(n.Value))
	case n.Anchor != "":
		refuse(n, "write the value out where it is needed", "anchors such as &%s are not read here", clip(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		refuse(n, "leave the tag out; quote the value to make it text", "tags such as %s are not read here", clip(n.Tag))
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Tag == "!!merge" {
			refuse(c, "write the keys out", "merge keys (<<) are not read here")
			continue
		}
		p.subset(c)
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax reports what the YAML parser could not read. Its own line is that of the construct's start, or one less, and
// it has no column; so the line is looked for: it is the first one after the longest beginning of the file that does read.
func (p *problems) syntax(src *source, data []byte, err error) {
	message := err.Error()
	at := position{1, 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		at.line, _ = strconv.Atoi(m[1])
	}
	if line := firstBad(src, data); line > 0 {
		at.line = line
	}
	at.line = min(max(at.line, 1), len(src.lines))
	text := src.line(at.line)
	indent := len(text) - len(strings.TrimLeft(text, " "))
	at.column = utf8.RuneCountInString(text[:indent]) + 1
	column := func(i int) {
		if i >= 0 {
			at.column = utf8.RuneCountInString(text[:i]) + 1
		}
	}
	hint := "check the indentation, the quotes and the brackets around here"
	switch {
	case strings.HasPrefix(text[indent:], "\t"):
		message, hint = "a tab is used for indentation", "indent with spaces"
	case strings.HasPrefix(message, "mapping values are not allowed"):
		message, hint = `a second ": " stands where no key can be`, "quote the value, or check the indentation of this line"
		if first := strings.Index(text, ": "); first >= 0 {
			if second := strings.Index(text[first+1:], ": "); second >= 0 {
				column(first + 1 + second)
			}
		}
	case strings.HasPrefix(message, "did not find expected key"), strings.HasPrefix(message, "could not find expected ':'"):
		message, hint = "no key is found where one is expected", `a key is followed by ": " and stands as far in as its neighbours; quote a value that holds : or #`
	case strings.HasPrefix(message, "found character that cannot start any token"):
		message, hint = "a character stands here that begins no value", "quote the value"
	case strings.HasPrefix(message, "found unexpected end of stream"):
		message, hint = "a quote is not closed", `close it with the same ' or "; inside '…' write '' for '`
		column(strings.IndexAny(text, `'"`))
	case strings.HasSuffix(message, "',' or '}'"):
		message, hint = "no , or } is found where one is expected", "is this { closed?"
		column(strings.LastIndexByte(text, '{'))
	case strings.HasSuffix(message, "',' or ']'"):
		message, hint = "no , or ] is found where one is expected", "is this [ closed?"
		column(strings.LastIndexByte(text, '['))
	}
	p.add(at, hint, "not YAML: %s", message)
}

// firstBad returns the line after the longest beginning of whole lines that parses, or 0 when looking costs too much.
func firstBad(src *source, data []byte) int {
	offsets := []int{0}
	for i, b := range data {
		if b == '\n' {
			offsets = append(offsets, i+1)
		}
	}
	spent := 0
	for good := len(offsets) - 1; good > 0; good-- {
		if spent += offsets[good]; spent > maxRetries {
			return 0
		}
		dec := yaml.NewDecoder(bytes.NewReader(data[:offsets[good]]))
		var err error
		for n := 0; err == nil && n < 3; n++ {
			err = dec.Decode(new(yaml.Node))
		}
		if err == nil || errors.Is(err, io.EOF) {
			return min(good+1, len(src.lines))
		}
	}
	return 1
}

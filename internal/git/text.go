package git

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"
)

// Text returns the change from the base to a tree of this checkout for a reader, who gets to see what is text even
// where the repository's attributes, or a NUL byte in it, make it binary for git. What really is binary is named with its
// size. It is not for git apply.
func (c *Checkout) Text(ctx context.Context, tree string) ([]byte, error) {
	ctx, cancel := c.patience(ctx)
	defer cancel()
	text, err := c.text(ctx, tree)
	return text, classify(err, "the diff of "+clean(c.repo.Name)+" could not be made")
}

func (c *Checkout) text(ctx context.Context, tree string) ([]byte, error) {
	if tree == c.BaseTree {
		return nil, nil
	}
	d, err := c.compare(ctx, tree)
	if err != nil {
		return nil, err
	}
	binary := false
	for _, f := range d.change.Files {
		binary = binary || f.Binary
	}
	if !binary {
		return d.patch, nil
	}
	all, err := c.diffTree(ctx, tree, "--patch", "--text")
	if err != nil {
		return nil, err
	}
	return readable(all, d.change.Files)
}

// readable replaces the parts of a --text diff whose content nobody can read. Parts and files come in one order; a
// file that became a link, or the other way round, has two parts.
func readable(diff []byte, files []FileChange) ([]byte, error) {
	var out bytes.Buffer
	parts := splitDiff(diff)
	for _, f := range files {
		n := 1
		if f.Status == "T" {
			n = 2
		}
		if n > len(parts) {
			return nil, fmt.Errorf("git diff-tree printed fewer files than it listed")
		}
		for _, part := range parts[:n] {
			head, body := part, []byte(nil)
			if at := bytes.Index(part, []byte("\n@@ ")); at >= 0 {
				head, body = part[:at+1], part[at+1:]
			}
			if !f.Binary || mostlyText(body) {
				out.Write(part)
				continue
			}
			out.Write(head)
			fmt.Fprintf(&out, "Binary content is not shown: %d bytes of differences in %s\n", len(body), show(f.Path))
		}
		parts = parts[n:]
	}
	if len(parts) > 0 {
		return nil, fmt.Errorf("git diff-tree printed more files than it listed")
	}
	return out.Bytes(), nil
}

// splitDiff cuts a diff before each file. Every line of content starts with a space, +, - or \, so nothing that a
// file holds looks like a header, except after a bare carriage return, which is no line end here.
func splitDiff(diff []byte) [][]byte {
	var parts [][]byte
	start := 0
	for at := 0; at < len(diff); {
		next := bytes.IndexByte(diff[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
		if bytes.HasPrefix(diff[at:], []byte("diff --git ")) {
			parts = append(parts, diff[start:at])
			start = at
		}
	}
	if start < len(diff) {
		parts = append(parts, diff[start:])
	}
	return parts
}

// mostlyText reports whether a reader would make sense of the content: nine characters in ten are printable.
func mostlyText(body []byte) bool {
	good, all := 0, 0
	for len(body) > 0 {
		r, n := utf8.DecodeRune(body)
		all += n
		if r != utf8.RuneError && (r >= ' ' && r != 0x7f || r == '\n' || r == '\t' || r == '\r') {
			good += n
		}
		body = body[n:]
	}
	return good*10 >= all*9
}

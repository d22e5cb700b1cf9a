package distill

import (
	"regexp"
	"strings"
)

// located matches "file:line[:column]: message" as compilers and most linters print it.
var located = regexp.MustCompile(`^\s*(?:\[?(?i:error|fatal|vet)\]?:?\s+)?((?:file://)?(?:[A-Za-z]:)?[^\s:()'"<>|]+\.[A-Za-z][A-Za-z0-9_+]{0,11}|(?:\S*/)?(?:Makefile|Dockerfile|GNUmakefile)):(\d+)(?::(\d+))?:?\s+(.+)$`)

var mild = regexp.MustCompile(`^(?i:(\[?(warning|warn|note|info|hint|remark|debug|notice)\b|in file included|in function))`)

// readLocated takes every line that names a place and does not call itself a warning.
func readLocated(d *document) {
	for i, line := range d.lines {
		if d.used[i] {
			continue
		}
		m := located.FindStringSubmatch(line)
		if m == nil || mild.MatchString(m[4]) || strings.HasSuffix(m[4], "(warning)") {
			continue
		}
		d.place(i, d.file(m[1]), m[2], m[3], m[4])
	}
}

// place records a message at a place. Its key leaves the line out.
func (d *document) place(at int, file, line, column, message string, detail ...string) {
	where := file + ":" + line
	if column != "" {
		where += ":" + column
	}
	d.add(at, file+": "+message, where+": "+message, detail...)
	d.use(at, at+1)
}

// complaint matches a line that by its words says what went wrong.
var complaint = regexp.MustCompile(`(?i)\b(error|fatal|failed|failure|cannot|can't|could not|couldn't|not found|no such|undefined|unresolved|exception|denied|invalid|unexpected|missing|unable to|panic|traceback|abort(ed)?|assertion)\b`)

var mercy = regexp.MustCompile(`(?i)\b(0|no) (errors?|fail(ed|ures?))\b|\bfailed[:=] ?0\b|^\s*(ok|pass(ed)?|✓|✔)\b|^\s*\[?(info|debug|warn(ing)?)\b|npm (warn|notice)`)

var digits = regexp.MustCompile(`\d+`)

// readRest stands in when nobody recognised anything: the lines that complain, else the last ones.
func readRest(d *document) {
	clear(d.owner)
	var said []int
	for i, line := range d.lines {
		if complaint.MatchString(line) && !mercy.MatchString(line) {
			said = append(said, i)
		}
	}
	const most = 20
	if len(said) > most { // the first ones name the cause, the last ones the end
		said = append(said[:most/2], said[len(said)-most/2:]...)
	}
	if len(said) == 0 {
		for i := len(d.lines) - 1; i >= 0 && len(said) < 10; i-- {
			if strings.TrimSpace(d.lines[i]) != "" {
				said = append([]int{i}, said...)
			}
		}
	}
	for _, i := range said {
		d.add(i, "output: "+digits.ReplaceAllString(strings.TrimSpace(d.lines[i]), "#"), d.lines[i])
	}
	if len(d.found) == 0 {
		d.add(0, "silent", "it failed and printed nothing")
	}
}

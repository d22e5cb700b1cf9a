package catalog

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"gaggle/internal/fleet"
)

// maxList bounds a list of repositories; 100,000 lines are a few megabytes.
const maxList = 64 << 20

// readList reads a file with one clone URL a line, each with an optional name= and forge=, blank lines and # comments.
// shown is how problems call the file.
func readList(shown, path string, p *problems) ([]candidate, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxList+1))
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "%w", err)
	}
	if len(data) > maxList || bytes.IndexByte(data, 0) >= 0 {
		return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: shown + " is not a list of clone URLs", Hint: "name a folder of repositories, or a text file with one clone URL a line"}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	return parseList(shown, filepath.Dir(path), string(data), p), nil
}

// word is a part of a line with its column, 1-based, in characters.
type word struct {
	text   string
	column int
}

// words splits a line at white space; a word that begins with # starts a comment.
func words(line string) []word {
	var out []word
	for at := 0; at < len(line); {
		rest := line[at:]
		skip := len(rest) - len(strings.TrimLeft(rest, " \t\r\f\v"))
		at += skip
		if rest = rest[skip:]; rest == "" || rest[0] == '#' {
			break
		}
		n := strings.IndexAny(rest, " \t\r\f\v")
		if n < 0 {
			n = len(rest)
		}
		out = append(out, word{rest[:n], utf8.RuneCountInString(line[:at]) + 1})
		at += n
	}
	return out
}

func parseList(shown, dir, text string, p *problems) []candidate {
	var found []candidate
	lines := map[string]int{} // of a URL
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		ws := words(line)
		if len(ws) == 0 {
			continue
		}
		bad := func(w word, hint, format string, args ...any) {
			p.add(ProblemList, place{shown, number, w.column}, hint, format, args...)
		}
		c, err := listed(dir, ws[0].text)
		if err != nil {
			bad(ws[0], fleet.HintOf(err), "%s", err.Error())
			continue
		}
		c.at = place{shown, number, ws[0].column}
		if first, twice := lines[c.url]; twice {
			bad(ws[0], "remove one of the two", "this repository stands on line %d already", first)
			continue
		}
		if c.option(ws[1:], bad) {
			lines[c.url] = number
			found = append(found, c)
		}
	}
	return found
}

// option reads name= and forge=, and reports whether the line is sound.
func (c *candidate) option(ws []word, bad func(w word, hint, format string, args ...any)) bool {
	for _, w := range ws {
		key, value, _ := strings.Cut(w.text, "=")
		switch {
		case key != "name" && key != "forge":
			bad(w, "after the clone URL come name=NAME and forge=FORGE; a comment begins with #", "%s is not understood here", quote(key))
			return false
		case value == "":
			bad(w, "write "+key+"=VALUE", "%s has no value", key)
			return false
		case cleanName(value) != value || len(value) > 200:
			bad(w, `names are made of letters, digits, ".", "_", "-", "+", "~" and "/"`, "%s is not a usable %s", quote(value), key)
			return false
		case key == "name":
			c.names, c.chosen = []string{value}, true
		default:
			c.forge = value
		}
	}
	return true
}

// listed reads the first word of a line: a clone URL, or a path, which is relative to the list's folder.
func listed(dir, text string) (candidate, error) {
	host, _, colon := strings.Cut(text, ":")
	if strings.Contains(text, "://") || colon && !strings.Contains(host, "/") || filepath.IsAbs(text) {
		return remoteCandidate(text)
	}
	path := filepath.Join(dir, text)
	if _, err := os.Stat(path); strings.HasPrefix(text, "-") || err != nil && !strings.Contains(text, "/") {
		return candidate{}, &fleet.Error{Code: fleet.CodeInvalid, Message: quote(text) + " is neither a clone URL nor a folder",
			Hint: "write file:///path, https://host/path, ssh://user@host/path, user@host:path, or a path relative to this file"}
	}
	return remoteCandidate(path)
}

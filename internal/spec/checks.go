package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// What the schema can say about the checks below; the checks say more.
const (
	namePattern  = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`
	envPattern   = `^[A-Za-z_][A-Za-z0-9_]{0,127}$`
	allowPattern = `^[a-z0-9]+(-[a-z0-9]+)*(:.+)?$`
	linePattern  = `^[^\n]*$`
	pathPattern  = `^[^/]`
	scopePattern = `^!?(//[^/]|[^/])`
)

// checkName accepts what can stand in a branch name, a folder name, a URL and a DNS label alike.
func checkName(s string) *flaw {
	for i, r := range []rune(s) {
		if r == '-' && i > 0 || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			continue
		}
		return &flaw{i, fmt.Sprintf("%q cannot stand in a name", r), "use lower case letters, digits and dashes between them: it names the campaign's branches"}
	}
	if len(s) > 63 || strings.HasSuffix(s, "-") {
		return &flaw{len(s) - 1, "a name has at most 63 characters and does not end in a dash", "shorten it"}
	}
	return nil
}

// checkRef accepts an entity reference: name, kind:name, namespace/name or kind:namespace/name.
func checkRef(s string) *flaw {
	name := s
	if kind, rest, ok := strings.Cut(name, ":"); ok {
		if kind == "" {
			return &flaw{0, "the kind before the colon is missing", "write kind:namespace/name"}
		}
		name = rest
	}
	if namespace, rest, ok := strings.Cut(name, "/"); ok {
		if namespace == "" {
			return &flaw{len([]rune(s)) - len([]rune(name)), "the namespace before the slash is missing", "write kind:namespace/name"}
		}
		name = rest
	}
	if name == "" {
		return &flaw{len([]rune(s)), "the name is missing", "write kind:namespace/name"}
	}
	colons, slashes := 0, 0
	for i, r := range []rune(s) {
		switch {
		case r == ':' && colons == 0 && slashes == 0:
			colons++
		case r == '/' && slashes == 0:
			slashes++
		case r == '-', r == '_', r == '.', r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)):
		default:
			return &flaw{i, fmt.Sprintf("%q cannot stand in an entity reference", r), "write kind:namespace/name, such as component:default/billing; there are no wildcards, use where for those"}
		}
	}
	return nil
}

// checkGlob accepts a doublestar pattern of files below a folder.
func checkGlob(s string) *flaw {
	if bad := checkRelative(s, "a glob"); bad != nil {
		return bad
	}
	if strings.HasPrefix(s, "!") {
		return &flaw{0, "a glob cannot be negated", "list what is meant; ** crosses folders and {a,b} alternates"}
	}
	if len(s) > 1000 {
		return &flaw{0, "a glob has at most 1000 bytes", "split it"}
	}
	if strings.Count(s, "{") > 8 || strings.Count(s, "**") > 8 {
		return &flaw{0, "a glob has at most eight ** and eight alternations", "split it"}
	}
	if !doublestar.ValidatePattern(s) {
		at, why := globFault(s)
		return &flaw{at, why, "for example **/*.go, docs/{a,b}.md or lib/[a-z]*.js"}
	}
	return nil
}

// checkScope accepts what change.paths holds: a glob, one from the repository's root, or one of either that is taken away.
func checkScope(s string) *flaw {
	glob, _ := strings.CutPrefix(s, "!")
	if rooted, ok := strings.CutPrefix(glob, "//"); ok {
		glob = rooted
	}
	offset := utf8.RuneCountInString(s) - utf8.RuneCountInString(glob)
	if glob == "" {
		return &flaw{offset, "a glob is missing", "for example **/*.go, or //go.work for a file at the repository's root"}
	}
	if strings.HasPrefix(glob, "/") {
		return &flaw{offset, "a glob is relative to the component, not absolute", "write //" + strings.TrimLeft(glob, "/") + " for a file at the repository's root"}
	}
	bad := checkGlob(glob)
	if bad != nil {
		bad.offset += offset
	}
	return bad
}

// globFault finds what doublestar would only refuse.
func globFault(s string) (offset int, why string) {
	var braces []int
	class := -1
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\\':
			if i++; i == len(runes) {
				return i - 1, `nothing follows the \`
			}
		case class >= 0:
			if r == ']' && i > class+1 {
				class = -1
			}
		case r == '[':
			class = i
		case r == '{':
			braces = append(braces, i)
		case r == '}' && len(braces) == 0:
			return i, "no { comes before this }"
		case r == '}':
			braces = braces[:len(braces)-1]
		}
	}
	if class >= 0 {
		return class, "this [ is not closed"
	}
	if len(braces) > 0 {
		return braces[len(braces)-1], "this { is not closed"
	}
	return 0, "not a glob"
}

// checkRelative accepts slash-separated paths that stay below the folder they start in.
func checkRelative(s, what string) *flaw {
	for i, r := range []rune(s) {
		if unicode.IsControl(r) {
			return &flaw{i, fmt.Sprintf("a control character stands in %s", what), "remove it"}
		}
	}
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~") || len(s) > 1 && s[1] == ':' {
		return &flaw{0, what + " is relative, not absolute", "leave the beginning out"}
	}
	at := 0
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return &flaw{at, what + " cannot lead out of its folder", "leave .. out"}
		}
		at += utf8.RuneCountInString(part) + 1
	}
	return nil
}

// checkScript accepts the path of a program beside the campaign file.
func checkScript(s string) *flaw {
	if bad := checkRelative(s, "a script's path"); bad != nil {
		return bad
	}
	if strings.Contains(s, `\`) {
		return &flaw{strings.IndexByte(s, '\\'), `a path is written with /`, ""}
	}
	if clean := path.Clean(s); clean == "." || strings.HasSuffix(s, "/") {
		return &flaw{0, "a script is a file", "name a file beside this one, or write the program below change.run"}
	}
	return nil
}

// checkRegexp accepts a Go regular expression that does not match everything.
func checkRegexp(s string) *flaw {
	if len(s) > 4096 {
		return &flaw{0, "a pattern has at most 4096 bytes", "split the campaign"}
	}
	re, err := regexp.Compile(s)
	var bad *syntax.Error
	if errors.As(err, &bad) {
		at := 0
		if bad.Code != syntax.ErrMissingParen {
			at = max(strings.LastIndex(s, bad.Expr), 0)
		} else {
			at = openParen(s)
		}
		return &flaw{utf8.RuneCountInString(s[:at]), fmt.Sprintf("not a regular expression: %s: %s", bad.Code, quote(bad.Expr)),
			`Go's syntax (RE2): no look-around, no back-references; write \. for a dot, \( for a parenthesis`}
	}
	if err != nil {
		return &flaw{0, "not a regular expression: " + err.Error(), ""}
	}
	if re.MatchString("") {
		return &flaw{0, "the pattern matches everything, the empty text too", "say what the files hold; leave contains out to take all"}
	}
	return nil
}

// openParen returns the byte of the first parenthesis that is never closed.
func openParen(s string) int {
	var open []int
	class := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			open = append(open, i)
		case c == ')' && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return open[0]
	}
	return 0
}

// checkHost accepts a host, with or without a port: proxy.golang.org, *.npmjs.org, 10.0.0.7:8080.
func checkHost(s string) *flaw {
	const hint = "write a host such as proxy.golang.org or *.npmjs.org, with a port only where it is not 443"
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return &flaw{0, "a host has no scheme and no path", hint}
	}
	host := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (strings.HasSuffix(s[:i], "]") || strings.Count(s, ":") == 1) {
		port, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || port == 0 {
			return &flaw{i + 1, "not a port", hint}
		}
		host = s[:i]
	}
	if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return nil
	}
	at := 0
	for i, label := range strings.Split(host, ".") {
		if i == 0 && label == "*" && len(host) > 2 {
			at += 2
			continue
		}
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || len(host) > 253 {
			return &flaw{at, "not a host name", hint}
		}
		for _, r := range label {
			if !(r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') {
				return &flaw{at, fmt.Sprintf("%q cannot stand in a host name", r), hint}
			}
			at++
		}
		at++
	}
	return nil
}

// checkEnv accepts the name of an environment variable that is not Gaggle's to set.
func checkEnv(s string) *flaw {
	for i, r := range s {
		if !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9') || i > 127 {
			return &flaw{i, "not a name of an environment variable", "use letters, digits and underscores"}
		}
	}
	upper := strings.ToUpper(s)
	for _, taken := range []string{"HOME", "USER", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"} {
		if upper == taken {
			return &flaw{0, s + " is set by Gaggle", "leave it out"}
		}
	}
	for _, start := range []string{"GAGGLE_", "ANTHROPIC_", "OPENAI_", "LD_", "DYLD_"} {
		if strings.HasPrefix(upper, start) {
			return &flaw{0, "names that start with " + start + " are Gaggle's", "leave it out"}
		}
	}
	return nil
}

// checkLine accepts one line of at most 200 characters.
func checkLine(s string) *flaw { return oneLine(s, 200) }

// checkLabel accepts a label as every forge does.
func checkLabel(s string) *flaw {
	if i := strings.IndexByte(s, ','); i >= 0 {
		return &flaw{utf8.RuneCountInString(s[:i]), "a label holds no comma", "write two labels"}
	}
	return oneLine(s, 50)
}

// checkToken accepts one word: a user, a team, a model.
func checkToken(s string) *flaw {
	for i, r := range []rune(s) {
		if unicode.IsSpace(r) || unicode.IsControl(r) || i == 200 {
			return &flaw{i, "one word is expected here", "remove the space"}
		}
	}
	if s[0] == '-' {
		return &flaw{0, "a word that starts with a dash reads like an option", "remove the dash"}
	}
	return nil
}

// guards checks guard.allow against the rules that there are, when they are known.
type guards struct{ rules []string }

// check accepts the name of a rule, or a rule and a glob of the files for which it is allowed: test-deleted:old/**.
func (g *guards) check(s string) *flaw {
	rule, glob, scoped := strings.Cut(s, ":")
	if scoped {
		if bad := checkGlob(glob); glob == "" || bad != nil {
			return &flaw{len(rule) + 1, "not a glob", "write a rule, or a rule and a glob such as test-deleted:old/**"}
		}
	}
	for i, r := range []rune(rule) {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' && i > 0) {
			return &flaw{i, quote(rule) + " is not the name of a rule", "rules have names such as test-deleted"}
		}
	}
	if len(g.rules) == 0 || slices.Contains(g.rules, rule) {
		return nil
	}
	hint := didYouMean(rule, g.rules)
	if hint == "" {
		hint = "known: " + strings.Join(g.rules, ", ")
	}
	return &flaw{0, "no rule is called " + quote(rule), hint}
}

// checkCommand accepts a shell command.
func checkCommand(s string) *flaw {
	if i := strings.IndexByte(s, 0); i >= 0 || len(s) > 8192 {
		return &flaw{0, "a command has at most 8192 bytes and no NUL", "put it into a script of the repository"}
	}
	return nil
}

func oneLine(s string, most int) *flaw {
	for i, r := range []rune(s) {
		if unicode.IsControl(r) && (r != '\n' || i < utf8.RuneCountInString(s)-1) {
			return &flaw{i, "one line is expected here", "remove the line break"}
		}
		if i == most {
			return &flaw{i, fmt.Sprintf("at most %d characters are expected here", most), "shorten it"}
		}
	}
	return nil
}

package catalog

import (
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hairyhenderson/go-codeowners"

	"gaggle/internal/fleet"
)

const (
	maxCodeowners = 3 << 20 // bytes, as on GitHub
	maxRules      = 5000    // of one file
	maxRuleBytes  = 1000
	ownerSamples  = 200     // files that are asked when no rule covers the whole directory
	maxMatches    = 500_000 // of a path with a rule, for one repository: under a second
)

// codeownersFiles are where GitHub, GitLab and Gitea look, the first that is there counts.
var codeownersFiles = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS", ".gitea/CODEOWNERS"}

// owners is a CODEOWNERS file. The last rule that matches a path counts, as on GitHub. GitLab's sections are read too:
// their default owners stand in for rules without any.
type owners struct {
	file    string
	rules   []rule
	matches int // made so far
}

type rule struct {
	match codeowners.Codeowners
	owner string // "" takes the ownership away
}

// GitLab's section head: [Name], ^[Name] for an optional one, and [Name][2] for a number of approvals, then default owners.
var sectionRule = regexp.MustCompile(`^\^?\[[^\]]+\](\[\d+\])?(\s+(.*))?$`)

func readOwners(file string, data []byte, p *problems) *owners {
	o := &owners{file: file}
	var section []string
	number := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		number++
		at := place{file, number, 1 + utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeft(line, " \t"))}
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' {
			continue
		}
		if m := sectionRule.FindStringSubmatch(text); m != nil {
			section = beforeComment(strings.Fields(m[3]))
			continue
		}
		if len(o.rules) >= maxRules {
			p.add(ProblemTooMany, at, "", "CODEOWNERS has more than %d rules; the others are not read", maxRules)
			break
		}
		pattern, names := splitRule(text)
		if strings.HasPrefix(pattern, "!") {
			continue // GitLab's exclusion: takes nobody's place
		}
		if len(names) == 0 {
			names = section
		}
		one, err := codeowners.NewCodeowner(escapeRule(pattern), names)
		if err != nil || len(pattern) > maxRuleBytes {
			p.add(ProblemCodeowners, at, "a pattern is a path with * and **", "%s is not a usable pattern", quote(pattern))
			continue
		}
		owner, bad := "", ""
		for _, n := range names {
			if ref, ok := ownerRef(n); ok {
				owner = ref
				break
			}
			bad = n
		}
		if owner == "" && bad != "" {
			p.add(ProblemCodeowners, at, "owners are written @org/team, @user or name@example.com", "%s is not an owner", quote(bad))
			continue
		}
		o.rules = append(o.rules, rule{codeowners.Codeowners{Patterns: []codeowners.Codeowner{one}}, owner})
	}
	return o
}

// splitRule takes a rule apart. A backslash keeps a space or a # inside the pattern.
func splitRule(text string) (pattern string, names []string) {
	end := len(text)
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		} else if text[i] == ' ' || text[i] == '\t' {
			end = i
			break
		}
	}
	pattern = strings.NewReplacer(`\ `, " ", `\#`, "#").Replace(text[:end])
	return pattern, beforeComment(strings.Fields(text[end:]))
}

func beforeComment(fields []string) []string {
	for i, f := range fields {
		if strings.HasPrefix(f, "#") {
			return fields[:i]
		}
	}
	return fields
}

// escapeRule takes the meaning from characters that the matcher would read as those of a regular expression.
func escapeRule(pattern string) string {
	return strings.NewReplacer("(", `\(`, ")", `\)`, "+", `\+`, "|", `\|`, "^", `\^`, "$", `\$`, "{", `\{`, "}", `\}`).Replace(pattern)
}

// ownerRef makes an owner an entity reference, as Backstage does: a team becomes the group of its last name, a user and
// the local part of a mail address a user. GitLab's roles (@@maintainer) are nobody.
func ownerRef(name string) (string, bool) {
	handle, isHandle := strings.CutPrefix(name, "@")
	kind := "user"
	switch {
	case isHandle && strings.Contains(handle, "/"):
		kind, handle = "group", path.Base(handle)
	case !isHandle:
		var ok bool
		if handle, _, ok = strings.Cut(name, "@"); !ok {
			return "", false
		}
	}
	handle = strings.ToLower(handle)
	if !refRule.MatchString(handle) || strings.ContainsAny(handle, "@:/") || len(handle) > 200 {
		return "", false
	}
	return fleet.Ref(kind, "", handle), true
}

// of returns the owner of a path, which is a file's.
func (o *owners) of(file string) string {
	for i := len(o.rules) - 1; i >= 0 && o.matches < maxMatches; i-- {
		o.matches++
		if o.rules[i].match.PatternIndex(file) >= 0 {
			return o.rules[i].owner
		}
	}
	return ""
}

// ofDir returns the owner of a directory: whom a rule names for everything in it, or else who owns most of the sampled files.
func (o *owners) ofDir(dir string, samples func() []string) string {
	if o == nil || len(o.rules) == 0 {
		return ""
	}
	// A file that no rule but one for the whole directory can mean.
	if owner := o.of(path.Join(dir, "\x01\x01")); owner != "" {
		return owner
	}
	votes := map[string]int{}
	for _, f := range samples() {
		if owner := o.of(f); owner != "" {
			votes[owner]++
		}
	}
	if ranked := ranking(votes); len(ranked) > 0 {
		return ranked[0]
	}
	return ""
}

package forge

import (
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// Clip shortens a text to what a host takes, and says so at its end.
func Clip(text string, characters int) string {
	if len(text) <= characters {
		return text
	}
	runes := []rune(text)
	if len(runes) <= characters {
		return text
	}
	const note = "\n\n(cut short: the forge takes no more)"
	return string(runes[:characters-len(note)]) + note
}

// Whole fills a spec in, cuts it to so many characters of title and body as the host takes (0: any number), or says what is wrong
// with it.
func (s PullSpec) Whole(mostTitle, mostBody int) (PullSpec, error) {
	s.Title = strings.TrimSpace(s.Title)
	if s.BaseBranch == "" {
		s.BaseBranch = s.Repo.DefaultBranch
	}
	if s.Title == "" || s.HeadBranch == "" || s.BaseBranch == "" || s.HeadBranch == s.BaseBranch {
		return s, fleet.Errorf(fleet.CodeInvalid, "a pull request needs a title, a head branch and another base branch")
	}
	if title := []rune(s.Title); mostTitle > 0 && len(title) > mostTitle {
		s.Title = string(title[:mostTitle-1]) + "…"
	}
	if mostBody > 0 {
		s.Body = Clip(s.Body, mostBody)
	}
	return s, nil
}

// Lacking are those of more, without doubles and blanks, that have lacks, whatever their case.
func Lacking(have, more []string) []string {
	var out []string
	for _, m := range more {
		same := func(h string) bool { return strings.EqualFold(h, m) }
		if m = strings.TrimSpace(m); m != "" && !slices.ContainsFunc(have, same) && !slices.ContainsFunc(out, same) {
			out = append(out, m)
		}
	}
	return out
}

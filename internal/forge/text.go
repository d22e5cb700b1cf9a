package forge

import (
	"slices"
	"strings"
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

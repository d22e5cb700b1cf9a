package guard

import (
	"gaggle/internal/guard/source"
)

// match finds for each old unit the new one: by name in the same file, by name elsewhere, by content.
func (s *suite) match() {
	taken := map[*source.Unit]bool{}
	var olds []pairing
	for _, t := range s.files {
		if t.old == nil {
			continue
		}
		same := map[string][]*source.Unit{}
		if t.new != nil {
			for _, u := range t.new.Units {
				same[u.Name] = append(same[u.Name], u)
			}
		}
		for _, u := range t.old.Units {
			if found := best(same[u.Name], u, taken); found != nil {
				taken[found] = true
				s.pairs = append(s.pairs, pairing{t, u, t, found})
			} else {
				olds = append(olds, pairing{file: t, old: u})
			}
		}
	}
	byName := map[string][]pairing{}
	index := newUnitIndex()
	for _, t := range s.files {
		if t.new == nil {
			continue
		}
		for _, u := range t.new.Units {
			if !taken[u] && (u.Kind == source.Test || u.Kind == source.Helper) {
				p := pairing{newFile: t, new: u}
				byName[u.Short] = append(byName[u.Short], p)
				index.add(p)
			}
		}
	}
	var left []pairing
	for _, o := range olds {
		found := pairing{}
		for n, p := range byName[o.old.Short] {
			if n > 100 {
				break
			}
			if taken[p.new] || p.new.Kind != o.old.Kind || p.newFile.hidden && o.file.was && p.newFile != o.file {
				continue
			}
			if found.new == nil || p.new.Text == o.old.Text && found.new.Text != o.old.Text {
				found = p
			}
		}
		if found.new == nil {
			left = append(left, o)
			continue
		}
		taken[found.new] = true
		s.pairs = append(s.pairs, pairing{o.file, o.old, found.newFile, found.new})
	}
	for _, o := range left {
		found, score := index.nearest(o.old, func(p pairing) bool {
			return !taken[p.new] && p.new.Kind == o.old.Kind && p.new.Found == o.old.Found && !(p.newFile.hidden && o.file.was)
		})
		if o.old.Kind != source.Rest && o.old.Kind != source.Suite && score >= 0.6 {
			taken[found.new] = true
			s.pairs = append(s.pairs, pairing{o.file, o.old, found.newFile, found.new})
		} else {
			s.gone = append(s.gone, o)
		}
	}
	for _, t := range s.files {
		if t.new == nil {
			continue
		}
		for _, u := range t.new.Units {
			if !taken[u] {
				s.fresh = append(s.fresh, pairing{newFile: t, new: u})
			}
		}
	}
}

// best picks the unit of the same name that is most like the old one. A test may have become a helper.
func best(candidates []*source.Unit, old *source.Unit, taken map[*source.Unit]bool) *source.Unit {
	var found *source.Unit
	function := func(u *source.Unit) bool { return u.Kind == source.Test || u.Kind == source.Helper }
	for n, u := range candidates {
		if n > 100 {
			break
		}
		if taken[u] || u.Kind != old.Kind && !(function(u) && function(old)) {
			continue
		}
		if found == nil || u.Text == old.Text && found.Text != old.Text {
			found = u
		}
	}
	return found
}

// unitIndex finds units by the words that they have in common with another. Words that many units hold tell
// nothing and are left out, which also keeps a lookup cheap.
type unitIndex struct {
	units []pairing
	sizes []int
	words map[string][]int
}

func newUnitIndex() *unitIndex { return &unitIndex{words: map[string][]int{}} }

const commonWord = 60

func (x *unitIndex) add(p pairing) {
	n := len(x.units)
	words := unitWords(p.new)
	x.units = append(x.units, p)
	x.sizes = append(x.sizes, len(words))
	for w := range words {
		if len(x.words[w]) <= commonWord {
			x.words[w] = append(x.words[w], n)
		}
	}
}

// nearest returns the unit that shares most words with u, and how much of both that is, from 0 to 1.
func (x *unitIndex) nearest(u *source.Unit, fits func(pairing) bool) (pairing, float64) {
	words := unitWords(u)
	votes := map[int]int{}
	common := 0
	for w := range words {
		list := x.words[w]
		if len(list) > commonWord {
			common++
			continue
		}
		for _, n := range list {
			votes[n]++
		}
	}
	top, at := 0.0, -1
	for n, v := range votes {
		score := 2 * float64(v) / float64(len(words)-common+x.sizes[n])
		if common > 0 {
			score = float64(v+common) * 2 / float64(len(words)+x.sizes[n])
		}
		if (score > top || score == top && n < at) && fits(x.units[n]) {
			top, at = score, n
		}
	}
	if at < 0 {
		return pairing{}, 0
	}
	return x.units[at], min(top, 1)
}

// unitWords are the words of a unit's text, without punctuation.
func unitWords(u *source.Unit) map[string]bool {
	m := map[string]bool{}
	for _, w := range u.Words() {
		if len(w) > 1 && len(w) < 80 {
			m[w] = true
		}
	}
	return m
}

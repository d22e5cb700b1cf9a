package rulemodel

import "strings"

// hunk is one exact replacement; its old text stands exactly once in the file at the time that it is made.
type hunk struct{ old, new string }

// hunksOf returns the replacements that turn old into new when made in order, each as small as it can be and still be
// unique, or false when there is none such.
func hunksOf(old, new string) ([]hunk, bool) {
	a, b := strings.SplitAfter(old, "\n"), strings.SplitAfter(new, "\n")
	var hunks []hunk
	work := old
	shift := 0 // lines by which work is longer than old so far
	current := func() []string { return strings.SplitAfter(work, "\n") }
	for _, r := range regions(a, b) {
		lines := current()
		from, to := r.a0+shift, r.a1+shift
		with := strings.Join(b[r.b0:r.b1], "")
		lo, hi := from, to
		for {
			text := strings.Join(lines[lo:hi], "")
			if text != "" && strings.Count(work, text) == 1 {
				h := hunk{text, strings.Join(lines[lo:from], "") + with + strings.Join(lines[to:hi], "")}
				hunks = append(hunks, h)
				work = strings.Replace(work, h.old, h.new, 1)
				break
			}
			if lo == 0 && hi == len(lines) {
				return nil, false
			}
			lo, hi = max(lo-1, 0), min(hi+1, len(lines))
		}
		shift += (r.b1 - r.b0) - (r.a1 - r.a0)
	}
	return hunks, work == new
}

// region says that lines a0..a1 of one text became lines b0..b1 of the other.
type region struct{ a0, a1, b0, b1 int }

// maxTable bounds the comparison; beyond it the whole middle counts as changed.
const maxTable = 4 << 20

// regions compares two texts line by line.
func regions(a, b []string) []region {
	lo := 0
	for lo < len(a) && lo < len(b) && a[lo] == b[lo] {
		lo++
	}
	endA, endB := len(a), len(b)
	for endA > lo && endB > lo && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	n, m := endA-lo, endB-lo
	if n == 0 && m == 0 {
		return nil
	}
	if n == 0 || m == 0 || n*m > maxTable {
		return []region{{lo, endA, lo, endB}}
	}
	// common[i][j] is the length of the longest common subsequence of a[lo+i:endA] and b[lo+j:endB].
	common := make([][]int32, n+1)
	for i := range common {
		common[i] = make([]int32, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if a[lo+i] == b[lo+j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []region
	for i, j := 0, 0; i < n || j < m; {
		if i < n && j < m && a[lo+i] == b[lo+j] {
			i, j = i+1, j+1
			continue
		}
		r := region{a0: lo + i, b0: lo + j}
		for (i < n || j < m) && !(i < n && j < m && a[lo+i] == b[lo+j]) {
			if j == m || i < n && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				j++
			}
		}
		r.a1, r.b1 = lo+i, lo+j
		out = append(out, r)
	}
	return out
}

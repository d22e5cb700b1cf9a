package version

import (
	"regexp"
	"strconv"
	"strings"
)

// Version is a version number taken apart.
type Version struct {
	epoch   int
	numbers []int
	pre     int // rank of the qualifier: below zero before the release, above zero after it
	preNum  []int
	known   bool
}

var (
	shape = regexp.MustCompile(`^(?i:v|release-|go|jdk-?|openjdk-?|temurin-|ruby-|python-|node-|lts/)?(?:(\d+)!)?(\d+(?:\.\d+)*)(.*)$`)
	digit = regexp.MustCompile(`\d+`)
	ranks = map[string]int{
		"dev": -7, "nightly": -7, "canary": -7, "next": -6, "a": -6, "alpha": -6, "b": -5, "beta": -5, "m": -4, "milestone": -4, "ea": -4, "preview": -3, "pre": -3,
		"rc": -2, "c": -2, "cr": -2, "snapshot": -1, "": 0, "ga": 0, "final": 0, "release": 0, "r": 1, "sp": 1, "post": 1, "rev": 1, "p": 1, "patch": 1,
	}
	// flavours are suffixes that name a build rather than an age: 31.1-jre, 3.12-slim, 20-alpine.
	flavour = regexp.MustCompile(`^(jre\d*|android|alpine[\d.]*|slim|bookworm|bullseye|buster|trixie|jammy|focal|noble|slim-\w+|jdk[\w-]*|windowsservercore\w*|nanoserver\w*|lts|incompatible|bin|all|headless|perl|apache|fpm|cli|zts|runtime|sdk|ubi\d*|fips|oss|ce|ee|management|temurin|jammy-chiseled|\d{8}|x86_64|amd64)(\b|-).*$`)
	pseudo  = regexp.MustCompile(`^-(?:0\.|[\w.]*\.0\.|)?(\d{14})-[0-9a-f]{12}`)
)

// Parse reads one version number; false when the text is none.
func Parse(text string) (Version, bool) {
	text = strings.Trim(strings.TrimSpace(text), `"'`)
	m := shape.FindStringSubmatch(text)
	if m == nil {
		return Version{}, false
	}
	v := Version{known: true}
	v.epoch, _ = strconv.Atoi(m[1])
	for _, part := range strings.Split(m[2], ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return Version{}, false
		}
		v.numbers = append(v.numbers, n)
	}
	rest := m[3]
	if p := pseudo.FindStringSubmatch(rest); p != nil { // Go's v0.0.0-20240101000000-abcdef123456
		day, _ := strconv.Atoi(p[1][:8])
		clock, _ := strconv.Atoi(p[1][8:])
		v.pre, v.preNum = -3, []int{day, clock}
		return v, true
	}
	if i := strings.IndexByte(rest, '+'); i >= 0 {
		rest = rest[:i]
	}
	rest = strings.ToLower(strings.TrimLeft(rest, "-._ "))
	if rest == "" || rest == "x" || rest == "*" || flavour.MatchString(rest) {
		return v, true
	}
	word := strings.TrimRight(rest[:max(len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz")), 0)], ".-_")
	rank, ok := ranks[word]
	if !ok {
		v.known = false
		return v, true
	}
	v.pre = rank
	for _, d := range digit.FindAllString(rest, 3) {
		n, _ := strconv.Atoi(d)
		v.preNum = append(v.preNum, n)
	}
	return v, true
}

// Compare orders two versions; the second result is false when it cannot tell.
func Compare(a, b Version) (int, bool) {
	if a.epoch != b.epoch {
		return sign(a.epoch - b.epoch), true
	}
	if c := compareNumbers(a.numbers, b.numbers); c != 0 {
		return c, true
	}
	if !a.known || !b.known {
		return 0, false
	}
	if a.pre != b.pre {
		return sign(a.pre - b.pre), true
	}
	return compareNumbers(a.preNum, b.preNum), true
}

func compareNumbers(a, b []int) int {
	for i := range max(len(a), len(b)) {
		x, y := 0, 0
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return sign(x - y)
		}
	}
	return 0
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

var (
	bound  = regexp.MustCompile(`(\^|~>|~=|~|>=|<=|==|===|!=|=|>|<)?\s*\[?\(?\s*v?(\d[\w.!+*-]*)`)
	mavenR = regexp.MustCompile(`^[\[(]\s*([^,\])]*)\s*,?\s*([^\])]*)[\])]$`)
)

// limits reads the lowest and the highest version that a requirement accepts.
func limits(requirement string) (low, high Version, hasLow, hasHigh bool) {
	requirement = strings.Trim(strings.TrimSpace(requirement), `"'`)
	if m := mavenR.FindStringSubmatch(requirement); m != nil {
		low, hasLow = Parse(m[1])
		if m[2] != "" {
			high, hasHigh = Parse(m[2])
		}
		return
	}
	if i := strings.LastIndex(requirement, "||"); i >= 0 { // npm: any of; the last is the newest
		requirement = requirement[i+2:]
	}
	for _, m := range bound.FindAllStringSubmatch(requirement, 6) {
		v, ok := Parse(strings.TrimSuffix(strings.TrimSuffix(m[2], ".*"), ".x"))
		if !ok {
			continue
		}
		switch m[1] {
		case "<", "<=":
			if !hasHigh {
				high, hasHigh = v, true
			}
		case "!=":
		default:
			if !hasLow {
				low, hasLow = v, true
			}
		}
	}
	return
}

// Older reports whether a requirement asks for an older version than the one before it did: its lowest version
// is lower, or it now stops below what was the lowest one. Requirements that it cannot read are never older.
func Older(new, old string) bool {
	if strings.ContainsAny(new+old, "$@") {
		return false // a variable, or another package's name
	}
	newLow, newHigh, hasNew, hasHigh := limits(new)
	oldLow, _, hasOld, hadHigh := limits(old)
	if hasNew && hasOld {
		c, ok := Compare(newLow, oldLow)
		return ok && c < 0
	}
	if hasHigh && hasOld {
		c, ok := Compare(newHigh, oldLow)
		return ok && c <= 0
	}
	return hasHigh && !hadHigh && !hasOld && !hasNew && strings.ContainsAny(new, "<")
}

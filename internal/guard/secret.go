package guard

import (
	"math"
	"regexp"
	"strings"
)

// credential is the shape of one kind of secret.
type credential struct {
	what   string
	needle string // plain text that each one holds, to keep the search cheap
	re     *regexp.Regexp
	strict bool // of so plain a shape that it is believed outside tests only
}

var credentials = []credential{
	{"an AWS access key", "A", regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z2-7]{16}\b`), false},
	{"a GitHub token", "gh", regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{36,}\b`), false},
	{"a GitHub token", "github_pat_", regexp.MustCompile(`\bgithub_pat_[A-Za-z0-9_]{50,}\b`), false},
	{"a GitLab token", "glpat-", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`), false},
	{"a Slack token", "xox", regexp.MustCompile(`\bxox[abprs]-[A-Za-z0-9-]{20,}`), false},
	{"a Slack webhook", "hooks.slack.com", regexp.MustCompile(`hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}`), false},
	{"a Stripe key", "_live_", regexp.MustCompile(`\b[sr]k_live_[A-Za-z0-9]{16,}`), false},
	{"a Google API key", "AIza", regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}\b`), false},
	{"a Google OAuth secret", "GOCSPX-", regexp.MustCompile(`\bGOCSPX-[A-Za-z0-9_-]{20,}`), false},
	{"an Anthropic key", "sk-ant-", regexp.MustCompile(`\bsk-ant-[A-Za-z0-9_-]{24,}`), false},
	{"an OpenAI key", "sk-", regexp.MustCompile(`\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}`), false},
	{"an npm token", "npm_", regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}\b`), false},
	{"a PyPI token", "pypi-", regexp.MustCompile(`\bpypi-AgE[A-Za-z0-9_-]{50,}`), false},
	{"a SendGrid key", "SG.", regexp.MustCompile(`\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{30,}`), false},
	{"a Twilio key", "SK", regexp.MustCompile(`\bSK[0-9a-f]{32}\b`), true},
	{"a Hugging Face token", "hf_", regexp.MustCompile(`\bhf_[A-Za-z0-9]{34,}\b`), false},
	{"a DigitalOcean token", "dop_v1_", regexp.MustCompile(`\bdop_v1_[0-9a-f]{64}\b`), false},
	{"a Docker Hub token", "dckr_pat_", regexp.MustCompile(`\bdckr_pat_[A-Za-z0-9_-]{24,}`), false},
	{"a Shopify token", "shp", regexp.MustCompile(`\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b`), false},
	{"a Databricks token", "dapi", regexp.MustCompile(`\bdapi[0-9a-f]{32}\b`), false},
	{"an Azure storage key", "AccountKey=", regexp.MustCompile(`AccountKey=[A-Za-z0-9+/]{60,}={0,2}`), false},
	{"a private key", "PRIVATE KEY", regexp.MustCompile(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----`), true},
	{"a JSON web token", "eyJ", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}`), true},
	{"a password in a URL", "://", regexp.MustCompile(`\b[a-z][a-z0-9+.-]*://[^\s:/@"'<>{}$]+:([^\s:/@"'<>{}$]{6,})@[\w.-]+`), true},
	{"a basic credential", "asic ", regexp.MustCompile(`(?i)authorization["']?\s*[:=,]\s*["']?basic\s+[A-Za-z0-9+/]{16,}={0,2}`), true},
}

var (
	assigned        = regexp.MustCompile(`(?i)([\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|auth[_-]?key|client[_-]?secret|credential|signing[_-]?key|encryption[_-]?key)[\w-]*)["']?\s*(?::=|=>|[:=,(])\s*["'` + "`" + `]?([^\s"'` + "`" + `,;(){}<>]{8,200})`)
	secretWords     = []string{"pass", "pwd", "secret", "token", "key", "credential"}
	placeholderLike = regexp.MustCompile(`(?i)example|sample|dummy|fake|mock|test|placeholder|changeme|change[-_]?me|your[-_]|xxx|\.\.\.|redacted|todo|insert|replace|lorem|foobar|deadbeef|1234567|abcdef|00000|aaaa|not[-_]?a?[-_]?real|invalid|sekret|hunter2|\*\*\*|development|localhost|default|secret[-_]?key|my[-_]?secret|supersecret|password|<|\$\{|\{\{|%\(|env\(|process\.env|os\.environ|getenv|sha256|sha512|sha1-|md5|integrity`)
)

// checkSecrets finds credentials on added lines.
func checkSecrets(r *review) {
	known := map[string]bool{} // what the diff removes somewhere was there before
	for _, c := range r.changes {
		if c.binary {
			continue
		}
		for _, l := range c.removed {
			for _, s := range secretsIn(l.text, false) {
				known[s.value] = true
			}
		}
	}
	for _, c := range r.changes {
		if c.binary || c.isDeleted() || fixtureDir.MatchString(c.path()) {
			continue
		}
		_, lock := isLock(c.path())
		test := isTestSupport(c.path()) || isDocument(c.path())
		for _, l := range c.added {
			for _, s := range secretsIn(l.text, test || lock) {
				if known[s.value] || !c.isNew() && s.generic && c.before.whole && c.before.contains(s.value) {
					continue
				}
				r.report(secretAdded, c.path(), l.num, mask(l.text, s.value), "%s is added: remove it, and read it from the environment or a secret store", s.what)
				break
			}
		}
	}
}

// contains reports whether some line of the side holds the text.
func (s side) contains(text string) bool {
	for _, b := range s.blocks {
		for _, l := range b.lines {
			if strings.Contains(l, text) {
				return true
			}
		}
	}
	return false
}

// secret is one credential that was found.
type secret struct {
	what, value string
	generic     bool
}

// secretsIn returns the credentials on a line; lenient leaves out those that tests and documents often make up.
func secretsIn(text string, lenient bool) []secret {
	if len(text) < 16 {
		return nil
	}
	if len(text) > 100_000 {
		text = text[:100_000]
	}
	var out []secret
	for i := range credentials {
		k := &credentials[i]
		if k.strict && lenient || !strings.Contains(text, k.needle) {
			continue
		}
		for _, m := range k.re.FindAllStringSubmatch(text, 3) {
			value := m[len(m)-1]
			switch {
			case k.what == "a private key":
				out = append(out, secret{what: k.what, value: m[0]})
			case madeUp(value) || len(m) == 1 && entropy(value) < 3 || len(m) > 1 && entropy(value) < 2.5:
			default:
				out = append(out, secret{what: k.what, value: value})
			}
		}
	}
	if lenient || len(out) > 0 || len(text) > 2000 || !speaksOfSecrets(text) {
		return out
	}
	for _, m := range assigned.FindAllStringSubmatch(text, 4) {
		if value := strings.TrimRight(m[2], "\\"); len(value) >= 16 && random(value) && !madeUp(value) && !madeUpName.MatchString(m[1]) {
			out = append(out, secret{what: "what looks like a secret (" + shorten(m[1]) + ")", value: value, generic: true})
		}
	}
	return out
}

func speaksOfSecrets(text string) bool {
	lower := strings.ToLower(text)
	for _, w := range secretWords {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

var madeUpName = regexp.MustCompile(`(?i)example|dummy|fake|test|mock|placeholder|sample|hash|digest|fingerprint|public|_id$|url|uri|path|file|name|field|header|cookie_?name|regex|pattern`)

// madeUp reports whether a value is an obvious placeholder.
func madeUp(v string) bool { return placeholderLike.MatchString(v) }

// random reports whether a value looks drawn by chance: letters of both cases or hexadecimal digits mixed with
// digits, without the separators of names and paths.
func random(v string) bool {
	lower, upper, digits, other := 0, 0, 0, 0
	for _, c := range v {
		switch {
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= '0' && c <= '9':
			digits++
		case strings.ContainsRune("+/=_-!@#$%^&*~.", c):
			other++
		default:
			return false
		}
	}
	if digits < 2 || lower+upper < 4 || strings.Count(v, ".") > 1 || strings.Count(v, "/") > 3 || strings.Count(v, "-") > 4 || strings.HasPrefix(v, "$") || strings.HasPrefix(v, "/") || strings.Contains(v, "::") {
		return false
	}
	if looksLikeName.MatchString(v) {
		return false
	}
	return entropy(v) >= 3.3 && (lower > 0 && upper > 0 || other > 0 || entropy(v) >= 3.4)
}

var looksLikeName = regexp.MustCompile(`^([A-Za-z]+[0-9]{0,3}[_.-]?)+$|^[a-z]+(\.[A-Za-z0-9_]+)+$|^[A-Z][A-Z0-9_]*$`)

// entropy is Shannon's, in bits a character.
func entropy(s string) float64 {
	var count [256]int
	for i := range len(s) {
		count[s[i]]++
	}
	h := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(s))
			h -= p * math.Log2(p)
		}
	}
	return h
}

// mask keeps a secret out of the finding.
func mask(text, value string) string {
	shown := ""
	if len(value) > 12 {
		shown = value[:4]
	}
	return strings.ReplaceAll(text, value, shown+"…")
}

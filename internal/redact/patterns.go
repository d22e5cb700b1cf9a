package redact

import (
	"bytes"
	"regexp"
)

// match is one place where a text holds what looks like a credential.
type match struct {
	rule       string // such as "github-token"
	start, end int    // bytes

	from int // where the pattern began to match: a label may stand before what is secret
}

// pattern is one kind of well-known credential. hint is a literal without which the pattern cannot match: looking
// for it first keeps the regular expressions away from nearly all text. group is the part that is secret; 0 is all.
//
// The streaming Writer relies on this: no pattern but the one for PEM goes beyond a line, and what is secret in a
// match is a run of token bytes (see isToken) that ends where the match can grow no further.
type pattern struct {
	rule  string
	hint  []byte
	re    *regexp.Regexp
	group int
}

const pemRule = "private-key"

var patterns = []pattern{
	{"anthropic-key", []byte("sk-ant-"), regexp.MustCompile(`sk-ant-[A-Za-z0-9_-]{16,}`), 0},
	{"openai-key", []byte("sk-"), regexp.MustCompile(`\bsk-(?:proj-|svcacct-|admin-|or-v1-|None-)?[A-Za-z0-9_-]*[A-Za-z0-9]{16}[A-Za-z0-9_-]*`), 0},
	{"github-token", []byte("gh"), regexp.MustCompile(`gh[pousr]_[A-Za-z0-9]{30,}`), 0},
	{"github-token", []byte("github_pat_"), regexp.MustCompile(`github_pat_[A-Za-z0-9_]{22,}`), 0},
	{"gitlab-token", []byte("gl"), regexp.MustCompile(`\bgl(?:pat|ptt|dt|rt|cbt|imt|ft|soat|agent|oas)-[A-Za-z0-9_.-]{20,}`), 0},
	{"aws-key", []byte("IA"), regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`), 0},
	{"aws-secret", []byte("ecret"), regexp.MustCompile(`(?i)aws_?secret_?(?:access_?)?key["']?[ \t]{0,4}[:=][ \t]{0,4}["']?([A-Za-z0-9/+=]{40})`), 1},
	{"google-key", []byte("AIza"), regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}`), 0},
	{"google-oauth", []byte("ya29."), regexp.MustCompile(`\bya29\.[A-Za-z0-9_-]{20,}`), 0},
	{"slack-token", []byte("xox"), regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`), 0},
	{"slack-webhook", []byte("hooks.slack.com/services/"), regexp.MustCompile(`hooks\.slack\.com/services/[A-Za-z0-9/_-]{20,}`), 0},
	{"npm-token", []byte("npm_"), regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36,}`), 0},
	{"pypi-token", []byte("pypi-"), regexp.MustCompile(`\bpypi-[A-Za-z0-9_-]{50,}`), 0},
	{"huggingface-token", []byte("hf_"), regexp.MustCompile(`\bhf_[A-Za-z0-9]{30,}`), 0},
	{"stripe-key", []byte("k_live_"), regexp.MustCompile(`\b[sr]k_live_[A-Za-z0-9]{16,}`), 0},
	{"sendgrid-key", []byte("SG."), regexp.MustCompile(`\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`), 0},
	{"digitalocean-token", []byte("_v1_"), regexp.MustCompile(`\bdo[opr]_v1_[a-f0-9]{64}`), 0},
	{"atlassian-token", []byte("ATATT3"), regexp.MustCompile(`\bATATT3[A-Za-z0-9_=-]{20,}`), 0},
	{"json-web-token", []byte("eyJ"), regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), 0},
	{"url-password", []byte("://"), regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@"'<>\\]{0,100}:([^\s/@"'<>\\]{3,})@`), 1},
	{"authorization", []byte("uthorization"), regexp.MustCompile(`(?i)authorization["']?[ \t]{0,4}[:=][ \t]{0,4}["']?(?:bearer|basic|token)[ \t]{1,4}([A-Za-z0-9_.~+/=-]{12,})`), 1},
	{pemRule, []byte("PRIVATE KEY"), regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)`), 0},
}

func (p pattern) find(text []byte, found []match) []match {
	if !bytes.Contains(text, p.hint) {
		return found
	}
	for _, at := range p.re.FindAllSubmatchIndex(text, -1) {
		start, end := at[2*p.group], at[2*p.group+1]
		if !bytes.Equal(text[start:end], []byte(Mark)) {
			found = append(found, match{p.rule, start, end, at[0]})
		}
	}
	return found
}

// isToken reports whether a byte can stand inside a credential that a pattern matches.
func isToken(c byte) bool {
	return c > ' ' && c != '"' && c != '\'' && c != '<' && c != '>' && c != '\\'
}

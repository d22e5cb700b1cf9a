package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

// samples are made up, one or more for each rule. The pieces are joined here so that no scanner takes this file for a leak.
var samples = []struct{ rule, text string }{
	{"anthropic-key", "sk-ant-" + "api03-AbCdEfGhIjKlMnOpQrStUvWxYz_0123456789-AA"},
	{"openai-key", "sk-" + "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL"},
	{"openai-key", "sk-" + "proj-abc_DEF-0123456789abcdefABCDEF0123456789"},
	{"github-token", "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"},
	{"github-token", "ghs_" + "0123456789abcdefghijABCDEFGHIJ012345"},
	{"github-token", "github_pat_" + "11ABCDEFG0123456789_abcdefghijklmnopqrstuvwxyz"},
	{"gitlab-token", "glpat-" + "abcdefghijklmnopqrst"},
	{"aws-key", "AKIA" + "IOSFODNN7EXAMPLE"},
	{"aws-secret", "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
	{"google-key", "AIza" + "SyA-0123456789abcdefghijklmnopqrstu"},
	{"google-oauth", "ya29." + "a0AfH6SMBx0123456789abcdef"},
	{"slack-token", "xoxb-" + "123456789012-abcdefghijkl"},
	{"slack-webhook", "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"},
	{"npm-token", "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789"},
	{"pypi-token", "pypi-" + "AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAw"},
	{"huggingface-token", "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"},
	{"stripe-key", "sk_live_" + "0123456789abcdefghijABCD"},
	{"sendgrid-key", "SG." + "abcdefghijklmnopqrstuv.wxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg"},
	{"digitalocean-token", "dop_v1_" + strings.Repeat("0123456789abcdef", 4)},
	{"atlassian-token", "ATATT3" + "xFfGF0abcdefghijklmnopqrstuv=ABCDEF01"},
	{"json-web-token", "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"},
	{"url-password", "https://build:" + "hunter2hunter2@git.example.com/x.git"},
	{"authorization", "Authorization: Bearer " + "0123456789abcdef0123"},
	{"authorization", `"authorization": "Basic ` + `dXNlcjpwYXNzd29yZA=="`},
	{"private-key", "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEowIBAAKCAQEA0123456789\nabcdefgh\n-----END RSA PRIVATE" + " KEY-----"},
	{"private-key", "-----BEGIN PRIVATE" + ` KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END PRIVATE` + ` KEY-----`},
	{"private-key", "-----BEGIN OPENSSH PRIVATE" + " KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA"},
}

// harmless is what must be left alone.
var harmless = []string{
	"task-abcdefghijklmnopqrstuvwxyz0123", "disk-usage-of-the-whole-machine-at-noon", "risk-free", "sk-learn", "sk-1",
	"https://example.com/a:b@c", "https://user@example.com/", "git@github.com:acme/billing.git", "http://localhost:8080/x",
	"AKIA", "ghp_short", "const eyJ = 1", "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "authorization: required", "Authorization: Bearer $TOKEN",
	"func TestSkipsAntHills(t *testing.T) {", `glob("**/*.go")`, "import \"golang.org/x/mod/semver\"", "hf_transfer", "xox-box",
	"4f2c1b7e-8d3a-4c55-9f10-2b6d7e8f9a01", "npm_config_registry", "pypi-publish",
}

func TestPatterns(t *testing.T) {
	r := New()
	for _, s := range samples {
		got := r.String("before " + s.text + " after")
		if !strings.Contains(got, Mark) {
			t.Errorf("%s: %q was left", s.rule, s.text)
		}
		if s.rule != "private-key" && !strings.HasSuffix(got, " after") {
			t.Errorf("%s: what follows was taken too: %q", s.rule, got)
		}
		found := false
		for _, p := range patterns {
			found = found || p.rule == s.rule && len(p.find([]byte(s.text), nil)) > 0
		}
		if !found {
			t.Errorf("the pattern of %s does not find %q", s.rule, s.text)
		}
	}
	for _, text := range harmless {
		if got := r.String(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	seen := map[string]bool{}
	for _, s := range samples {
		seen[s.rule] = true
	}
	for _, p := range patterns {
		if !seen[p.rule] {
			t.Errorf("rule %s has no sample", p.rule)
		}
	}
}

func TestOnlyTheSecretPartGoes(t *testing.T) {
	got := New().String("https://build:" + "hunter2hunter2@git.example.com/x.git")
	if got != "https://build:"+Mark+"@git.example.com/x.git" {
		t.Error(got)
	}
}

func TestRedactingTwiceChangesNothing(t *testing.T) {
	r := New("known-secret-value")
	for _, s := range samples {
		once := r.String("a known-secret-value " + s.text)
		if twice := r.String(once); twice != once {
			t.Errorf("%q became %q", once, twice)
		}
	}
}

// disguises are the ways in which a known value may be written.
func disguises(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	nested, _ := json.Marshal(string(quoted))
	return map[string]string{
		"plain": secret, "JSON": string(quoted), "JSON in JSON": string(nested),
		"JSON with slashes":    strings.ReplaceAll(string(quoted), "/", `\/`),
		"query":                url.QueryEscape(secret),
		"path":                 url.PathEscape(secret),
		"lower case escapes":   lowerEscapes(url.QueryEscape(secret)),
		"hexadecimal":          hex.EncodeToString([]byte(secret)),
		"base64":               base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 of user:value": base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		"base64 with one more": base64.StdEncoding.EncodeToString([]byte("x" + secret + "yz")),
		"base64 for URLs":      base64.URLEncoding.EncodeToString([]byte("ab" + secret + "?")),
	}
}

func TestKnownValuesInEveryDisguise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.OneOf(
			rapid.StringMatching(`[A-Za-z0-9_/+=.-]{12,60}`),
			rapid.StringN(12, 40, 80),
			rapid.Just("p\"w\\<&>/é\n\u2028-password"),
		).Draw(t, "secret")
		r := New(secret)
		for how, text := range disguises(secret) {
			got := r.Known([]byte("before " + text + " after"))
			if !bytes.Contains(got, []byte(Mark)) {
				t.Fatalf("%s of %q was left: %q", how, secret, got)
			}
			// What base64 leaves may hold a few bits of the value's ends, and never more.
			if how == "plain" && bytes.Contains(got, []byte(secret)) {
				t.Fatalf("%q is still there", secret)
			}
		}
	})
}

func TestShortValuesAreIgnored(t *testing.T) {
	r := New("", "a", "abcde")
	if got := r.String("abcde a b"); got != "abcde a b" {
		t.Error(got)
	}
}

// TestStreams cuts texts anywhere and wants the same as from one piece.
func TestStreams(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known := rapid.SliceOfN(rapid.StringMatching(`[a-c"/\n]{6,14}`), 0, 3).Draw(t, "known")
		var pieces []string
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			pieces = append(pieces, rapid.OneOf(
				rapid.StringMatching(`[a-c"/ \n]{0,12}`),
				rapid.Custom(func(t *rapid.T) string { return samples[rapid.IntRange(0, len(samples)-4).Draw(t, "sample")].text }),
				rapid.SampledFrom(append([]string{"\n"}, known...)),
			).Draw(t, "piece"))
		}
		text := strings.Join(pieces, rapid.SampledFrom([]string{"", " ", "\n"}).Draw(t, "between"))
		r := New(known...)
		for _, onlyKnown := range []bool{false, true} {
			var out bytes.Buffer
			w, want := r.Writer(&out), r.String(text)
			if onlyKnown {
				w, want = r.KnownWriter(&out), string(r.Known([]byte(text)))
			}
			for rest := text; rest != ""; {
				n := min(len(rest), rapid.IntRange(1, 20).Draw(t, "cut"))
				if _, err := w.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for _, k := range known {
				if strings.Contains(out.String(), k) && !strings.Contains(want, k) {
					t.Fatalf("%q leaks %q: %q", text, k, out.String())
				}
			}
			if out.String() != want {
				t.Fatalf("only known %v\ntext %q\ngot  %q\nwant %q", onlyKnown, text, out.String(), want)
			}
		}
	})
}

func TestAPrivateKeyThatComesInLines(t *testing.T) {
	var out bytes.Buffer
	w := New().Writer(&out)
	for line := range strings.Lines("log\n-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEowIBAAKC\nAQEA0123456789\n-----END RSA PRIVATE" + " KEY-----\nrest\n") {
		w.Write([]byte(line))
	}
	w.Close()
	if got := out.String(); got != "log\n"+Mark+"\nrest\n" {
		t.Errorf("%q", got)
	}
}

func TestAPrivateKeyWithoutAnEndHidesABoundedStretch(t *testing.T) {
	var out bytes.Buffer
	w := New().Writer(&out)
	w.Write([]byte("authorization: bearer abcdefghijkl-----BEGIN RSA PRIVATE" + " KEY-----\n"))
	for range 3 * maxPEM / 64 {
		w.Write([]byte(strings.Repeat("a", 63) + "\n"))
		if len(w.buf) > maxLine {
			t.Fatalf("%d bytes are held", len(w.buf))
		}
	}
	w.Close()
	if n := out.Len(); n < maxPEM || n > 2*maxPEM+100 {
		t.Errorf("%d bytes came out", n)
	}
}

func TestEndlessLines(t *testing.T) {
	key := samples[0].text
	var out bytes.Buffer
	w := New("known-secret-value").Writer(&out)
	filler := strings.Repeat("x", 1<<10)
	for i := range 400 { // no line ends anywhere
		text := filler
		switch i % 40 {
		case 7:
			text = " " + key
		case 8:
			text = " known-secret-value"
		}
		for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} {
			if _, err := w.Write([]byte(half)); err != nil {
				t.Fatal(err)
			}
		}
		if len(w.buf) > maxLine+2<<10 {
			t.Fatalf("%d bytes are held", len(w.buf))
		}
	}
	w.Close()
	if got := out.String(); strings.Contains(got, "AbCdEfGh") || strings.Contains(got, "known-secret") || len(got) < 380<<10 {
		t.Errorf("%d bytes, or a secret, came out", len(got))
	}
	// A token that never ends does not come out piece by piece.
	out.Reset()
	w = New().Writer(&out)
	w.Write([]byte(key))
	for range 200 {
		w.Write([]byte(strings.Repeat("A", 1<<10)))
	}
	w.Write([]byte(" after\n"))
	w.Close()
	if got := out.String(); got != Mark+" after\n" {
		t.Errorf("%.100q…, %d bytes", got, len(got))
	}
}

func TestAStreamWithoutSecretsPassesAtOnce(t *testing.T) {
	var out bytes.Buffer
	w := New("known-secret-value").KnownWriter(&out)
	for _, event := range []string{"data: {\"a\":1}\n\n", "data: kn", "own\n\n"} {
		before := out.Len()
		w.Write([]byte(event))
		if event != "data: kn" && out.Len() == before {
			t.Errorf("%q is held back", event)
		}
	}
	if out.String() != "data: {\"a\":1}\n\ndata: known\n\n" {
		t.Errorf("%q", out.String())
	}
}

func TestErrors(t *testing.T) {
	r := New("known-secret-value")
	if r.Error(nil) != nil {
		t.Error("nil became an error")
	}
	fine := fleet.Errorf(fleet.CodeGit, "nothing secret")
	if r.Error(fine) != error(fine) {
		t.Error("an error without a secret was changed")
	}
	err := r.Error(&fleet.Error{Code: fleet.CodeForge, Message: "push to known-secret-value", Hint: "drop known-secret-value",
		Err: fleet.Errorf(fleet.CodeGit, "known-secret-value: %w", fs.ErrNotExist)})
	if strings.Contains(err.Error()+fleet.HintOf(err), "known-secret") {
		t.Errorf("%v, %s", err, fleet.HintOf(err))
	}
	if fleet.CodeOf(err) != fleet.CodeForge || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("code %s, cause kept %v", fleet.CodeOf(err), errors.Is(err, fs.ErrNotExist))
	}
	var inner *fleet.Error
	for at := err; at != nil; at = errors.Unwrap(at) {
		if errors.As(at, &inner) && strings.Contains(inner.Message, "known-secret") {
			t.Error("the chain still holds it")
		}
	}
}

func FuzzWriter(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s.text), uint8(7))
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----BEGIN"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, step uint8) {
		r := New("known-secret-value")
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := text; len(rest) > 0; {
			n := min(len(rest), int(step)+1)
			w.Write(rest[:n])
			rest = rest[n:]
		}
		w.Close()
		if bytes.Contains(out.Bytes(), []byte("known-secret-value")) {
			t.Fatalf("%q leaks", text)
		}
	})
}

func BenchmarkString(b *testing.B) {
	r := New(samples[0].text, samples[3].text)
	text := strings.Repeat("func (w *Writer) Write(p []byte) (int, error) { return w.pass(p) } // an ordinary line of code\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.String(text)
	}
}

package publish

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"golang.org/x/crypto/ssh"
	"google.golang.org/protobuf/encoding/protojson"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
	"gaggle/internal/spec"
)

var update = flag.Bool("update", false, "write the golden files")

// secret stands wherever text could carry one.
const secret = "s3cr3t-hunter2"

// told is a proposal with everything in it that provenance tells, and everything that it must not.
func told() Proposal {
	at := time.Date(2026, 3, 1, 13, 0, 0, 123_000, time.FixedZone("CET", 3600))
	usage := fleet.Usage{Calls: 3, Cost: 250_000, Models: map[string]fleet.Tokens{"judge-1": {Input: 10, Output: 1}, "coder-2": {Input: 1000, Output: 100, CacheRead: 5}}}
	report := &fleet.Report{Checks: []fleet.Check{
		{Verifier: "go test", Command: "TOKEN=" + secret + " go test ./...", Outcome: fleet.Passed, Lines: []string{secret}},
		{Verifier: "make lint", Outcome: fleet.FailedBefore, Failures: []fleet.Failure{{Key: secret, Lines: []string{secret}}}},
	}}
	return Proposal{
		Campaign: &spec.Campaign{
			Metadata: spec.Metadata{Name: "ioutil-to-io", Owner: "group:default/platform", Description: secret}, Judge: spec.Judge{Mode: spec.JudgeEnforce, Prompt: secret}, Guard: spec.Guard{Allow: []string{"ci-edited"}},
			Change: spec.Change{Agent: "claude", Prompt: "Use io. " + secret, Env: map[string]string{"KEY": secret}},
		},
		Repository: fleet.Repository{Name: "acme/billing", URL: "https://user:" + secret + "@git.example.com/acme/billing.git?token=" + secret},
		Component:  fleet.Component{Ref: "component:default/billing", Name: "billing", Path: "services/billing", Description: secret},
		Target: fleet.Target{Campaign: "ioutil-to-io", Component: "component:default/billing", ChangeHash: strings.Repeat("c", 64), BaseCommit: strings.Repeat("1", 40), BaseTree: strings.Repeat("2", 40), ResultTree: strings.Repeat("3", 40),
			Branch: "gaggle/ioutil-to-io/billing", Stat: fleet.DiffStat{Files: 2, Added: 3, Deleted: 3}, Message: secret, Usage: fleet.Usage{Cost: 900_000}},
		Attempt: fleet.Attempt{ID: 7, Number: 2, Agent: "claude", AgentVersion: "2.0.1", Message: secret, Usage: usage, StartedAt: at, EndedAt: at.Add(3 * time.Minute), Rounds: []fleet.Round{
			{Number: 1, Feedback: secret},
			{Number: 2, Summary: secret, Report: report, Findings: []fleet.Finding{{Rule: "test-deleted", File: "a_test.go", Line: 3, Message: secret, Excerpt: secret}}, Verdict: &fleet.Verdict{Pass: true, Model: "judge-1", Reasons: []string{secret}, Outside: []string{secret}}},
		}},
		Diff: []byte("diff " + secret), Onto: strings.Repeat("4", 40),
	}
}

func TestProvenanceGolden(t *testing.T) {
	p := attest(told())
	const file = "testdata/provenance.json"
	if *update {
		if err := os.WriteFile(file, p.Statement, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(want, p.Statement) {
		t.Errorf("go test ./internal/publish -run Golden -update: %v\n%s", err, p.Statement)
	}
	if again := attest(told()); again.Digest != p.Digest || p.Digest != "sha256:"+sum(p.Statement)["sha256"] {
		t.Errorf("digests %s and %s", again.Digest, p.Digest)
	}
}

func TestProvenanceHoldsNoSecret(t *testing.T) {
	p := attest(told())
	for _, private := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), "Use io", "user"} {
		if bytes.Contains(p.Statement, []byte(private)) {
			t.Errorf("it holds %q:\n%s", private, p.Statement)
		}
	}
	local := told()
	local.Repository.URL = "/home/ann/" + secret + "/billing"
	if got := attest(local).Statement; bytes.Contains(got, []byte("home")) {
		t.Errorf("it names a place on this machine:\n%s", got)
	}
}

// The rules are those of spec/v1 of in-toto/attestation: its own bindings check the statement, and what they leave out is checked here.
func TestProvenanceIsAnInTotoStatement(t *testing.T) {
	script := told()
	script.Campaign.Change.Agent, script.Campaign.Change.Script.Content = spec.AgentScript, []byte("true")
	bare := Proposal{Campaign: script.Campaign, Target: fleet.Target{ResultTree: strings.Repeat("3", 40)}}
	for name, in := range map[string]Proposal{"an agent's": told(), "a script's": script, "of nothing": bare} {
		p := attest(in)
		var s intoto.Statement
		if err := protojson.Unmarshal(p.Statement, &s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.GetType() != intoto.StatementTypeUri {
			t.Errorf("%s: type %s", name, s.GetType())
		}
		if !regexp.MustCompile(`^[a-z][a-z0-9+.-]*:\S+:v\d+$`).MatchString(s.GetPredicateType()) {
			t.Errorf("%s: predicate type %s has no version, or no lower-case scheme", name, s.GetPredicateType())
		}
		for _, subject := range s.GetSubject() {
			for algorithm, digest := range subject.GetDigest() {
				if !regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`).MatchString(digest) {
					t.Errorf("%s: digest %s %q", name, algorithm, digest)
				}
			}
		}
		var tree map[string]any
		if err := json.Unmarshal(p.Statement, &tree); err != nil {
			t.Fatal(err)
		}
		walk(tree["predicate"], func(key string, value any) {
			if !regexp.MustCompile(`^[a-zA-Z0-9]+$`).MatchString(key) {
				t.Errorf("%s: field %q", name, key)
			}
			if text, ok := value.(string); ok && strings.HasSuffix(key, "On") {
				if at, err := time.Parse(time.RFC3339Nano, text); err != nil || !strings.HasSuffix(text, "Z") || at.Year() != 2026 {
					t.Errorf("%s: %s is %q", name, key, text)
				}
			}
		})
	}
}

func walk(v any, visit func(key string, value any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			visit(k, x)
			walk(x, visit)
		}
	case []any:
		for _, x := range v {
			walk(x, visit)
		}
	}
}

// keyFile saves a private key as ssh-keygen does.
func keyFile(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEnvelope(t *testing.T) {
	if got := string(pae("http://example.com/HelloWorld", []byte("hello world"))); got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" { // the vector of DSSE's specification
		t.Errorf("PAE %q", got)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := &git.Signing{Format: "ssh", Key: keyFile(t, private)}
	statement := attest(told()).Statement
	data, err := seal(statement, sign)
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil || len(e.Signatures) != 1 || e.PayloadType != "application/vnd.in-toto+json" {
		t.Fatalf("%s, %v", data, err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil || !bytes.Equal(payload, statement) {
		t.Errorf("payload %q, %v", payload, err)
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err != nil || !ed25519.Verify(public, pae(e.PayloadType, payload), sig) {
		t.Errorf("the signature does not verify, %v", err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil || e.Signatures[0].KeyID != ssh.FingerprintSHA256(sshPublic) {
		t.Errorf("key id %s, %v", e.Signatures[0].KeyID, err)
	}
	if again, err := seal(statement, sign); err != nil || !bytes.Equal(again, data) {
		t.Errorf("sealed again it differs, %v", err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, sign := range map[string]*git.Signing{"nothing": nil, "an OpenPGP key": {Format: "openpgp", Key: "x"}, "an RSA key": {Format: "ssh", Key: keyFile(t, other)}} {
		if data, err := seal(statement, sign); err != nil || data != nil {
			t.Errorf("sealed by %s: %s, %v", name, data, err)
		}
	}
	if _, err := seal(statement, &git.Signing{Format: "ssh", Key: "/nowhere"}); fleet.CodeOf(err) != fleet.CodeSignature {
		t.Error(err)
	}
}

package publish

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/spec"
)

// The types of what says how a change came about.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "urn:gaggle:change:v1"
)

// Provenance says how a change came about, for machines: an in-toto statement, and the envelope in which it is signed. It holds no
// prompt, no command, no environment and no text that an agent or a model worded.
type Provenance struct {
	Statement []byte
	Digest    string // of Statement: sha256:…
	Envelope  []byte // DSSE; nil where nothing signs it
}

// statement is the middle layer of an in-toto attestation.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

type digests map[string]string // by algorithm: sha256, gitCommit, gitTree

type resource struct {
	Name   string  `json:"name,omitempty"`
	URI    string  `json:"uri,omitempty"`
	Digest digests `json:"digest,omitempty"`
}

// predicate is what is said of the change.
type predicate struct {
	Campaign   string         `json:"campaign"`
	Owner      string         `json:"owner,omitempty"`
	ChangeHash string         `json:"changeHash"`        // of everything that influences the change, as Gaggle reckons it
	Prompt     digests        `json:"prompt,omitempty"`  // of what was asked
	Program    digests        `json:"program,omitempty"` // of the script
	Reverts    string         `json:"reverts,omitempty"` // the campaign whose change is taken back
	Component  string         `json:"component"`
	Path       string         `json:"path,omitempty"`
	Base       resource       `json:"base"`             // what was changed
	Parent     *resource      `json:"parent,omitempty"` // the commit before, where that is not the base
	Result     resource       `json:"result"`           // what came of it
	Stat       fleet.DiffStat `json:"stat"`
	Agent      maker          `json:"agent"`
	Models     []model        `json:"models"` // that were asked in the attempt, the judge's too
	Attempt    attempted      `json:"attempt"`
	Verifiers  []verified     `json:"verifiers"`
	Guard      guarded        `json:"guard"`
	Judge      judged         `json:"judge"`
	Cost       cost           `json:"cost"`
}

type maker struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type model struct {
	Name   string       `json:"name"`
	Tokens fleet.Tokens `json:"tokens"`
}

type attempted struct {
	Number     int    `json:"number"`
	Rounds     int    `json:"rounds"`
	Remembered bool   `json:"remembered,omitempty"` // an equal attempt was made before
	StartedOn  string `json:"startedOn,omitempty"`
	FinishedOn string `json:"finishedOn,omitempty"`
}

type verified struct {
	Name    string             `json:"name"`
	Outcome fleet.CheckOutcome `json:"outcome"`
}

type guarded struct {
	Findings []found  `json:"findings"`
	Allowed  []string `json:"allowed,omitempty"` // rules that the campaign does not hold the change to
}

type found struct {
	Rule string `json:"rule"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

type judged struct {
	Mode  string `json:"mode"`
	Model string `json:"model,omitempty"`
	Pass  *bool  `json:"pass,omitempty"` // absent where no judge has answered
}

// cost is in millionths of a US dollar.
type cost struct {
	Attempt fleet.Money `json:"attemptMicroUSD"`
	Target  fleet.Money `json:"targetMicroUSD"`
	Calls   int         `json:"modelCalls"`
}

// attest says how a change came about. The same proposal gives the same bytes.
func attest(in Proposal) Provenance {
	c, t, a := in.Campaign, in.Target, in.Attempt
	tree := resource{Name: clean(in.Repository.Name), URI: location(in.Repository.URL, t.Branch), Digest: gitDigest("gitTree", t.ResultTree)}
	p := predicate{
		Campaign: t.Campaign, Owner: c.Metadata.Owner, ChangeHash: t.ChangeHash, Component: clean(t.Component), Path: clean(in.Component.Path),
		Base: resource{Digest: gitDigest("gitCommit", t.BaseCommit, "gitTree", t.BaseTree)}, Result: resource{Digest: tree.Digest}, Stat: t.Stat,
		Agent: maker{c.Change.Agent, clean(a.AgentVersion)}, Models: []model{}, Verifiers: []verified{}, Guard: guarded{Findings: []found{}, Allowed: c.Guard.Allow},
		Attempt: attempted{Number: a.Number, Remembered: a.Remembered, StartedOn: timestamp(a.StartedAt), FinishedOn: timestamp(a.EndedAt)},
		Judge:   judged{Mode: c.Judge.Mode}, Cost: cost{a.Usage.Cost, t.Usage.Cost, a.Usage.Calls},
	}
	switch c.Change.Agent {
	case spec.AgentScript:
		p.Program = sum(c.Change.Script.Content)
	case spec.AgentRevert:
		p.Reverts = c.Change.Reverts
	default:
		p.Prompt = sum([]byte(c.Change.Prompt))
	}
	if in.Onto != "" {
		p.Parent = &resource{Digest: gitDigest("gitCommit", in.Onto)}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Usage.Models)) {
		p.Models = append(p.Models, model{clean(name), a.Usage.Models[name]})
	}
	if n := len(a.Rounds); n > 0 {
		last := a.Rounds[n-1]
		p.Attempt.Rounds = cmp.Or(last.Number, n)
		if last.Report != nil {
			for _, check := range last.Report.Checks {
				p.Verifiers = append(p.Verifiers, verified{clean(check.Verifier), check.Outcome})
			}
		}
		for _, f := range last.Findings {
			p.Guard.Findings = append(p.Guard.Findings, found{clean(f.Rule), clean(f.File), f.Line})
		}
		if v := last.Verdict; v != nil {
			p.Judge.Model, p.Judge.Pass = clean(v.Model), &v.Pass
		}
	}
	data, err := json.MarshalIndent(statement{StatementType, []resource{tree, {Name: "diff", Digest: sum(in.Diff)}}, PredicateType, p}, "", "  ")
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	data = append(data, '\n')
	return Provenance{Statement: data, Digest: "sha256:" + sum(data)["sha256"]}
}

// clean makes an outsider's word fit to be shown.
func clean(s string) string { return oneLine(agent.Printable(s, maxLine)) }

func sum(data []byte) digests {
	h := sha256.Sum256(data)
	return digests{"sha256": hex.EncodeToString(h[:])}
}

// gitDigest is a digest set of git objects, without those that are not known.
func gitDigest(pairs ...string) digests {
	d := digests{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			d[pairs[i]] = pairs[i+1]
		}
	}
	return d
}

// location names a branch as SPDX does, where the repository is on another machine. Nobody's credential is in it.
func location(clone, branch string) string {
	u, err := url.Parse(clone)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh" {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return "git+" + u.String() + "@" + url.PathEscape(branch)
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

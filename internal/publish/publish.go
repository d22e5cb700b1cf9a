package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
	"gaggle/internal/spec"
)

// Config is what a Publisher works with.
type Config struct {
	Git *git.Store
	// Forge finds a forge by the name that repositories carry.
	Forge func(name string) (forge.Forge, error)
	// Author is who the commits are by. Defaults to DefaultAuthor.
	Author git.Identity
	// Sign is how commits are signed. Defaults to not at all.
	Sign *git.Signing
}

// DefaultAuthor is who commits are by where nobody says otherwise.
func DefaultAuthor() git.Identity { return git.Identity{Name: "Gaggle", Email: "gaggle@localhost"} }

// Publisher opens, looks at and withdraws pull requests.
type Publisher struct{ cfg Config }

// New makes a Publisher.
func New(cfg Config) *Publisher {
	if cfg.Author.Name == "" {
		cfg.Author = DefaultAuthor()
	}
	return &Publisher{cfg}
}

// Proposal is a ready target.
type Proposal struct {
	Campaign   *spec.Campaign
	Target     fleet.Target
	Repository fleet.Repository
	Component  fleet.Component
	Attempt    fleet.Attempt
	Diff       []byte
	// Onto makes the commit the child of this one instead of the base: the branch's own tip, when the change was revised on
	// the same base, so that reviewers see what is new.
	Onto string
	// With are further ready targets of the same repository whose changes go into the same pull request, each as a commit on
	// top of the one before.
	With []Proposal
	// Revision says that the pull request is or was open: one that has ended meanwhile is left alone.
	Revision bool
}

// Published is what became of it.
type Published struct {
	Head string // commit on the branch
	Pull forge.Pull
	// Provenance says how the change came about; zero when nothing was pushed because the pull request had ended.
	Provenance Provenance
	// With says the same of each of Proposal.With; nil when the pull request had ended with something else in it.
	With []Provenance
}

// Branch names the branch of a target: the campaign's own, or below it the component's where a repository holds several.
func Branch(campaign string, c fleet.Component, alone bool) string {
	if alone && c.Path == "." {
		return "gaggle/" + campaign
	}
	return "gaggle/" + campaign + "/" + branchName(c)
}

// branchName is a component's part of a branch.
func branchName(c fleet.Component) string {
	name := c.Name
	if c.Namespace != "" && c.Namespace != "default" {
		name = c.Namespace + "." + c.Name
	}
	return git.Escape(name)
}

// Publish pushes the diff and opens the pull request, or finds them.
func (p *Publisher) Publish(ctx context.Context, in Proposal) (Published, error) {
	f, err := p.cfg.Forge(in.Repository.Forge)
	if err != nil {
		return Published{}, err
	}
	t := in.Target
	// A pull request of this branch that people have ended stays ended: look before anything is pushed.
	found, err := f.Find(ctx, in.Repository, t.Branch)
	if err != nil && fleet.CodeOf(err) != fleet.CodeNotFound {
		return Published{}, err
	}
	ended := err == nil && found.State != forge.StateOpen && found.HeadSHA != "" && (in.Revision || found.Number != t.PullNumber)
	if ended && len(in.With) == 0 {
		return Published{Head: found.HeadSHA, Pull: found}, nil
	}
	head, proof, err := p.commit(ctx, in, git.CommitSpec{Base: t.BaseCommit, Onto: in.Onto, Tree: t.ResultTree})
	if err != nil {
		return Published{}, err
	}
	head, with, err := p.stack(ctx, in, head)
	if err != nil {
		return Published{}, err
	}
	switch {
	case ended && head == found.HeadSHA: // pushed before a crash, and ended with everything that it holds
		return Published{Head: head, Pull: found, Provenance: proof, With: with}, nil
	case ended:
		return Published{Head: found.HeadSHA, Pull: found}, nil
	}
	url := in.Repository.URL
	if h, ok := f.(forge.PushTarget); ok {
		if url, err = h.PushURL(ctx, in.Repository); err != nil {
			return Published{}, err
		}
	}
	if head, err = p.push(ctx, in, url, head, found); err != nil {
		return Published{}, err
	}
	pull, err := f.Open(ctx, forge.PullSpec{
		Repo: in.Repository, HeadBranch: t.Branch, BaseBranch: in.Repository.DefaultBranch,
		Title: titles(in), Body: body(in, proof, with), Labels: labels(in), Reviewers: reviewers(in), Draft: draft(in),
	})
	return Published{Head: head, Pull: pull, Provenance: proof, With: with}, err
}

// commit makes the commit of one change, and says how it came about. spec says what the diff applies to.
func (p *Publisher) commit(ctx context.Context, in Proposal, spec git.CommitSpec) (string, Provenance, error) {
	proof := attest(in)
	var err error
	if proof.Envelope, err = seal(proof.Statement, p.cfg.Sign); err != nil {
		return "", proof, err
	}
	spec.Diff, spec.Message, spec.Author, spec.Date, spec.Sign = in.Diff, commitMessage(in, proof.Digest), p.cfg.Author, commitDate(in.Target), p.cfg.Sign
	head, err := p.cfg.Git.Commit(ctx, in.Repository, spec)
	return head, proof, err
}

// push puts the commit on the branch when that stands where Gaggle left it, and returns what stands there then: the
// commit, or its twin that was pushed before a crash.
func (p *Publisher) push(ctx context.Context, in Proposal, url, head string, found forge.Pull) (string, error) {
	branch, last := in.Target.Branch, in.Target.HeadCommit
	err := p.cfg.Git.PushTo(ctx, in.Repository, url, head, branch, last)
	if err == nil || fleet.CodeOf(err) != fleet.CodeBranchTaken {
		return head, err
	}
	if twin, lookErr := p.cfg.Git.TwinAt(ctx, in.Repository, url, branch, head); lookErr == nil && twin != "" {
		return twin, nil
	}
	if last != "" && !in.Revision && found.State != forge.StateOpen {
		// The branch of a pull request that is over was deleted, as most are.
		err = p.cfg.Git.PushTo(ctx, in.Repository, url, head, branch, "")
	}
	return head, err
}

// Withdrawal names a pull request that is given up.
type Withdrawal struct {
	Repository fleet.Repository
	Number     int
	Branch     string
	Head       string // what Gaggle last pushed to the branch
	Comment    string
}

// Withdrawn is what became of a withdrawal.
type Withdrawn struct {
	Pull forge.Pull // as it was found; one that had ended stays as it was
	// Kept says why the branch is still there: others pushed to it, or the forge does not let it go.
	Kept error
}

// Withdraw closes a pull request with a comment and removes its branch, unless somebody else's commits are on it.
func (p *Publisher) Withdraw(ctx context.Context, w Withdrawal) (Withdrawn, error) {
	f, err := p.cfg.Forge(w.Repository.Forge)
	if err != nil {
		return Withdrawn{}, err
	}
	pull, err := f.Get(ctx, w.Repository, w.Number)
	if err != nil {
		return Withdrawn{}, err
	}
	out := Withdrawn{Pull: pull}
	if pull.State == forge.StateOpen {
		if err := f.Close(ctx, w.Repository, w.Number, w.Comment); err != nil {
			return out, err
		}
	}
	d, can := f.(forge.BranchDeleter)
	switch {
	case !can:
		out.Kept = forge.Unsupported("this forge deletes no branches")
	case pull.HeadSHA != w.Head:
		out.Kept = &fleet.Error{Code: fleet.CodeBranchTaken, Message: "somebody pushed to branch " + w.Branch}
	default:
		err = d.DeleteBranch(ctx, w.Repository, w.Branch, w.Head)
		if err != nil && (forge.Passing(err) || ctx.Err() != nil) {
			return out, err
		}
		out.Kept = err
	}
	return out, nil
}

// commitDate is fixed by the target, so that publishing twice makes one commit.
func commitDate(t fleet.Target) time.Time { return t.CreatedAt.Truncate(time.Second) }

func title(in Proposal) string {
	if in.Campaign.PullRequest.Title != "" {
		return in.Campaign.PullRequest.Title
	}
	return in.Campaign.Metadata.Name
}

// reviewers are those of the campaign, and the component's owner when that was asked for. What kind of entity the owner
// is says how forges name it: a person, or a team.
func reviewers(in Proposal) []string {
	list := slices.Clone(in.Campaign.PullRequest.Reviewers)
	for _, other := range in.With {
		list = union(list, reviewers(other))
	}
	kind, rest, _ := strings.Cut(in.Component.Owner, ":")
	_, name, ok := strings.Cut(rest, "/")
	if !in.Campaign.PullRequest.AskOwner || !ok {
		return list
	}
	if kind == "group" {
		name = "team/" + name
	}
	if !slices.Contains(list, name) {
		list = append(list, name)
	}
	return list
}

func commitMessage(in Proposal, provenance string) string {
	var b strings.Builder
	b.WriteString(title(in))
	if d := strings.TrimSpace(in.Campaign.Metadata.Description); d != "" && d != title(in) {
		b.WriteString("\n\n" + d)
	}
	b.WriteString("\n\n")
	if in.Campaign.PullRequest.Issue != "" {
		fmt.Fprintf(&b, "Refs: %s\n", oneLine(in.Campaign.PullRequest.Issue))
	}
	fmt.Fprintf(&b, "Gaggle-Campaign: %s\nGaggle-Component: %s\nGaggle-Provenance: %s\n", in.Target.Campaign, clean(in.Target.Component), provenance)
	return b.String()
}

// RetryAfter is how long the forge asked to wait; a minute when it did not say.
func RetryAfter(err error) time.Duration {
	if wait, ok := forge.RetryAfter(err); ok {
		return max(wait, time.Second)
	}
	return time.Minute
}

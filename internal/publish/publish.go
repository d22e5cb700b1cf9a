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
	// Author is who the commits are by. Defaults to "Gaggle <gaggle@localhost>".
	Author git.Identity
	// Sign is how commits are signed. Defaults to not at all.
	Sign *git.Signing
}

// Publisher opens, looks at and withdraws pull requests.
type Publisher struct{ cfg Config }

// New makes a Publisher.
func New(cfg Config) *Publisher {
	if cfg.Author.Name == "" {
		cfg.Author = git.Identity{Name: "Gaggle", Email: "gaggle@localhost"}
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
	// Revision says that the pull request is or was open: one that has ended meanwhile is left alone.
	Revision bool
}

// Published is what became of it.
type Published struct {
	Head string // commit on the branch
	Pull forge.Pull
}

// Branch names the branch of a target: the campaign's own, or below it the component's where a repository holds several.
func Branch(campaign string, c fleet.Component, alone bool) string {
	if alone && c.Path == "." {
		return "gaggle/" + campaign
	}
	name := c.Name
	if c.Namespace != "" && c.Namespace != "default" {
		name = c.Namespace + "." + c.Name
	}
	return "gaggle/" + campaign + "/" + git.Escape(name)
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
	switch {
	case err == nil && found.State != forge.StateOpen && found.HeadSHA != "" && (in.Revision || found.Number != t.PullNumber):
		return Published{Head: found.HeadSHA, Pull: found}, nil
	case err != nil && fleet.CodeOf(err) != fleet.CodeNotFound:
		return Published{}, err
	}
	head, err := p.cfg.Git.Commit(ctx, in.Repository, git.CommitSpec{
		Base: t.BaseCommit, Onto: in.Onto, Diff: in.Diff, Tree: t.ResultTree, Message: commitMessage(in), Author: p.cfg.Author, Date: commitDate(t), Sign: p.cfg.Sign,
	})
	if err != nil {
		return Published{}, err
	}
	url := in.Repository.URL
	if h, ok := f.(forge.PushTarget); ok {
		if url, err = h.PushURL(ctx, in.Repository); err != nil {
			return Published{}, err
		}
	}
	if err := p.push(ctx, in, url, head, found); err != nil {
		return Published{}, err
	}
	pull, err := f.Open(ctx, forge.PullSpec{
		Repo: in.Repository, HeadBranch: t.Branch, BaseBranch: in.Repository.DefaultBranch,
		Title: title(in), Body: body(in), Labels: in.Campaign.PullRequest.Labels, Reviewers: reviewers(in), Draft: in.Campaign.PullRequest.Draft,
	})
	return Published{Head: head, Pull: pull}, err
}

// push puts the commit on the branch when that stands where Gaggle left it.
func (p *Publisher) push(ctx context.Context, in Proposal, url, head string, found forge.Pull) error {
	err := p.cfg.Git.PushTo(ctx, in.Repository, url, head, in.Target.Branch, in.Target.HeadCommit)
	if in.Target.HeadCommit != "" && !in.Revision && fleet.CodeOf(err) == fleet.CodeBranchTaken && err != nil && found.State != forge.StateOpen {
		// The branch of a pull request that is over was deleted, as most are.
		return p.cfg.Git.PushTo(ctx, in.Repository, url, head, in.Target.Branch, "")
	}
	return err
}

// Withdraw closes a pull request with a comment and removes its branch where the forge can.
func (p *Publisher) Withdraw(ctx context.Context, repo fleet.Repository, number int, branch, comment string) error {
	f, err := p.cfg.Forge(repo.Forge)
	if err != nil {
		return err
	}
	pull, err := f.Get(ctx, repo, number)
	if err != nil {
		return err
	}
	if err := f.Close(ctx, repo, number, comment); err != nil {
		return err
	}
	if d, ok := f.(forge.BranchDeleter); ok {
		return d.DeleteBranch(ctx, repo, branch, pull.HeadSHA)
	}
	return nil
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

func commitMessage(in Proposal) string {
	var b strings.Builder
	b.WriteString(title(in))
	if d := strings.TrimSpace(in.Campaign.Metadata.Description); d != "" && d != title(in) {
		b.WriteString("\n\n" + d)
	}
	if in.Campaign.PullRequest.Issue != "" {
		b.WriteString("\n\nRefs: " + in.Campaign.PullRequest.Issue)
	}
	fmt.Fprintf(&b, "\n\nGaggle-Campaign: %s\nGaggle-Component: %s\n", in.Target.Campaign, in.Target.Component)
	return b.String()
}

// RetryAfter is how long the forge asked to wait; a minute when it did not say.
func RetryAfter(err error) time.Duration {
	if wait, ok := forge.RetryAfter(err); ok {
		return max(wait, time.Second)
	}
	return time.Minute
}

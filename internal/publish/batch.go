package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// Misfit says that a change does not apply on top of the others of its batch, so that it needs a pull request of its own.
type Misfit struct {
	Target int64
	Err    error
}

// Error implements error.
func (m *Misfit) Error() string {
	return fmt.Sprintf("the change of target %d does not fit on the others: %v", m.Target, m.Err)
}

// Unwrap returns why.
func (m *Misfit) Unwrap() error { return m.Err }

// stack makes the commits of the further changes, each on the one before, and returns the last.
func (p *Publisher) stack(ctx context.Context, in Proposal, head string) (string, []Provenance, error) {
	var with []Provenance
	for _, other := range in.With {
		other.Target.Branch, other.Onto = in.Target.Branch, head
		commit, proof, err := p.commit(ctx, other, git.CommitSpec{Base: head})
		if err != nil && fleet.CodeOf(err) == fleet.CodeMergeConflict {
			return "", nil, &Misfit{other.Target.ID, err}
		}
		if err != nil {
			return "", nil, err
		}
		head, with = commit, append(with, proof)
	}
	return head, with, nil
}

// titles is the title of the pull request.
func titles(in Proposal) string {
	list := []string{title(in)}
	for _, other := range in.With {
		list = union(list, []string{title(other)})
	}
	if len(list) == 1 {
		return list[0]
	}
	return forge.Clip(fmt.Sprintf("%d changes: %s", len(in.With)+1, strings.Join(list, "; ")), 200)
}

func labels(in Proposal) []string {
	list := in.Campaign.PullRequest.Labels
	for _, other := range in.With {
		list = union(list, other.Campaign.PullRequest.Labels)
	}
	return list
}

func draft(in Proposal) bool {
	return in.Campaign.PullRequest.Draft || slices.ContainsFunc(in.With, draft)
}

// union is list with what it lacks of more.
func union(list, more []string) []string {
	list = slices.Clone(list)
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

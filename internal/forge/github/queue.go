package github

import (
	"cmp"
	"context"
	"fmt"

	gh "github.com/google/go-github/v92/github"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

const (
	enqueueQuery = `mutation Enqueue($id:ID!,$head:GitObjectID!){enqueuePullRequest(input:{pullRequestId:$id,expectedHeadOid:$head}){mergeQueueEntry{id}}}`
	queuedQuery  = `query Queued($id:ID!){node(id:$id){...on PullRequest{isInMergeQueue state headRefOid}}}`
)

// enqueue puts a pull request into the merge queue that its base branch demands. GitHub refuses one that is in already, so
// a refusal is looked into.
func (f *Forge) enqueue(ctx context.Context, p *gh.PullRequest, spec forge.MergeSpec) error {
	number, id, head := p.GetNumber(), p.GetNodeID(), cmp.Or(spec.ExpectHead, p.GetHead().GetSHA())
	queued := forge.Queued(number, "in the merge queue of "+p.GetBase().GetRef())
	var data any
	problems, err := f.query(transport.Writing(ctx), enqueueQuery, map[string]any{"id": id, "head": head}, &data)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		return queued
	}
	var now struct {
		Node *struct {
			IsInMergeQueue    bool
			State, HeadRefOid string
		}
	}
	if _, err := f.query(ctx, queuedQuery, map[string]any{"id": id}, &now); err != nil {
		return err
	}
	at := fmt.Sprintf("pull request #%d", number)
	switch {
	case now.Node == nil:
	case now.Node.State == "MERGED":
		return nil
	case now.Node.HeadRefOid != head:
		return fleet.Errorf(fleet.CodeConflict, "the head of %s moved", at)
	case now.Node.IsInMergeQueue:
		return queued
	}
	return fleet.Errorf(fleet.CodeProtected, "the merge queue does not take %s: %.200q", at, problems[0].Message)
}

package azure

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

type thread struct {
	ID       int       `json:"id"`
	Deleted  bool      `json:"isDeleted"`
	Comments []comment `json:"comments"`
	Context  struct {
		File  string `json:"filePath"`
		Right struct {
			Line int `json:"line"`
		} `json:"rightFileStart"`
		Left struct {
			Line int `json:"line"`
		} `json:"leftFileStart"`
	} `json:"threadContext"`
	Properties map[string]property `json:"properties"`
	Identities map[string]person   `json:"identities"`
}

type comment struct {
	ID        int    `json:"id"`
	Author    person `json:"author"`
	Content   string `json:"content"`
	Published moment `json:"publishedDate"`
	Type      string `json:"commentType"` // text; system for what the host itself notes
	Deleted   bool   `json:"isDeleted"`
}

func (f *Forge) threads(ctx context.Context, repo fleet.Repository, n int) ([]thread, error) {
	var list values[thread]
	if err := f.on(ctx, repo, http.MethodGet, "/pullrequests/"+number(n)+"/threads", nil, nil, &list); err != nil {
		return nil, missing(repo, err, forge.NotFound(repo, "#"+number(n)))
	}
	return slices.DeleteFunc(list.Value, func(t thread) bool { return t.Deleted }), nil
}

// said are the comments of people.
func (t thread) said() []comment {
	return slices.DeleteFunc(slices.Clone(t.Comments), func(c comment) bool {
		return c.Deleted || c.Type == "system" || c.Type == "codeChange" || c.Content == ""
	})
}

// AddComment implements forge.Commenter. Its thread is a closed one: an open one would hold back the merge where a policy
// wants every thread to be resolved.
func (f *Forge) AddComment(ctx context.Context, repo fleet.Repository, n int, body string) error {
	in := map[string]any{"status": "closed", "comments": []any{map[string]any{"parentCommentId": 0, "content": forge.Clip(body, mostComment), "commentType": "text"}}}
	err := f.on(ctx, repo, http.MethodPost, "/pullrequests/"+number(n)+"/threads", nil, in, nil)
	return missing(repo, err, forge.NotFound(repo, "#"+number(n)))
}

// Comments implements forge.Commenter.
func (f *Forge) Comments(ctx context.Context, repo fleet.Repository, n int) ([]forge.Comment, error) {
	threads, err := f.threads(ctx, repo, n)
	var all []forge.Comment
	for _, t := range threads {
		for _, c := range t.said() {
			all = append(all, forge.Comment{Author: c.Author.name(), Body: c.Content, CreatedAt: c.Published.Time})
		}
	}
	slices.SortStableFunc(all, func(a, b forge.Comment) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, err
}

// vote is one that somebody cast, as the thread says that the host opens for each.
func (t thread) vote() (by string, votes int, at time.Time, ok bool) {
	if t.Properties["CodeReviewThreadType"].text() != "VoteUpdate" || len(t.Comments) == 0 {
		return "", 0, at, false
	}
	switch v := t.Properties["CodeReviewVoteResult"].Value.(type) {
	case string:
		n, err := strconv.Atoi(v)
		if err != nil {
			return "", 0, at, false
		}
		votes = n
	case float64:
		votes = int(v)
	default:
		return "", 0, at, false
	}
	by = t.Properties["CodeReviewVotedByTfId"].text()
	if who, known := t.Identities[t.Properties["CodeReviewVotedByIdentity"].text()]; known {
		by = who.ID
	}
	return by, votes, t.Comments[0].Published.Time, by != ""
}

// Reviews implements forge.Reviews: the comments, and the votes that stand. Two calls, and some for each new author to find
// out whether that one may push.
func (f *Forge) Reviews(ctx context.Context, repo fleet.Repository, n int, since time.Time) ([]forge.Remark, error) {
	p, err := f.get(ctx, repo, n)
	if err != nil {
		return nil, err
	}
	threads, err := f.threads(ctx, repo, n)
	if err != nil {
		return nil, err
	}
	type remark struct {
		forge.Remark
		by string
	}
	var all []remark
	for _, t := range threads {
		for _, c := range t.said() {
			if c.Published.Before(since) {
				continue
			}
			r := forge.Remark{ID: "thread-" + strconv.Itoa(t.ID) + "-" + strconv.Itoa(c.ID), Author: c.Author.name(), Body: c.Content, CreatedAt: c.Published.Time,
				File: strings.TrimPrefix(t.Context.File, "/"), Line: t.Context.Right.Line}
			if r.Line == 0 {
				r.Line = t.Context.Left.Line
			}
			all = append(all, remark{r, c.Author.ID})
		}
	}
	for _, who := range p.Reviewers { // a group's vote is that of a person in it
		verdict := ""
		switch {
		case who.Container:
		case who.Vote > 0:
			verdict = "approved"
		case who.Vote < 0:
			verdict = "changes_requested"
		}
		if verdict == "" {
			continue
		}
		r := forge.Remark{ID: "vote-" + who.ID + "-" + strconv.Itoa(who.Vote), Author: who.name(), Verdict: verdict, CreatedAt: p.Created.Time}
		told := false
		for _, t := range threads {
			if by, votes, at, ok := t.vote(); ok && strings.EqualFold(by, who.ID) && votes == who.Vote && !at.Before(r.CreatedAt) {
				r.ID, r.CreatedAt, told = "vote-"+strconv.Itoa(t.ID), at, true
			}
		}
		if !told || !r.CreatedAt.Before(since) { // one of an unknown time is said every time
			all = append(all, remark{r, who.ID})
		}
	}
	rights := map[string]bool{}
	out := make([]forge.Remark, 0, len(all))
	for _, r := range all {
		may, known := rights[r.by]
		if !known && r.by != "" {
			if may, err = f.mayWrite(ctx, ids{p.Repository.Project.ID, p.Repository.ID}, r.by); err != nil {
				return nil, err
			}
			rights[r.by] = may
		}
		r.MayWrite = may
		out = append(out, r.Remark)
	}
	slices.SortStableFunc(out, func(a, b forge.Remark) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return out, nil
}

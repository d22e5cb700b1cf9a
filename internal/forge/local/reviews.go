package local

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// said is a comment or a review as it lies on disk, numbered by its place.
type said struct {
	forge.Comment
	Verdict  string `json:"verdict,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Outsider bool   `json:"outsider,omitempty"` // may not write
}

// say adds what the forge's own account says.
func (rec *record) say(f *Forge, body string, at time.Time) {
	rec.Comments = append(rec.Comments, said{Comment: forge.Comment{Author: f.cfg.Author.Name, Body: body, CreatedAt: at}})
	rec.UpdatedAt = at
}

// Say adds what a person says of a pull request: a comment, or a review when it has a verdict. The remark's id and time are
// the forge's to give.
func (f *Forge) Say(ctx context.Context, repo fleet.Repository, number int, r forge.Remark) (forge.Remark, error) {
	r.Author = strings.Join(strings.Fields(r.Author), " ")
	switch {
	case r.Author == "" || strings.EqualFold(r.Author, f.cfg.Author.Name):
		return forge.Remark{}, &fleet.Error{Code: fleet.CodeInvalid, Message: "a remark has an author, other than " + f.cfg.Author.Name + " itself"}
	case strings.TrimSpace(r.Body) == "" && r.Verdict == "":
		return forge.Remark{}, fleet.Errorf(fleet.CodeInvalid, "a remark says something")
	case !slices.Contains([]string{"", "approved", "changes_requested"}, r.Verdict):
		return forge.Remark{}, &fleet.Error{Code: fleet.CodeInvalid, Message: "there is no verdict " + r.Verdict, Hint: "approved or changes_requested"}
	}
	err := f.with(ctx, repo, number, func(_ context.Context, s *shelf, _ *git.Hosted, rec *record) error {
		now := f.cfg.Now().UTC()
		rec.Comments = append(rec.Comments, said{Comment: forge.Comment{Author: r.Author, Body: r.Body, CreatedAt: now}, Verdict: r.Verdict, File: r.File, Line: r.Line, Outsider: !r.MayWrite})
		rec.UpdatedAt = now
		r.ID, r.CreatedAt = "comment-"+strconv.Itoa(len(rec.Comments)), now
		return s.write(rec)
	})
	return r, err
}

// AddComment implements forge.Commenter.
func (f *Forge) AddComment(ctx context.Context, repo fleet.Repository, number int, body string) error {
	return f.with(ctx, repo, number, func(_ context.Context, s *shelf, _ *git.Hosted, rec *record) error {
		rec.say(f, body, f.cfg.Now().UTC())
		return s.write(rec)
	})
}

// Comments implements forge.Commenter.
func (f *Forge) Comments(ctx context.Context, repo fleet.Repository, number int) (list []forge.Comment, err error) {
	err = f.with(ctx, repo, number, func(_ context.Context, _ *shelf, _ *git.Hosted, rec *record) error {
		for _, c := range rec.Comments {
			list = append(list, c.Comment)
		}
		return nil
	})
	return list, err
}

// Reviews implements forge.Reviews: what was said by others than the forge's own account.
func (f *Forge) Reviews(ctx context.Context, repo fleet.Repository, number int, since time.Time) (list []forge.Remark, err error) {
	err = f.with(ctx, repo, number, func(_ context.Context, _ *shelf, _ *git.Hosted, rec *record) error {
		for i, c := range rec.Comments {
			if c.Author == f.cfg.Author.Name || c.CreatedAt.Before(since) {
				continue
			}
			list = append(list, forge.Remark{ID: "comment-" + strconv.Itoa(i+1), Author: c.Author, MayWrite: !c.Outsider, Body: c.Body, Verdict: c.Verdict, File: c.File, Line: c.Line, CreatedAt: c.CreatedAt})
		}
		return nil
	})
	return list, err
}

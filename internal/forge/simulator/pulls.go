package simulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func (h *Host) look(ctx context.Context, p *Pull) error {
	if p.State != "open" {
		return nil
	}
	tips, repo, err := h.tips(ctx, p.repo, p.Head, p.Base)
	if err != nil {
		return err
	}
	head, base := tips[0], tips[1]
	p.base = base
	if head == "" {
		p.State, p.Updated = "closed", time.Now().UTC()
		return nil
	}
	if head != p.HeadSHA {
		p.HeadSHA, p.Updated, p.queue = head, time.Now().UTC(), false
	}
	if p.seen == head+base || base == "" {
		return nil
	}
	p.seen, p.dirty, p.asked, p.repo.updated = head+base, false, 0, time.Now()
	in, err := h.once(p, "contains", func() (bool, error) { return repo.Contains(ctx, base, head) })
	if in {
		p.State, p.MergeSHA, p.Updated = "merged", base, time.Now().UTC()
	}
	return err
}

// mergeable says whether a pull request conflicts with its base. Hosts find out in the background once somebody asks, so
// the first to ask learns nothing.
func (h *Host) mergeable(ctx context.Context, p *Pull) (conflicts, known bool) {
	if p.State != "open" {
		return false, false
	}
	if p.asked++; p.asked == 2 {
		p.dirty, _ = h.once(p, "conflicts", func() (bool, error) {
			_, err := h.prepare(ctx, p, "merge")
			return fleet.CodeOf(err) == fleet.CodeMergeConflict, nil
		})
	}
	return p.dirty, p.asked >= 2
}

// once asks git a question about a pull request's two commits, which has one answer in all repositories that share a path.
func (h *Host) once(p *Pull, question string, ask func() (bool, error)) (bool, error) {
	key := strings.Join([]string{question, p.repo.Path, p.HeadSHA, p.base}, "\n")
	if answer, ok := h.answers[key]; ok {
		return answer, nil
	}
	answer, err := ask()
	if err == nil {
		h.answers[key] = answer
	}
	return answer, err
}

func (h *Host) prepare(ctx context.Context, p *Pull, method string) (git.Merged, error) {
	repo, err := h.git.Hosted(p.repo.Path)
	if err != nil {
		return git.Merged{}, err
	}
	return repo.PrepareMerge(ctx, git.MergeSpec{Method: git.MergeMethod(method), Base: p.Base, Head: p.HeadSHA,
		Message: fmt.Sprintf("%s (#%d)", p.Title, p.Number), Author: git.Identity{Name: Self, Email: Self + "@example.com"}, Date: time.Now()})
}

func (h *Host) create(ctx context.Context, r *Repo, p Pull) (*Pull, error) {
	tips, repo, err := h.tips(ctx, r, p.Head, p.Base)
	if err != nil {
		return nil, err
	}
	if tips[0] == "" || tips[1] == "" {
		return nil, errMissing
	}
	for _, other := range r.pulls {
		if err := h.look(ctx, other); err != nil {
			return nil, err
		}
		if other.State == "open" && other.Head == p.Head && other.Base == p.Base {
			return other, errExists
		}
	}
	if in, err := repo.Contains(ctx, tips[1], tips[0]); err != nil || in {
		return nil, errors.Join(err, errNothing)
	}
	h.nextID++
	now := time.Now().UTC()
	p.ID, p.Number, p.State, p.HeadSHA, p.Author, p.Created, p.Updated, p.repo, p.base = h.nextID, len(r.pulls)+1, "open", tips[0], Self, now, now, r, tips[1]
	r.pulls = append(r.pulls, &p)
	return &p, nil
}

// Old puts an open pull request of a branch into a repository, as if Self had made it long ago: the host knows that it merges.
func (h *Host) Old(ctx context.Context, slug, branch string) (number int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.repos[strings.ToLower(slug)]
	tips, _, err := h.tips(ctx, r, branch, r.Default)
	if err != nil {
		return 0, err
	}
	h.nextID++
	old := time.Now().UTC().Add(-72 * time.Hour)
	r.pulls = append(r.pulls, &Pull{ID: h.nextID, Number: len(r.pulls) + 1, Title: "Change", Body: "Because.", State: "open", Head: branch, HeadSHA: tips[0], Base: r.Default, Author: Self, Created: old, Updated: old,
		repo: r, seen: tips[0] + tips[1], base: tips[1], asked: 2})
	return len(r.pulls), nil
}

func (h *Host) merge(ctx context.Context, p *Pull, method, expect string) error {
	switch {
	case p.State != "open":
		return errClosed
	case p.Draft:
		return errDraft
	case expect != "" && expect != p.HeadSHA:
		return errHead
	case p.repo.Protected:
		return errProtected
	case p.repo.MustPass && p.repo.sum(p.HeadSHA) != "success":
		return errChecks
	}
	m, err := h.prepare(ctx, p, method)
	if fleet.CodeOf(err) == fleet.CodeMergeConflict {
		p.dirty, p.asked = true, 2
		return errConflict
	}
	if err != nil {
		return err
	}
	repo, err := h.git.Hosted(p.repo.Path)
	if err == nil {
		err = repo.Land(ctx, m)
	}
	if err != nil {
		return err
	}
	p.State, p.MergeSHA, p.Updated = "merged", m.To, time.Now().UTC()
	return nil
}

func (h *Host) comment(p *Pull, body string) Comment {
	h.nextID++
	c := Comment{ID: h.nextID, Author: Self, Body: body, MayWrite: true, At: time.Now().UTC()}
	p.Comments = append(p.Comments, c)
	p.Updated = c.At
	return c
}

func add(have []string, more ...string) []string {
	for _, m := range more {
		if m != "" && !slices.Contains(have, m) {
			have = append(have, m)
		}
	}
	return have
}

package forge

import (
	"context"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// SayOnce adds a comment, unless one that is there already is the same, by whatever that means to the caller: so it may be called
// again after it failed, also when the comment was made and only the answer was lost.
func SayOnce(ctx context.Context, on Commenter, repo fleet.Repository, number int, body string, same func(Comment) bool) error {
	said, err := on.Comments(ctx, repo, number)
	if err != nil || slices.ContainsFunc(said, same) {
		return err
	}
	return on.AddComment(ctx, repo, number, body)
}

// SayWhy leaves the comment with which a pull request is closed, once; "" leaves none. most is how many characters of one the
// host takes, with Clip, or 0 for any number: what is there is compared as it was cut, and without the blanks that hosts trim.
func SayWhy(ctx context.Context, on Commenter, repo fleet.Repository, number int, comment string, most int) error {
	if comment == "" {
		return nil
	}
	if most > 0 {
		comment = Clip(comment, most)
	}
	return SayOnce(ctx, on, repo, number, comment, func(c Comment) bool { return strings.TrimSpace(c.Body) == strings.TrimSpace(comment) })
}

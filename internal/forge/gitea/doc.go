// Package gitea is the driver for Gitea and Forgejo.
//
// Servers cap pages at what they like (50 unless set otherwise), so every list follows Link, or X-Total-Count where there
// is none, and never takes a short page for the last one. A draft is a title that begins with "WIP:". Labels have numbers,
// which are looked up once for each repository. Nothing is listed with heads, conflicts or checks, so following reads what
// may have changed one by one, see Follow. Who may write is in the teams, see rights. A token needs the scopes
// write:repository, write:issue, read:user and read:organization.
package gitea

// Package gitlab is the driver for GitLab, gitlab.com and self-managed.
//
// A merge request takes labels by name and reviewers by number as it is made, so opening one is a single call once the
// reviewers' numbers are known. GitLab makes one without any change too; the driver closes it again. How a project merges is
// its own setting: squashing can be asked for, rebasing cannot, and is answered with not_supported. Projects that moved
// redirect reading only, so the driver follows the move before it writes. Open merge requests are followed over GraphQL,
// which tells conflicts and pipelines, and so are heads; everything else is REST. A token needs the scope api.
package gitlab

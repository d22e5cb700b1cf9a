// Package github is the driver for GitHub, in the cloud and Enterprise.
//
// Single pull requests are read and changed over REST; they are found, made and followed over GraphQL, and repositories are
// listed over it, because that takes fewer calls. What GraphQL refuses to make is asked of REST, whose refusals are well
// known. A token needs the scopes "repo" and, to change workflows, "workflow"; a fine-grained token or an App needs
// contents, pull requests and actions (write), and checks, statuses, deployments and metadata (read).
package github

// Package bitbucket is the driver for Bitbucket Cloud and, a host of another making, Bitbucket Data Center.
//
// Neither has a library that is kept well and covers both, so the two drivers speak JSON over package transport. What they
// share is the name and what follows from it: pull requests have no labels, which are left out, and no merge names the head
// that it expects, so that the head is looked at just before.
//
// Cloud shortens the commits in a pull request to twelve digits: each head costs one call to be known in full, once. A
// second pull request with the same branches overwrites the first one there, so Open looks before it makes one. Data
// Center refuses a second one, tells conflicts with every pull request, and does not say that somebody commented, so
// Follow remembers what it saw of each.
package bitbucket

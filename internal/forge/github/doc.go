// Package github is the driver for GitHub, in the cloud and Enterprise.
//
// Pull requests are made and read over REST; lists of repositories, and of pull requests to follow, over GraphQL, which
// gives a hundred of them with their heads in one call. A token needs the scopes "repo" and, to change workflows,
// "workflow"; a fine-grained token or an App needs contents, pull requests and actions (write), and checks, statuses,
// deployments and metadata (read). Reviewers and labels take a call each, since the API makes a pull request without.
package github

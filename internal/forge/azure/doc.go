// Package azure is the driver for Azure DevOps: Services, and Server from 2022.1 on (its REST API 7.1).
//
// A Forge is one organisation, or one collection of a server. Pull requests are completed in the background, so Merge asks
// and then looks until it is done or refused. Lists cut descriptions at 400 characters and tell neither checks, comments nor
// the time of a change, so a pull request that is found is read whole, and Follow remembers what it saw of each. A repository
// goes by its id as soon as that is known, for its old name leads nowhere. Reviewers are identities, which are looked up by
// name once. Who may push is worked out from the access control lists of the repository, as far as the token may read them;
// else nobody may.
//
// The client is plain HTTP: Microsoft's own for Go asks the server for its addresses before each kind of call, follows the
// sign-in page that a bad token is answered with, and has seen no release since 2023.
package azure

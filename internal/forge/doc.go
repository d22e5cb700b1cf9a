// Package forge is what Gaggle needs of a code host: pull requests that are found before they are made.
//
// Forge is the small interface that every driver has; what only some hosts can do is a second, optional interface
// (Lister, Commenter, PushTarget, BranchDeleter) that a caller asks for with a type assertion. One conformance suite,
// forgetest, runs on every driver and on the fake. Branches are pushed with package git; a driver only talks about
// pull requests. forge/local is the embedded default, which keeps pull requests as files; forge/fake is for tests,
// and fails in all the ways that real hosts do.
package forge

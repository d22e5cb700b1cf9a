// Package simulator is a code host over HTTP on this machine, for tests: real bare git repositories, pull requests in
// memory, and one handler for each vendor's API that answers as the vendor documents it.
//
// It is not kinder than the real thing. It pages and caps pages, wants a token, limits rates, answers 304 to an ETag, moves
// renamed repositories with a redirect, and with Faults fails before and after it has done its work, hangs up, and cuts
// its JSON short, all by a seed.
package simulator

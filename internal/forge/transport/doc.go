// Package transport is the one way to a code host over HTTP, under whatever client library a driver uses.
//
// It puts the token on requests to the host itself and to nobody else, holds back what the host's limits would
// refuse, sends conditional requests, bounds time and size, and makes every refusal a *fleet.Error with a *Status in
// its chain, so that a driver never has to know its library's errors.
//
// A Limiter is shared by everything in a process that uses one token: it knows how many calls are left and until when the host
// wants none, and paces the calls that make something. A call waits for moments only; where it would wait longer it
// fails with a forge.RateLimit for the caller to come back.
//
// The limiters of several processes that use one token agree through Books (Limiter.Share), a row in the database that they all have:
// each takes slices of what the host said is left, so that most calls ask nobody, and looks at the row once a second while it is in
// use. A pause that the host asks one for is there for the others at once; what a dead one had taken comes back by expiry. How the
// row is decided on is pure (ledger): nothing that is granted is ever more than the host said is left. While nobody knows how many
// calls are left, one goes ahead to find out.
package transport

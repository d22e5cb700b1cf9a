// Package transport is the one way to a code host over HTTP, under whatever client library a driver uses.
//
// It puts the token on requests to the host itself and to nobody else, holds back what the host's limits would
// refuse, sends conditional requests, bounds time and size, and makes every refusal a *fleet.Error with a *Status in
// its chain, so that a driver never has to know its library's errors. A Limiter is shared by all workers of one token:
// it remembers how many calls are left and until when the host wants none, and paces the calls that make something.
// A call waits for moments only; where it would wait longer it fails with a forge.RateLimit for the caller to come back.
package transport

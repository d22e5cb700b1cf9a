// Package gateway is a sandbox's one door to the outside.
//
// A Gateway holds the model keys. Open gives one attempt a Session: an HTTP server on a unix socket that the sandbox
// sees as 127.0.0.1:8787. What comes in is one of three things:
//
//   - a request to a model, under /anthropic or /openai (or whatever the upstream is named): it is checked, priced and
//     held against the budget, sent on with the key, and its reply passed through byte for byte while the provider's
//     own count of tokens is read from it, charged, and written to the transcript without secrets;
//   - a CONNECT, or a request with an absolute URL: the egress proxy, for the hosts that the campaign allows;
//   - anything else, which is refused.
//
// # What money can be spent
//
// A request is let through only when its model has a price (or its upstream is marked free) and the Meter, usually a
// Budget, holds back the most that the reply can cost. When that does not fit, the request waits for those in flight;
// when none is in flight and something is left, it goes alone. So at every level the money spent exceeds the limit by
// less than one reply. What was spent is what the provider says; where it does not say (a reply that broke off, counts
// that cannot be true), it is estimated from the bytes and the time, upwards.
//
// # What does not pass
//
// The provider's own tools that would fetch, connect or run something, content by URL, and settings that the price
// table does not cover are refused: they would be a second door, or an unmetered one. Of the headers only those named
// in headers.go pass, so no key that a client sends reaches a provider, and none of ours reaches a client.
package gateway

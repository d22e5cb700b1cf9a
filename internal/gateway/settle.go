package gateway

import (
	"context"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
)

// What an estimate goes by. Models write three to four bytes of text a token and at most a few dozen in the oddest
// case; so a count below a token in leastBytes bytes is not believed, and what is not told is taken as one in
// guessBytes. Reasoning may be hidden: what is not told is at least what a fast model writes in the time.
const (
	leastBytes     = 32
	guessInput     = 3
	guessOutput    = 2
	tokensASecond  = 200
	settleDeadline = 30 * time.Second
)

// settle charges what the reply came to and writes the transcript.
func (x *exchange) settle(count wire.Count) {
	use, estimated := x.believe(count)
	cost := x.price.Cost(use)
	if other, ok := x.s.gateway.config.Prices.Find(count.Model); ok && !x.up.Free {
		cost = max(cost, other.Cost(use)) // a router may have asked a dearer model
	}
	bill := Bill{Model: x.ask.Model, Tokens: use.Tokens, Cost: cost, Estimated: estimated}
	x.entry.Tokens, x.entry.Cost, x.entry.Estimated = &bill.Tokens, cost, estimated
	x.finish(bill)
}

// free settles a request that cost nothing.
func (x *exchange) free() { x.finish(Bill{Model: x.ask.Model, Nothing: true}) }

func (x *exchange) finish(bill Bill) {
	x.settled = true
	if x.hold != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(x.s.ctx), settleDeadline)
		defer cancel()
		if err := x.hold.After(ctx, bill); err != nil {
			x.s.mu.Lock()
			x.s.broken = err
			x.s.mu.Unlock()
		}
	}
	now := x.s.gateway.config.Clock()
	if x.entry.TotalMS = now.Sub(x.started).Milliseconds(); !x.first.IsZero() {
		x.entry.FirstMS = x.first.Sub(x.started).Milliseconds()
	}
	x.s.script.write(x.entry, x.body)
}

// believe completes what the provider said where it did not say, or not believably.
func (x *exchange) believe(count wire.Count) (wire.Usage, bool) {
	use, estimated := count.Usage, count.Odd
	read := use.Input + use.CacheRead + use.CacheWrite
	least := x.ask.Bytes / leastBytes
	if x.ask.Unbounded {
		least = 0 // images are more bytes than tokens
	}
	if !count.Input || count.Odd || read < least {
		guess := min(x.ask.Bytes/guessInput+1, x.input)
		use.Input += max(0, guess-read)
		estimated = true
	}
	if !count.Output || count.Odd || use.Output < count.Seen/leastBytes {
		guess := count.Seen / guessOutput
		if !count.Output {
			seconds := x.s.gateway.config.Clock().Sub(x.started).Seconds()
			guess = max(guess, int64(seconds*tokensASecond))
		}
		use.Output = max(use.Output, min(guess, x.output))
		estimated = true
	}
	use.Tokens = fleet.Tokens{Input: use.Input, Output: use.Output, CacheRead: use.CacheRead, CacheWrite: use.CacheWrite}
	return use, estimated
}

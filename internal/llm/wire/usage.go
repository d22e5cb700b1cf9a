package wire

import "gaggle/internal/fleet"

// Usage is what a provider says that one reply cost, in tokens.
type Usage struct {
	fleet.Tokens
	CacheWriteLong int64 // the part of CacheWrite that is kept for an hour, which costs more
}

// maxTokens is more than any reply can come to; a count beyond it, or below zero, is a lie.
const maxTokens = 1 << 27

// usage collects the counts of one reply. Counts of streams are cumulative: the largest holds.
type usage struct {
	Usage
	input  bool // the provider told what it read
	output bool // the provider told what it wrote
	odd    bool // a count could not be true
}

func (u *usage) count(v value, to *int64) bool {
	if v.isNull() {
		return false
	}
	n, ok := v.whole()
	if !ok || n < 0 || n > maxTokens {
		u.odd = true
		return false
	}
	*to = max(*to, n)
	return true
}

// messages reads the usage object of Anthropic Messages.
func (u *usage) messages(v value) {
	if !v.isObject() {
		return
	}
	u.input = u.count(v.get("input_tokens"), &u.Input) || u.input
	u.output = u.count(v.get("output_tokens"), &u.Output) || u.output
	u.count(v.get("cache_read_input_tokens"), &u.CacheRead)
	u.count(v.get("cache_creation_input_tokens"), &u.CacheWrite)
	u.count(v.get("cache_creation", "ephemeral_1h_input_tokens"), &u.CacheWriteLong)
	// Where the provider sampled several times for one reply, the counts beside may be those of the last time alone.
	var sum usage
	for round := range v.get("iterations").elements() {
		var one usage
		one.messages(round)
		sum.Tokens = sum.Add(one.Tokens)
		sum.CacheWriteLong += one.CacheWriteLong
		u.odd = u.odd || one.odd
	}
	u.Input, u.Output = max(u.Input, sum.Input), max(u.Output, sum.Output)
	u.CacheRead, u.CacheWrite = max(u.CacheRead, sum.CacheRead), max(u.CacheWrite, sum.CacheWrite)
	u.CacheWriteLong = min(max(u.CacheWriteLong, sum.CacheWriteLong), u.CacheWrite)
}

// openai reads the usage object of OpenAI's formats, whose names differ. What they count as input includes what the
// cache held; Tokens.Input does not.
func (u *usage) openai(v value, input, inputDetails, output string) {
	if !v.isObject() {
		return
	}
	var in, out, cached, written, total int64
	u.input = u.count(v.get(input), &in) || u.input
	u.output = u.count(v.get(output), &out) || u.output
	u.count(v.get(inputDetails, "cached_tokens"), &cached)
	u.count(v.get("prompt_cache_hit_tokens"), &cached)
	u.count(v.get(inputDetails, "cache_write_tokens"), &written)
	u.count(v.get("total_tokens"), &total)
	if total > in+out && u.input && u.output {
		out = total - in // some endpoints leave the reasoning out of the output, but not out of the total
	}
	cached = min(cached, in)
	written = min(written, in-cached)
	u.Input, u.Output = max(u.Input, in-cached-written), max(u.Output, out)
	u.CacheRead, u.CacheWrite = max(u.CacheRead, cached), max(u.CacheWrite, written)
}

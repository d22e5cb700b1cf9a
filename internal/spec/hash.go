package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// ChangeHash names everything that influences a diff and whether it is accepted: prompt or script (its content, not
// its path), agent, model, environment, reachable hosts, paths, verifiers, guard, judge and the number of rounds. A
// result is remembered under it, so nothing else may move it: not which components are selected, not waves, titles,
// labels, money or time. Sets are hashed in order, so that writing one differently changes nothing.
func (c *Campaign) ChangeHash() string {
	h := sha256.New()
	part := func(name string, values ...string) { fmt.Fprintf(h, "%s %d %q\n", name, len(values), values) }
	set := func(name string, values []string) {
		part(name, slices.Compact(slices.Sorted(slices.Values(values)))...)
	}

	part("format", "gaggle-change-1")
	part("prompt", c.Change.Prompt)
	part("agent", c.Change.Agent, c.Change.Model)
	if c.Change.Reverts != "" {
		part("reverts", c.Change.Reverts)
	}
	part("script", string(c.Change.Script.Content))
	set("paths", c.Change.Paths)
	for _, name := range slices.Sorted(maps.Keys(c.Change.Env)) {
		part("env", name, c.Change.Env[name])
	}
	set("egress", c.Change.Egress)
	part("verify", append([]string{strconv.FormatBool(c.Verify.Auto), c.Verify.Timeout.String()}, c.Verify.Run...)...)
	set("allow", c.Guard.Allow)
	part("judge", c.Judge.Mode, c.Judge.Model, c.Judge.Prompt)
	part("rounds", strconv.Itoa(c.Limits.Rounds))
	return hex.EncodeToString(h.Sum(nil))
}

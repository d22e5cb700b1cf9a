// Package agent is the seam between the engine and whatever edits the code.
//
// An Agent is given a Task (what to change, in which folder, with what feedback) and a Box (the sandbox to do it in) and
// returns a Result. It does one round: the engine verifies, guards and judges what it left, and calls Run again with
// feedback and the session of the round before. Drivers live below: agent/script (any program), agent/native (Gaggle's
// own small tool loop, the embedded default) and agent/claude (Claude Code). One conformance suite, agent/agenttest,
// runs over all of them.
//
// What an agent says is hostile until proven otherwise: its words are bounded and made printable, its success is a claim
// that the engine checks, and its costs are counted by the gateway, never taken from it. What drivers share is here:
// Instructions and Feedback (what agents are told), Guidance (what the repository itself tells agents, handed on as
// data), Ended (what a limit of the sandbox means) and Lines (reading a stream of events without trusting it).
package agent

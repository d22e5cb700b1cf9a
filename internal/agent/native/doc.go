// Package native is Gaggle's own coding agent, the embedded default: a small loop of model and tools (list, search, read,
// edit, run, verify, done, give_up) that needs nothing but a model behind the gateway, Anthropic's or any with an
// OpenAI-compatible endpoint.
//
// It has two halves. Agent runs outside: it starts the program that it is part of once more inside the sandbox, hands it
// the task on standard input and reads events from its standard output. Main is the inside: programs and tests that use
// this package call it first thing, beside sandbox.Main. The inside talks to the gateway's address only, touches files
// only below the work tree (os.Root), runs commands as children of its own sandbox, and keeps its conversation in the
// home folder, so that feedback, or a second start after a kill, goes on where it was.
package native

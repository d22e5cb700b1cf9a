// Package agenttest is the conformance suite of agents: Exercise runs over every driver, with the real driver in a real
// sandbox. What a driver needs (a model behind a door, a sandbox, a task in its own terms) is injected, so that the suite
// knows no driver and no model server.
package agenttest

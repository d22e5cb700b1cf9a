// Package engine runs the life of campaigns and targets. Its one function that matters is reconcile: read the row and the
// world, take the next step, record it. It is the only writer of a target's state, and a crash at any point is followed
// by the same function.
//
// What a step needs from below it asks of two small interfaces: a Changer makes attempts, a Publisher opens pull
// requests and looks at them. River (through the store) decides when a target is looked at; rollout decides when a wave opens.
// Start with Engine.Run.
package engine

// Package demo shows the main job on one machine with nothing prepared: it makes a small fleet of real repositories, runs
// a campaign on it through ops (sandbox, gateway, agent, builds, guards, judge, database, pull requests), and says what
// to look at next.
//
// Start with Run. The repositories are the archives in fleet/, one a repository: small programs of a parcel company, each
// there for a reason that its first lines give. The campaign is campaign.yaml. Both are written into the demo's folder,
// where people can read them and run the campaign again.
//
// With a model set up in the environment the real model does the work. Without one the demo says so and starts package
// rulemodel on loopback; then the ends of the targets are known in advance (ends.go), and any other end is a failure of
// the demo. It never runs without a sandbox.
package demo

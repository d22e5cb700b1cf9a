// Package attempt makes one try at changing one target: it checks the base out, runs the agent in the sandbox, verifies
// the result in a fresh checkout, lets the guards and the judge look at the diff, and hands what fails back to the same
// agent session, up to the campaign's limits. It knows no database and no forge: an Order goes in, an Outcome comes out.
//
// Start with Runner.Attempt. What an attempt costs is asked of the order's Meter before each model call and told after it; results
// that equal inputs gave before are taken from the order's Memory.
package attempt

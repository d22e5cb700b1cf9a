// Package rollout decides in which order and under which conditions a campaign's targets are taken on. It is
// pure: Decide looks at a Snapshot and returns Actions; something else carries them out and takes the next snapshot.
// It starts nothing, waits for nothing and keeps nothing.
//
// A campaign's targets are dealt into waves (Deal): by number, by share, or by cohort. A wave opens when every wave
// before it is open and healthy (Check): enough of its targets have an open or merged pull request, CI passed, few were
// refused, nothing was reverted, deployments are healthy, and all that for some time, by the campaign's gate. Targets that turned out
// unchanged, skipped or canceled say nothing about the change and count neither way, so a wave in which nothing was
// left to change holds nobody up. A gate that cannot be reached any more pauses the campaign, as does an exhausted
// budget; a person then retries, cancels or loosens, and resumes.
//
// Since when a gate holds is kept in the snapshot (MarkReached, UnmarkReached), so that a soak is a matter of the time
// given. Due does for schedules what Decide does for waves. Predict says when a campaign's own work will be done, by the pace so far and
// the quotas of the forges.
//
// Two promises are held by property tests: a wave never opens before the gates of all waves before it, and an active
// campaign is never stuck: there is an action, or a target that can still move, or an answer or a time to wait for, or
// the campaign is finished.
package rollout

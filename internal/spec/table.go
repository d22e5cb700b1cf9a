package spec

import (
	"gaggle/internal/fleet"
)

// APIVersion and Kind are what a campaign file must say of itself.
const (
	APIVersion = "gaggle/v1"
	Kind       = "Campaign"
)

// header is what identifies a file; it is checked and not kept.
type header struct{ apiVersion, kind string }

func headerFields(h *header, kind, what string, must bool) []field {
	return []field{
		{path: "apiVersion", kind: text(), into: &h.apiVersion, must: must, oneOf: []string{APIVersion}, doc: "The version of this format."},
		{path: "kind", kind: text(), into: &h.kind, must: must, oneOf: []string{kind}, doc: what},
	}
}

// scripts gathers the two ways to write a script.
type scripts struct{ path, run string }

// campaignFields is THE table of a campaign file: its keys, their defaults, bounds and meaning. The parser reads by
// it and the JSON Schema is printed from it. What depends on more than one key is in finish.
func campaignFields(c *Campaign, h *header, s *scripts, g *guards) []field {
	return append(headerFields(h, Kind, "The kind of file.", true), []field{
		{path: "metadata", kind: group(), must: true, doc: "What the campaign is called and whose it is."},
		{path: "metadata.name", kind: text(), into: &c.Metadata.Name, must: true, check: checkName, pattern: namePattern,
			doc: "The campaign's name, unique in the fleet. Lower case letters, digits and dashes, at most 63: it names the branches, gaggle/NAME/…"},
		{path: "metadata.owner", kind: text(), into: &c.Metadata.Owner, check: checkRef,
			doc: "Who answers for the campaign: an entity reference such as group:platform. A name alone is a group."},
		{path: "metadata.description", kind: text(), into: &c.Metadata.Description,
			doc: "What the campaign is for, for people. Its first line is the pull requests' title unless pullRequest.title is given."},

		{path: "select", kind: group(), must: true, doc: "Which components the campaign concerns: those that where, contains and files all agree on, and those that include names; without those that exclude names or whose repository opted out."},
		{path: "select.where", kind: text(), into: &c.Select.Where,
			doc: "A CEL expression over component and repository that is true for the components that are meant. \"true\" takes all."},
		{path: "select.contains", kind: group(), short: "pattern", doc: "What the default branch of the component holds. A bare text is the pattern."},
		{path: "select.contains.pattern", kind: text(), into: &c.Select.Contains.Pattern, must: true, check: checkRegexp,
			doc: "A regular expression (Go's syntax, RE2) that is found in some file. ^ and $ stand for the ends of lines."},
		{path: "select.contains.paths", kind: texts(), into: &c.Select.Contains.Paths, check: checkGlob, pattern: pathPattern,
			doc: "Globs of the files to look in, relative to the component's folder. Defaults to select.files; without those, all text files."},
		{path: "select.files", kind: texts(), into: &c.Select.Files, check: checkGlob, pattern: pathPattern,
			doc: "Globs relative to the component's folder: the component holds at least one such file."},
		{path: "select.include", kind: texts(), into: &c.Select.Include, check: checkRef,
			doc: "Components that are in whatever the rest says, such as component:default/billing."},
		{path: "select.exclude", kind: texts(), into: &c.Select.Exclude, check: checkRef,
			doc: "Components that are out whatever the rest says."},

		{path: "change", kind: group(), must: true, doc: "What is to be done to each component: by a prompt for an agent, or by a script."},
		{path: "change.prompt", kind: text(), into: &c.Change.Prompt,
			doc: "The change in words: what the agent is told and what the judge compares the diff with. Needed unless script or run is given."},
		{path: "change.agent", kind: text(), into: &c.Change.Agent, def: AgentNative, oneOf: []string{AgentNative, AgentClaude, AgentScript},
			doc: "Who edits the code. Defaults to script where script or run is given."},
		{path: "change.model", kind: text(), into: &c.Change.Model, check: checkToken,
			doc: "The agent's model. Defaults to the machine's settings."},
		{path: "change.script", kind: text(), into: &s.path, check: checkScript, pattern: pathPattern,
			doc: "A program beside this file, its path relative to this file. It runs in the component's folder."},
		{path: "change.run", kind: text(), into: &s.run,
			doc: "A program written here. Its first line may name an interpreter (#!…); sh runs it otherwise."},
		{path: "change.paths", kind: texts(), into: &c.Change.Paths, def: "['**']", min: 1, check: checkScope, pattern: scopePattern,
			doc: "Globs of the files that the change may touch, relative to the component's folder; //go.work means a file at the repository's root, !vendor/** takes files away. A change elsewhere is out of scope."},
		{path: "change.env", kind: plainMap(), into: &c.Change.Env, check: checkEnv, pattern: envPattern,
			doc: "Environment variables of the agent and the verifiers. Plain values: whoever reads this file reads them."},
		{path: "change.egress", kind: texts(), into: &c.Change.Egress, check: checkHost,
			doc: "Hosts that the agent and the verifiers may reach through the gateway, such as proxy.golang.org or *.npmjs.org. Defaults to none."},

		{path: "verify", kind: group(), doc: "What decides mechanically whether a change is sound."},
		{path: "verify.auto", kind: boolean(), into: &c.Verify.Auto, def: "true",
			doc: "Whether verifiers switch on by what the component contains: go test, npm test, mvn verify and their like."},
		{path: "verify.run", kind: texts(), into: &c.Verify.Run, check: checkCommand,
			doc: "Commands that must succeed, run by sh in the component's folder, one after the other."},
		{path: "verify.timeout", kind: duration(), into: &c.Verify.Timeout, def: "10m", min: 1, max: 6 * 3600,
			doc: "The time that one verifier may take."},

		{path: "guard", kind: group(), doc: "The checks against gaming the verifiers, which are all on."},
		{path: "guard.allow", kind: texts(), into: &c.Guard.Allow, check: g.check, pattern: allowPattern,
			doc: "Rules that this campaign may break because its change asks for it, such as test-deleted, or test-deleted:old/** for the files of a glob from the repository's root."},

		{path: "judge", kind: group(), doc: "The model that compares each diff with the prompt, and did not write it."},
		{path: "judge.mode", kind: text(), into: &c.Judge.Mode, def: JudgeEnforce, oneOf: []string{JudgeEnforce, JudgeAdvise, JudgeOff},
			doc: "enforce hands a veto back to the agent and fails the target in the end, advise notes it in the pull request, off asks nobody. Defaults to off for a script without a prompt."},
		{path: "judge.model", kind: text(), into: &c.Judge.Model, check: checkToken, doc: "The judge's model. Defaults to the machine's settings."},
		{path: "judge.prompt", kind: text(), into: &c.Judge.Prompt, doc: "What the judge should also look at."},

		{path: "limits", kind: group(), doc: "What one attempt, one target and the whole campaign may take."},
		{path: "limits.rounds", kind: integer(), into: &c.Limits.Rounds, def: "4", min: 1, max: 50, doc: "Rounds of one attempt: the agent changes, the verifiers, guard and judge look, what fails goes back."},
		{path: "limits.turns", kind: integer(), into: &c.Limits.Turns, def: "40", min: 1, max: 1000, doc: "Turns of the agent in one round."},
		{path: "limits.minutes", kind: minutes(), into: &c.Limits.Wall, def: "20", min: 0.01, max: 1440, doc: "Minutes of one attempt, all rounds and verifiers together."},
		{path: "limits.attempts", kind: integer(), into: &c.Limits.Attempts, def: "2", min: 1, max: 20, doc: "Attempts at one target, when what went wrong was not the change: a busy model, a lost worker."},
		{path: "limits.cost", kind: money(), into: &c.Limits.Cost, def: "1.00", doc: "US dollars for the models of one attempt, the judge's included."},
		{path: "limits.targetCost", kind: money(), into: &c.Limits.TargetCost, doc: "US dollars for one target over all its attempts. Defaults to cost times attempts."},
		{path: "limits.campaignCost", kind: money(), into: &c.Limits.CampaignCost, def: "100.00", doc: "US dollars for the whole campaign. When they are spent it pauses."},
		{path: "limits.memory", kind: size(), into: &c.Limits.Memory, def: "4GiB", min: 64, max: 1 << 20, doc: "Memory of one sandbox."},
		{path: "limits.parallel", kind: integer(), into: &c.Limits.Parallel, min: 1, max: 1000, doc: "Targets of this campaign that are worked on at once. Defaults to what the machine can do."},

		{path: "pullRequest", kind: group(), doc: "How a change is proposed."},
		{path: "pullRequest.title", kind: text(), into: &c.PullRequest.Title, check: checkLine, pattern: linePattern, doc: "Defaults to the first line of metadata.description, or to the campaign's name."},
		{path: "pullRequest.body", kind: text(), into: &c.PullRequest.Body, doc: "Markdown that stands before what Gaggle says about the change."},
		{path: "pullRequest.labels", kind: texts(), into: &c.PullRequest.Labels, check: checkLabel, doc: "Labels of the pull request."},
		{path: "pullRequest.reviewers", kind: texts(), into: &c.PullRequest.Reviewers, check: checkToken, doc: "People or teams asked to review, besides the code owners."},
		{path: "pullRequest.draft", kind: boolean(), into: &c.PullRequest.Draft, def: "false", doc: "Whether pull requests are opened as drafts."},

		{path: "pullRequest.askOwner", kind: boolean(), into: &c.PullRequest.AskOwner, def: "false", doc: "Whether the component's owner in the catalog is asked to review, too. A code host asks its code owners by itself."},
		{path: "pullRequest.issue", kind: text(), into: &c.PullRequest.Issue, check: checkLine, pattern: linePattern, doc: "The issue that the change belongs to, such as PLAT-12 or acme/platform#34, named in each pull request."},
		{path: "pullRequest.batch", kind: text(), into: &c.PullRequest.Batch, check: checkName, pattern: namePattern, doc: "A name. Changes of one repository and one owner that are ready together go into one pull request, a commit each, if their campaigns give the same name here. " +
			"What goes wrong with it takes it apart: each change then gets a pull request of its own. Defaults to one pull request a change."},
		{path: "pullRequest.revisions", kind: integer(), into: &c.PullRequest.Revisions, def: "2", min: 0, max: 20, doc: "How often an open pull request is revised because its checks failed or somebody asked for it. Then a person is asked."},
		{path: "pullRequest.remindAfter", kind: duration(), into: &c.PullRequest.RemindAfter, def: "168h", min: 60, max: 366 * 24 * 3600, doc: "How long a pull request may rest before its reviewers are reminded, once."},
		{path: "pullRequest.closeAfter", kind: duration(), into: &c.PullRequest.CloseAfter, min: 60, max: 366 * 24 * 3600, doc: "How long after the reminder a pull request that still rests is closed. Defaults to never."},

		{path: "merge", kind: group(), doc: "Who merges a pull request, and when."},
		{path: "merge.policy", kind: text(), into: &c.Merge.Policy, def: MergeNever, oneOf: []string{MergeNever, MergeApproved, MergeAuto},
			doc: "never leaves it to people; approved merges what somebody with write access approved, once its checks have passed; auto also merges what merge.when allows, once people have merged enough of the earlier waves unchanged."},
		{path: "merge.when", kind: text(), into: &c.Merge.When,
			doc: "A CEL expression over the pull request that is true when auto may merge it. Defaults to: " + DefaultMergeWhen},
		{path: "merge.evidence", kind: fraction(), into: &c.Merge.Evidence, def: "0.9", doc: "The share of pull requests that people merge unchanged, as its lower 95% confidence bound over the campaign's earlier waves, from which auto merges by itself."},
		{path: "merge.method", kind: text(), into: &c.Merge.Method, def: "merge", oneOf: []string{"merge", "squash", "rebase"}, doc: "How a pull request is merged."},

		{path: "rollout", kind: group(), doc: "In which order and under which conditions targets are taken on."},
		{path: "rollout.waves", kind: waves(), into: &c.Rollout.Waves, def: "[100%]",
			doc: "Waves of targets, in order. A number is that wave's size. A percentage is cumulative: the wave takes targets until that share of all of them has been opened, rounded up. " +
				"{where: EXPRESSION} is a cohort, by CEL over component and repository as in select.where, and {owner: group:NAME} another: the wave takes all targets that belong to it and that no earlier wave took. " +
				"A name may stand beside them, and beside count and share for the two others. What is left makes a last wave."},
		{path: "rollout.order", kind: text(), into: &c.Rollout.Order, def: OrderSpread, oneOf: []string{OrderSpread, OrderRisk},
			doc: "Which targets numbers and percentages take first. spread lets owners take turns; risk starts with small components that few others depend on."},
		{path: "rollout.gate", kind: group(), doc: "What the waves that are open must reach before the next one opens, all of it at once. Targets that turned out unchanged, skipped or canceled count neither way. When it cannot be reached any more the campaign pauses."},
		{path: "rollout.gate.success", kind: fraction(), into: &c.Rollout.Gate.Success, def: "0.8", doc: "The share of a wave's targets whose pull request is open or merged; in a dry run, whose diff is ready."},
		{path: "rollout.gate.merged", kind: fraction(), into: &c.Rollout.Gate.Merged, def: "0", doc: "The share of a wave's targets whose pull request is merged."},
		{path: "rollout.gate.minMerged", kind: integer(), into: &c.Rollout.Gate.MinMerged, def: "0", min: 0, max: 1_000_000, doc: "How many of a wave's pull requests are merged, at least; all of them where the wave has fewer."},
		{path: "rollout.gate.checks", kind: fraction(), into: &c.Rollout.Gate.Checks, def: "0", doc: "The share of a wave's pull requests for which CI passed, of those about which it has or will have an answer."},
		{path: "rollout.gate.vetoed", kind: fraction(), into: &c.Rollout.Gate.Vetoed, def: "100%", doc: "At most this share of a wave's targets is refused: closed by people, or failed with the judge's veto."},
		{path: "rollout.gate.reverted", kind: fraction(), into: &c.Rollout.Gate.Reverted, def: "0", doc: "At most this share of a wave's merged pull requests is reverted. By default one revert holds the next wave."},
		{path: "rollout.gate.deployed", kind: fraction(), into: &c.Rollout.Gate.Deployed, def: "0", doc: "The share of a wave's merged pull requests whose deployment is healthy, of those of which the forge reports a deployment. One that failed counts against it at once."},
		{path: "rollout.gate.soak", kind: duration(), into: &c.Rollout.Gate.Soak, def: "0s", max: 90 * 24 * 3600, doc: "How long all the rest of the gate must have held, such as 2h. When it ceases to hold, the time starts anew."},
		{path: "rollout.approval", kind: text(), into: &c.Rollout.Approval, def: ApprovalNone, oneOf: []string{ApprovalNone, ApprovalWave, ApprovalTarget},
			doc: "Whether changes wait for a person once they are ready, before any pull request is opened: for one word a wave, or one a target."},
		{path: "rollout.schedule", kind: text(), into: &c.Rollout.Schedule, check: checkSchedule, pattern: linePattern,
			doc: "When the campaign is planned and run again, as a cron expression of five fields: minute, hour, day of the month, month, day of the week. 0 6 * * mon-fri is every working day at six. UTC, unless CRON_TZ=Europe/Berlin or the like stands in front. Defaults to never."},
		{path: "rollout.priority", kind: integer(), into: &c.Rollout.Priority, def: "0", min: -100, max: 100,
			doc: "Which campaign goes first where several want the same owner's time: the one with the larger number."},
	}...)
}

// normalRef writes an entity reference in full.
func normalRef(s, kind string) string { return fleet.Ref(fleet.ParseRef(s, kind, "")) }

package engine

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gaggle/internal/agent"
	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/policy"
	"gaggle/internal/publish"
)

// marker begins the last line of every comment of Gaggle's: what it is, for machines, and so that it is written once.
const marker = "<!-- gaggle "

// maxComment is how many characters of a comment are sent: every host takes so many, so none cuts off the mark.
const maxComment = 20_000

// own says that Gaggle wrote a remark: by its account, and with its mark. Anybody can copy the mark, and the account may be
// a person's, so it takes both.
func (v *visit) own(r forge.Remark) bool {
	return r.Author == v.pull.Author && strings.Contains(r.Body, marker)
}

// comment says something on the pull request, once for each key.
func (v *visit) comment(ctx context.Context, key, body string) error {
	c, can := v.host.(forge.Commenter)
	if !can {
		return nil
	}
	mark := marker + key + " -->"
	err := forge.SayOnce(ctx, c, v.repo, v.t.PullNumber, forge.Clip(v.e.clean(body), maxComment)+"\n\n"+mark, func(s forge.Comment) bool {
		return s.Author == v.pull.Author && strings.Contains(s.Body, mark)
	})
	switch fleet.CodeOf(err) {
	case fleet.CodeUnsupported, fleet.CodeRepoGone: // archived: nobody can say anything there any more
		return nil
	}
	return err
}

// command is what somebody with write access tells Gaggle on a pull request.
type command struct {
	verb string
	by   forge.Remark
}

var commandLine = regexp.MustCompile(`(?m)^[ \t]*/gaggle[ \t]+([A-Za-z]+)[^\n]*$`)

// listen takes in what people said since the last time. Only those who may push are listened to: what anybody else
// writes is neither an instruction nor shown to an agent.
func (v *visit) listen(ctx context.Context) error {
	r, can := v.host.(forge.Reviews)
	if !can || v.pull.UpdatedAt.Equal(v.f.Updated) {
		return nil
	}
	since := v.f.HeardAt
	if since.IsZero() {
		since = v.f.OpenedAt
	}
	said, err := r.Reviews(ctx, v.repo, v.t.PullNumber, since.Add(-time.Minute)) // clocks differ
	if err != nil {
		return err
	}
	for _, remark := range said {
		if slices.Contains(v.f.Heard, remark.ID) || v.own(remark) {
			continue
		}
		v.f.Heard = append(v.f.Heard, remark.ID)
		if n := len(v.f.Heard); n > 300 {
			v.f.Heard = v.f.Heard[n-300:]
		}
		if remark.CreatedAt.After(v.f.HeardAt) {
			v.f.HeardAt = remark.CreatedAt
		}
		if !remark.MayWrite {
			continue
		}
		v.f.ActiveAt, v.f.Refreshed = v.now, time.Time{}
		v.weigh(remark)
	}
	return nil
}

// weigh sorts a remark of somebody with write access into verdicts, commands and requests.
func (v *visit) weigh(r forge.Remark) {
	without := func(list []string, name string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
	}
	switch r.Verdict {
	case "approved":
		v.f.Objectors = without(v.f.Objectors, r.Author)
		v.f.Approvals = append(without(v.f.Approvals, r.Author), r.Author)
	case "changes_requested":
		v.f.Approvals = without(v.f.Approvals, r.Author)
		v.f.Objectors = append(without(v.f.Objectors, r.Author), r.Author)
	}
	body := r.Body
	for _, m := range commandLine.FindAllStringSubmatch(body, 5) {
		v.commands = append(v.commands, command{strings.ToLower(m[1]), r})
		body = strings.Replace(body, m[0], "", 1)
	}
	if strings.TrimSpace(body) == "" && r.Verdict != "changes_requested" || r.Verdict == "approved" && r.File == "" || machine(r.Author) {
		return
	}
	r.Body = strings.TrimSpace(body)
	v.asks = append(v.asks, r)
}

// machine says that an account is a program's, whose remarks start nothing: two of them could talk for ever.
func machine(author string) bool {
	return strings.HasSuffix(author, "[bot]") || strings.HasSuffix(author, "-bot")
}

// obey carries out the last command given; done says that the visit is over.
func (v *visit) obey(ctx context.Context) (done bool, err error) {
	if len(v.commands) == 0 {
		return false, nil
	}
	cmd := v.commands[len(v.commands)-1]
	by := cmd.by.Author
	if v.row.State != fleet.CampaignActive && cmd.verb != "explain" {
		return true, v.reply(ctx, cmd, "The campaign is "+string(v.row.State)+", so nothing was done.")
	}
	switch cmd.verb {
	case "retry", "rebase":
		v.f.Asked, v.f.HandsOff = "", ""
		if len(v.mates) > 0 {
			if err := v.comment(ctx, "reply/"+cmd.by.ID, "This pull request holds several changes, so it is taken apart first. Say it again on the one that is meant."); err != nil {
				return true, err
			}
			return true, v.split(ctx, by+" asked for another try of one of them")
		}
		if v.f.Touched && cmd.verb == "rebase" {
			return true, v.reply(ctx, cmd, "Somebody pushed to this branch, so Gaggle does not rewrite it. `/gaggle retry` would replace what was pushed.")
		}
		task := fleet.Revision{Kind: fleet.ReviseRetry, Replies: said(cmd.by)}
		if cmd.verb == "rebase" {
			task.Kind = fleet.ReviseBase
		} else {
			if v.f.Touched {
				v.t.HeadCommit, v.f.Touched = v.pull.HeadSHA, false // asked for in so many words
			}
			if len(v.asks) > 0 { // the words beside the command, and what still waits
				task.Feedback = v.reviewTask().Feedback
			}
		}
		return true, v.begin(ctx, task, by+" asked for it: /gaggle "+cmd.verb)
	case "skip":
		return true, v.close(ctx, "Closed: @"+by+" asked to skip this component. `gaggle retry` would open it again.", by+" asked to skip it")
	case "stop":
		v.f.HandsOff = by
		return true, v.reply(ctx, cmd, "Gaggle follows this pull request and does nothing more about it. `/gaggle retry` takes it up again.")
	case "explain":
		text, err := v.explain(ctx)
		if err != nil {
			return true, err
		}
		return true, v.reply(ctx, cmd, text)
	}
	return true, v.reply(ctx, cmd, "There is no `/gaggle "+agent.Printable(cmd.verb, 40)+"`: retry (try again from the start), rebase (on the base as it is now), skip (close it), stop (leave it alone) or explain.")
}

// reply answers a command and ends the visit.
func (v *visit) reply(ctx context.Context, cmd command, text string) error {
	if err := v.comment(ctx, "reply/"+cmd.by.ID, "> /gaggle "+agent.Printable(cmd.verb, 40)+" (@"+cmd.by.Author+")\n\n"+text); err != nil {
		return err
	}
	return v.save(ctx, cmd.by.Author+" said: /gaggle "+agent.Printable(cmd.verb, 40))
}

// explain tells where the pull request stands and what it took.
func (v *visit) explain(ctx context.Context) (string, error) {
	attempts, err := v.e.store.Attempts(ctx, v.t.ID)
	if err != nil {
		return "", err
	}
	var others strings.Builder
	for _, t := range v.mates {
		fmt.Fprintf(&others, "- also here: %s (campaign `%s`)\n", publish.Code(t.Component), t.Campaign)
	}
	facts, err := v.facts(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Campaign `%s`, component `%s`, wave %d. ", v.t.Campaign, v.t.Component, v.t.Wave+1)
	fmt.Fprintf(&b, "%s, %s in all.\n\n", fleet.Count(len(attempts), "attempt"), v.t.Usage.Cost)
	b.WriteString(others.String())
	for _, a := range attempts {
		fmt.Fprintf(&b, "- attempt %d (%s): %s", a.Number, a.Agent, fleet.Count(len(a.Rounds), "round"))
		if a.Message != "" {
			fmt.Fprintf(&b, "; %s", agent.Printable(clipLine(a.Message, 200), 200))
		}
		b.WriteString("\n")
	}
	for _, tried := range v.f.Tried {
		fmt.Fprintf(&b, "- revised: %s\n", tried)
	}
	fmt.Fprintf(&b, "\nChecks: %s. ", orWord(v.f.CI, "not asked for yet"))
	if len(v.f.Flaky) > 0 {
		fmt.Fprintf(&b, "Flaky: %s. ", strings.Join(v.f.Flaky, ", "))
	}
	if risk, err := v.e.Risk(ctx, v.t, attempts); err != nil {
		return "", err
	} else if risk != nil {
		fmt.Fprintf(&b, "Risk: %s. ", risk)
	}
	if facts.Proof != "" {
		fmt.Fprintf(&b, "Evidence for merging without a person: %s. ", facts.Proof)
	}
	_, now := policy.Attend(facts)
	fmt.Fprintf(&b, "Now: %s.", now)
	return b.String(), nil
}

// ask hands the pull request to a person, with what was tried.
func (v *visit) ask(ctx context.Context, reason, why string) error {
	v.f.Asked, v.f.Asks = v.e.clean(reason), nil
	var b strings.Builder
	fmt.Fprintf(&b, "Gaggle needs a person here: %s.\n", why)
	if len(v.f.Tried) > 0 {
		b.WriteString("\nWhat was tried:\n")
		for _, t := range v.f.Tried {
			b.WriteString("- " + t + "\n")
		}
	}
	for _, c := range v.blamed {
		fmt.Fprintf(&b, "\n- `%s` fails", agent.Printable(c.Name, 100))
		if c.URL != "" {
			fmt.Fprintf(&b, " (%s)", c.URL)
		}
	}
	b.WriteString("\nPush to the branch, or say `/gaggle retry` or `/gaggle skip`.")
	if err := v.comment(ctx, fmt.Sprintf("asked/%s/%d", v.f.Head, v.f.Revisions), b.String()); err != nil {
		return err
	}
	return v.save(ctx, "a person is asked: "+why)
}

func (v *visit) reminder() string {
	who := ""
	for _, r := range v.pull.Reviewers {
		if !strings.HasPrefix(r, "team/") {
			who += "@" + r + " "
		}
	}
	return who + "this pull request waits for you. Merge it, say what should be different, or close it: a closed one stays closed."
}

// said keeps what an answer needs of remarks.
func said(remarks ...forge.Remark) []fleet.Said {
	var all []fleet.Said
	for _, r := range remarks {
		all = append(all, fleet.Said{ID: r.ID, Author: agent.Printable(r.Author, 100), Body: agent.Printable(clipLine(r.Body, 160), 200)})
	}
	return all
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// clipLine is the first line of a text, bounded.
func clipLine(text string, limit int) string {
	line, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if len(line) > limit {
		line, more = strings.ToValidUTF8(line[:limit], ""), true
	}
	if more {
		line += " …"
	}
	return line
}

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

// progress shows a run's events: on a terminal a compact live view, elsewhere one plain line an event, or JSON lines.
type progress struct {
	app     *App
	live    bool
	follows bool // all that is followed is shown, and not the one campaign that moves
	names   []string
	long    bool // it may go on for hours without an event

	mu       sync.Mutex
	began    time.Time
	looked   time.Time // at what is followed
	overview []string
	campaign string
	settled  int // targets that had come to their end when the run was first looked at; -1 before that
	lines    int // that the view takes up on the screen
	last     []string
	stopping bool

	stop chan struct{}
	done sync.WaitGroup
}

// lastEvents is how many events the view shows.
const lastEvents = 6

// steerable says whether standard output is a terminal on which a view can be painted.
func (a *App) steerable() bool {
	name := a.Env("TERM")
	return terminal(a.Stdout) && name != "" && name != "dumb"
}

func (a *App) newProgress(ctx context.Context, o *ops.Ops) *progress {
	return a.show(ctx, o, &progress{})
}

// newFollowing shows what is followed: the campaigns named, or all that are under way.
func (a *App) newFollowing(ctx context.Context, o *ops.Ops, names []string) *progress {
	return a.show(ctx, o, &progress{follows: true, names: names, long: true})
}

// show begins to show p.
func (a *App) show(ctx context.Context, o *ops.Ops, p *progress) *progress {
	p.app, p.live, p.began, p.settled, p.stop = a, !a.json && a.steerable(), time.Now(), -1, make(chan struct{})
	forget := context.AfterFunc(ctx, p.interrupted)
	p.done.Go(func() {
		defer forget()
		said := false
		t := time.NewTicker(250 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-t.C:
				switch {
				case p.live:
					p.redraw(context.WithoutCancel(ctx), o)
				case p.long && !a.json && !said && time.Since(p.began) > time.Second: // what comes may take hours
					said = true
					p.say("following; Ctrl-C stops it, and the same command goes on")
				}
			}
		}
	})
	return p
}

// interrupted says that the signal was heard: stopping in good order may take a moment.
func (p *progress) interrupted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
	if !p.live {
		fmt.Fprintln(p.app.Stderr, "gaggle: stopping; what is under way is taken back")
	}
}

// event takes one event.
func (p *progress) event(e store.Event) {
	switch {
	case p.app.json:
		_ = p.app.line(e) // the first write that fails is kept and ends the command with an error
	case p.live:
		p.mu.Lock()
		p.campaign = e.Campaign
		p.last = append(p.last, line(e))
		if len(p.last) > lastEvents {
			p.last = p.last[1:]
		}
		p.mu.Unlock()
	default:
		p.say(e.At.Local().Format("15:04:05") + " " + line(e))
	}
}

// say prints a line where no view is painted.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.app.text, line)
}

// line is an event as one plain line.
func line(e store.Event) string {
	var parts []string
	switch {
	case e.Component != "":
		parts = append(parts, clip(short(e.Component), longest))
	case e.Campaign != "":
		parts = append(parts, e.Campaign)
	}
	if e.To != "" {
		parts = append(parts, string(e.To))
	}
	if e.Reason != "" {
		parts = append(parts, "("+string(e.Reason)+")")
	}
	s := strings.Join(parts, " ")
	switch {
	case e.Message == "":
		return s
	case s == "":
		return clip(e.Message, 160)
	}
	return s + ": " + clip(e.Message, 160)
}

// redraw paints the view over the last one.
func (p *progress) redraw(ctx context.Context, o *ops.Ops) {
	p.mu.Lock()
	campaign := p.campaign
	last := append([]string{}, p.last...)
	p.mu.Unlock()
	columns, rows := size(p.app.Stdout)
	elapsed := time.Since(p.began)
	view := []string{map[bool]string{false: "planning: looking at the fleet, ", true: "planned, and then followed until every target rests: "}[p.long] + words(elapsed.Truncate(time.Second))}
	switch {
	case p.follows:
		view = append(append([]string{"following, " + words(elapsed.Truncate(time.Second))}, p.followed(ctx, o, rows-2-len(last))...), last...)
	case campaign != "":
		s, err := o.Status(ctx, ops.StatusInput{Campaign: campaign})
		if err != nil || len(s.Campaigns) == 0 {
			return // the run itself says what is wrong
		}
		c := s.Campaigns[0]
		view = append([]string{p.head(c, elapsed), bar(c, columns), states(c.States)}, last...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		view = append(view, "stopping: what is under way is taken back")
	}
	p.paint(view[:min(len(view), max(rows-1, 1))], columns)
}

// followed is a line for each campaign that is followed, as of a moment ago.
func (p *progress) followed(ctx context.Context, o *ops.Ops, room int) []string {
	if time.Since(p.looked) < time.Second {
		return p.overview
	}
	in := ops.StatusInput{Waits: true}
	if len(p.names) == 1 {
		in.Campaign = p.names[0]
	}
	s, err := o.Status(ctx, in)
	if err != nil {
		return nil // following itself says what is wrong
	}
	p.looked, p.overview = time.Now(), overview(s.Campaigns, p.names, max(room, 1))
	return p.overview
}

// overview is a line for each campaign of the names, or else for each that is under way, in so many lines.
func overview(campaigns []ops.CampaignStatus, names []string, room int) []string {
	var list []string
	for _, c := range campaigns {
		if len(names) > 0 && !slices.Contains(names, c.Name) || len(names) == 0 && c.State != fleet.CampaignActive && c.State != fleet.CampaignPaused {
			continue
		}
		l := c.Name + ": " + states(c.States)
		if c.Waits != "" {
			l += "; " + c.Waits
		}
		list = append(list, l)
	}
	if more := len(list) - room; more > 0 {
		list = append(list[:room-1], "and "+plural(more+1, "more campaign"))
	}
	return list
}

// paint writes the lines over those of the last view.
func (p *progress) paint(view []string, columns int) {
	var b strings.Builder
	if p.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.lines)
	}
	for _, l := range view {
		b.WriteString("\r\x1b[2K" + cut(l, columns) + "\n")
	}
	b.WriteString("\x1b[J")
	p.lines = len(view)
	_, _ = io.WriteString(p.app.Stdout, b.String())
}

// cut makes s fit a terminal's line, so that no line takes up two.
func cut(s string, columns int) string {
	if r := []rune(plain(s)); len(r) >= columns {
		return string(r[:max(columns-2, 0)]) + "…"
	}
	return plain(s)
}

// head is the view's first line: how long, how fast, how much, and how long still.
func (p *progress) head(c ops.CampaignStatus, elapsed time.Duration) string {
	done := c.Targets - open(c)
	if p.settled < 0 {
		p.settled = done
	}
	head := fmt.Sprintf("%s%s  %s", c.Name, mode(c), words(elapsed.Truncate(time.Second)))
	if c.Calls > 0 {
		head += fmt.Sprintf("  %s", c.Spent)
	}
	if n := done - p.settled; n > 0 {
		head += "  " + rate(n, elapsed)
		if left := open(c); left > 0 {
			still := time.Duration(float64(elapsed) / float64(n) * float64(left))
			head += "  about " + words(max(still.Truncate(time.Second), time.Second)) + " left"
		}
	}
	return head
}

// rate says how fast targets come to their end, in the unit that gives a number above one.
func rate(n int, in time.Duration) string {
	perSecond := float64(n) / max(in.Seconds(), 1)
	switch {
	case perSecond >= 1:
		return fmt.Sprintf("%.1f targets a second", perSecond)
	case perSecond*60 >= 1:
		return fmt.Sprintf("%.0f targets a minute", perSecond*60)
	}
	return fmt.Sprintf("%.0f targets an hour", perSecond*3600)
}

// open counts the targets on which this run may still work.
func open(c ops.CampaignStatus) int {
	n := c.States[fleet.Pending] + c.States[fleet.Queued] + c.States[fleet.Changing] + c.States[fleet.Revising]
	if !c.DryRun {
		n += c.States[fleet.Ready]
	}
	return n
}

// bar draws how far a campaign has come.
func bar(c ops.CampaignStatus, columns int) string {
	width := max(min(columns-4, 60), 10)
	good := c.States[fleet.Ready] + c.States[fleet.Proposed] + c.States[fleet.Merged] + c.States[fleet.Unchanged] + c.States[fleet.Skipped]
	bad := c.States[fleet.Failed] + c.States[fleet.Closed] + c.States[fleet.Canceled]
	total := max(c.Targets, 1)
	g, x := good*width/total, bad*width/total
	return "[" + strings.Repeat("#", g) + strings.Repeat("x", x) + strings.Repeat(".", width-g-x) + "]"
}

// close ends the live view. After a run that came to its end the view goes, because the report says the same and more;
// otherwise the last one is left.
func (p *progress) close(finished bool) {
	close(p.stop)
	p.done.Wait()
	if p.live && finished {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.paint(nil, 0)
	}
}

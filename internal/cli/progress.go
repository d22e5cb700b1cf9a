package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

func jsonLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// progress shows a run's events: on a terminal a compact live view, elsewhere one plain line an event, or JSON lines.
type progress struct {
	app  *App
	live bool

	mu       sync.Mutex
	began    time.Time
	campaign string
	counts   map[fleet.State]int
	moves    int // into a rest, or ready or proposed, since the run began
	lines    int // that the view takes up on the screen
	last     []string
	stop     chan struct{}
	done     sync.WaitGroup
}

func (a *App) newProgress(ctx context.Context, o *ops.Ops) *progress {
	p := &progress{app: a, live: !a.json && terminal(a.Stdout), began: time.Now(), stop: make(chan struct{})}
	if !p.live {
		return p
	}
	p.done.Go(func() {
		t := time.NewTicker(250 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-t.C:
				p.redraw(ctx, o)
			}
		}
	})
	return p
}

// event takes one event.
func (p *progress) event(e store.Event) {
	switch {
	case p.app.json:
		_ = jsonLine(p.app.Stdout, e)
	case p.live:
		p.mu.Lock()
		p.campaign = e.Campaign
		if e.To.AtRest() || e.To == fleet.Ready || e.To == fleet.Proposed {
			p.moves++
		}
		p.last = append(p.last, line(e))
		if len(p.last) > 6 {
			p.last = p.last[1:]
		}
		p.mu.Unlock()
	default:
		fmt.Fprintln(p.app.Stdout, e.At.Local().Format("15:04:05")+" "+line(e))
	}
}

// line is an event as one plain line.
func line(e store.Event) string {
	parts := []string{}
	if e.Component != "" {
		parts = append(parts, short(e.Component))
	} else {
		parts = append(parts, e.Campaign)
	}
	if e.To != "" {
		parts = append(parts, string(e.To))
	}
	if e.Reason != "" {
		parts = append(parts, "("+string(e.Reason)+")")
	}
	s := strings.Join(parts, " ")
	if e.Message != "" {
		s += ": " + clip(e.Message, 160)
	}
	return s
}

// redraw paints the view over the last one.
func (p *progress) redraw(ctx context.Context, o *ops.Ops) {
	p.mu.Lock()
	campaign, moves := p.campaign, p.moves
	last := append([]string{}, p.last...)
	p.mu.Unlock()
	if campaign == "" {
		return
	}
	s, err := o.Status(ctx, ops.StatusInput{Campaign: campaign})
	if err != nil || len(s.Campaigns) == 0 {
		return // the run itself says what is wrong
	}
	c := s.Campaigns[0]
	left := c.States[fleet.Pending] + c.States[fleet.Queued] + c.States[fleet.Changing]
	elapsed := time.Since(p.began)
	rate := float64(moves) / max(elapsed.Seconds(), 1)
	head := fmt.Sprintf("%s  %s  %.1f targets/s  %s", c.Name, elapsed.Truncate(time.Second), rate, c.Spent)
	if left > 0 && rate > 0 {
		head += fmt.Sprintf("  about %s left", (time.Duration(float64(left) / rate * float64(time.Second))).Truncate(time.Second))
	}
	view := append([]string{head, bar(c), states(c.States)}, last...)
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	if p.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.lines)
	}
	for _, l := range view {
		b.WriteString("\x1b[2K" + clip(l, 110) + "\n")
	}
	b.WriteString("\x1b[J")
	p.lines = len(view)
	fmt.Fprint(p.app.Stdout, b.String())
}

// bar draws how far a campaign has come.
func bar(c ops.CampaignStatus) string {
	const width = 60
	good := c.States[fleet.Ready] + c.States[fleet.Proposed] + c.States[fleet.Merged] + c.States[fleet.Unchanged] + c.States[fleet.Skipped]
	bad := c.States[fleet.Failed] + c.States[fleet.Closed] + c.States[fleet.Canceled]
	total := max(c.Targets, 1)
	g, x := good*width/total, bad*width/total
	return "[" + strings.Repeat("#", g) + strings.Repeat("x", x) + strings.Repeat(".", width-g-x) + "]"
}

// close ends the live view, leaving the last one on the screen.
func (p *progress) close() {
	close(p.stop)
	p.done.Wait()
}

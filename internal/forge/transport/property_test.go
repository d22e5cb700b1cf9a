package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var errWaits = errors.New("it would wait")

// world is a host with limits, and the limiters of several processes that share what they know of them.
type world struct {
	now     time.Time
	limits  Limits
	books   *memory
	limit   int
	left    int
	reset   time.Time
	refused int // in this window
	excused int // of these, those whose answer nobody got
	made    []time.Time
	workers []*Limiter
	under   []*call
}

type call struct {
	of    *Limiter
	let   *admission
	write bool
	reply http.Header // nil: it has not arrived
	code  int
}

func (w *world) worker() *Limiter {
	l := NewLimiter(w.limits, func() time.Time { return w.now }).Share(w.books, func(context.Context) (string, error) { return "host", nil })
	l.pause = func(context.Context, time.Duration, <-chan struct{}) error { return errWaits }
	return l
}

// arrive has the host answer a call.
func (w *world) arrive(c *call) {
	if c.reply != nil {
		return
	}
	if !w.now.Before(w.reset) {
		w.reset, w.left, w.refused, w.excused = w.now.Add(time.Hour), w.limit, 0, 0
	}
	c.code = http.StatusOK
	if w.left > 0 {
		w.left--
	} else {
		w.refused++
		c.code = http.StatusForbidden
	}
	if c.write {
		w.made = append(w.made, w.now)
	}
	c.reply = http.Header{}
	c.reply.Set("X-RateLimit-Remaining", fmt.Sprint(w.left))
	c.reply.Set("X-RateLimit-Limit", fmt.Sprint(w.limit))
	c.reply.Set("X-RateLimit-Reset", fmt.Sprint(w.reset.Unix()))
}

// end hands the answer to whoever asked.
func (w *world) end(c *call) {
	w.arrive(c)
	c.of.learn(context.Background(), c.let, c.code, c.reply)
	c.of.leave(c.let)
	w.under = slices.DeleteFunc(w.under, func(x *call) bool { return x == c })
}

// lose keeps the answer from whoever asked.
func (w *world) lose(c *call, arrives bool) {
	if arrives {
		w.arrive(c)
	}
	if c.code == http.StatusForbidden {
		w.excused++
	}
	w.under = slices.DeleteFunc(w.under, func(x *call) bool { return x == c })
}

func (w *world) within(window time.Duration) int {
	n := 0
	for _, at := range w.made {
		if at.After(w.now.Add(-window)) {
			n++
		}
	}
	return n
}

// However calls of several processes overtake each other, get lost, or are given up by a process that dies: the host refuses none but the
// one that finds out that nothing is left, and never more is made in a minute or an hour than it bears.
func TestNothingIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: time.Unix(1_800_000_000, 0), books: &memory{}, limit: rapid.IntRange(1, 300).Draw(t, "limit"),
			limits: Limits{WritesPerMinute: rapid.IntRange(1, 20).Draw(t, "minute"), WritesPerHour: rapid.IntRange(10, 100).Draw(t, "hour"), AtOnce: 20}}
		w.left, w.reset = rapid.IntRange(0, w.limit).Draw(t, "left"), w.now.Add(time.Duration(rapid.IntRange(1, 3600).Draw(t, "reset"))*time.Second)
		for range rapid.IntRange(1, 4).Draw(t, "workers") {
			w.workers = append(w.workers, w.worker())
		}
		pick := func() *Limiter { return w.workers[rapid.IntRange(0, len(w.workers)-1).Draw(t, "worker")] }
		check := func() {
			if w.refused-w.excused > 1 {
				t.Fatalf("%d calls were refused in a window, the answers to %d of them were lost", w.refused, w.excused)
			}
			if m, h := w.within(time.Minute), w.within(time.Hour); m > w.limits.WritesPerMinute || h > w.limits.WritesPerHour {
				t.Fatalf("%d made in a minute, %d in an hour", m, h)
			}
		}
		some := func() *call {
			if len(w.under) == 0 {
				t.Skip("no call is under way")
			}
			return w.under[rapid.IntRange(0, len(w.under)-1).Draw(t, "call")]
		}
		burst := func(write bool) func(*rapid.T) {
			return func(t *rapid.T) {
				l := pick()
				for range rapid.IntRange(1, 30).Draw(t, "calls") {
					if len(l.slots) == cap(l.slots) {
						break
					}
					let, err := l.admit(context.Background(), false, write)
					if err != nil {
						break
					}
					let.sent = true
					w.under = append(w.under, &call{of: l, let: let, write: write})
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"":       func(*rapid.T) { check() },
			"reads":  burst(false),
			"writes": burst(true),
			"arrive": func(*rapid.T) { w.arrive(some()) },
			"end":    func(*rapid.T) { w.end(some()) },
			"lost": func(*rapid.T) { // the answer, or the call before it arrived
				c := some()
				w.lose(c, rapid.Bool().Draw(t, "arrives"))
				c.of.leave(c.let)
			},
			"die": func(t *rapid.T) {
				l := pick()
				for _, c := range slices.Clone(w.under) {
					if c.of != l {
						continue
					}
					w.lose(c, rapid.Bool().Draw(t, "arrives"))
				}
				w.workers[slices.Index(w.workers, l)] = w.worker()
			},
			"time passes": func(t *rapid.T) {
				for _, c := range slices.Clone(w.under) { // what is sent arrives, and somebody is told before others lose their patience
					if w.arrive(c); !w.known() {
						w.end(c)
					}
				}
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second / 4)
			},
			"an hour passes": func(*rapid.T) {
				for _, c := range slices.Clone(w.under) {
					w.end(c)
				}
				w.now = w.now.Add(time.Hour)
			},
		})
	})
}

// known says whether the books know what is left, with no call under way that finds out.
func (w *world) known() bool {
	p := readLedger(w.books.kept).Pools[poolCore]
	return p != nil && p.known(w.now) && w.now.Sub(p.Scout) >= scouting
}

// The calls that a host bears at once are divided by the processes in use.
func TestAtOnceIsShared(t *testing.T) {
	w := &world{now: time.Unix(1_800_000_000, 0), books: &memory{}, limit: 5000, left: 5000, limits: Limits{AtOnce: 8}}
	w.reset = w.now.Add(time.Hour)
	admit := func(l *Limiter) (all []*call) {
		for range 10 {
			if len(l.slots) == cap(l.slots) {
				break
			}
			let, err := l.admit(context.Background(), false, false)
			if err != nil {
				break
			}
			let.sent = true
			all = append(all, &call{of: l, let: let})
		}
		return all
	}
	a, b := w.worker(), w.worker()
	end := func(all []*call) {
		for _, c := range all {
			w.end(c)
		}
	}
	end(admit(a)) // the one that finds out
	alone := admit(a)
	if len(alone) != 8 {
		t.Errorf("alone it makes %d at once", len(alone))
	}
	end(alone)
	end(admit(b))
	w.now = w.now.Add(refresh)
	if one, two := admit(a), admit(b); len(one) != 4 || len(two) != 4 {
		t.Errorf("together they make %d and %d at once", len(one), len(two))
	}
	w.now = w.now.Add(sliceTTL)
	if more := admit(a); len(more) != 4 {
		t.Errorf("once the other one rests: %d more", len(more))
	}
}

// What is not used by those who die is used by others in the end: nothing of the budget is lost for good.
func TestTheLastCallIsUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: time.Unix(1_800_000_000, 0), books: &memory{}, limit: rapid.IntRange(1, 300).Draw(t, "limit"), limits: Limits{AtOnce: 20}}
		w.left, w.reset = w.limit, w.now.Add(time.Hour)
		for range 3 {
			w.workers = append(w.workers, w.worker())
		}
		for range 200 {
			if w.left == 0 {
				break
			}
			i := rapid.IntRange(0, 2).Draw(t, "worker")
			l := w.workers[i]
			for range rapid.IntRange(1, 100).Draw(t, "calls") {
				let, err := l.admit(context.Background(), false, false)
				if err != nil {
					w.now = w.now.Add(sliceTTL / 2)
					break
				}
				let.sent = true
				w.end(&call{of: l, let: let})
			}
			if rapid.IntRange(0, 3).Draw(t, "dies") == 0 {
				w.workers[i] = w.worker()
			}
		}
		if w.left != 0 || w.refused > 1 {
			t.Fatalf("%d of %d calls are left, %d were refused", w.left, w.limit, w.refused)
		}
	})
}

package rollout

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gaggle/internal/fleet"
)

// TestAnythingMayHappen lets targets take any allowed move, people approve, pause, resume, retry, cancel and edit the
// campaign, in any order.
func TestAnythingMayHappen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.act()
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			w.t = t
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			default:
				if len(w.targets) > 0 {
					i := rapid.IntRange(0, len(w.targets)-1).Draw(t, "target")
					moves := slices.DeleteFunc(slices.Clone(fleet.Moves), func(m fleet.Move) bool { return m.From != w.targets[i].state })
					w.step(i, rapid.SampledFrom(moves).Draw(t, "move").To)
				}
			case 0:
				if len(w.s.Waves) > 0 {
					w.s.Waves[rapid.IntRange(0, len(w.s.Waves)-1).Draw(t, "wave")].Approved = true
				}
			case 1:
				w.s.State = rapid.SampledFrom([]fleet.CampaignState{fleet.CampaignActive, fleet.CampaignPaused, fleet.CampaignActive}).Draw(t, "campaign")
			case 2:
				if len(w.s.Waves) > 0 { // a component joins a wave
					w.targets = append(w.targets, target{state: fleet.Pending, wave: rapid.IntRange(0, len(w.s.Waves)-1).Draw(t, "joins")})
					w.count()
					if w.s.State == fleet.CampaignDone {
						w.s.State = fleet.CampaignActive
					}
				}
			case 8, 9, 10, 11, 12:
				w.advance()
			case 3, 4:
				w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Hour, 31 * time.Hour}).Draw(t, "later"))
			case 5, 6, 7:
				if len(w.targets) > 0 {
					w.tell(rapid.IntRange(0, len(w.targets)-1).Draw(t, "target"), rapid.IntRange(0, 2).Draw(t, "tells"))
				}
			}
			w.act()
		}
	})
}

// TestACampaignEnds drives every target to some end, with people who answer: they approve what they are asked, raise
// the budget when it is spent, and cancel what failed or loosen the gate when a wave is unhealthy.
func TestACampaignEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range 40 * (len(w.targets) + len(w.s.Waves) + 1) {
			w.act()
			if w.s.State == fleet.CampaignDone {
				return
			}
			if w.s.State == fleet.CampaignPaused {
				w.mend()
				continue
			}
			for i := range w.s.Waves {
				w.s.Waves[i].Approved = w.s.Waves[i].Approved || w.s.Waves[i].Asked
			}
			w.advance()
		}
		t.Fatalf("no end: %+v", w.s)
	})
}

package cli

import (
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/store"
)

func TestStatusSaysWhatEachCampaignWaitsFor(t *testing.T) {
	campaign := func(name string, state fleet.CampaignState, waits string, held ...store.HeldBack) ops.CampaignStatus {
		return ops.CampaignStatus{Campaign: store.Campaign{Name: name, State: state, Message: "why it paused"}, Waits: waits, Held: held}
	}
	s := &ops.Status{Campaigns: []ops.CampaignStatus{
		campaign("a", fleet.CampaignActive, "wave 2 of 2 waits for wave 1: it soaks until 14:00 UTC"),
		campaign("b", fleet.CampaignDone, ""),
		campaign("c", fleet.CampaignActive, "3 changes ready and wait for the owners' time", store.HeldBack{Targets: 3, Why: "frozen: for ever"}),
	}}
	var b strings.Builder
	printStatus(&screen{w: &b}, s, true)
	want := "\na: wave 2 of 2 waits for wave 1: it soaks until 14:00 UTC\nc: 3 changes ready and wait for the owners' time: frozen: for ever\n\n3 campaigns: "
	if !strings.Contains(b.String(), want) {
		t.Errorf("%s\nlacks %q", b.String(), want)
	}
	b.Reset()
	printStatus(&screen{w: &b}, &ops.Status{Campaigns: []ops.CampaignStatus{campaign("d", fleet.CampaignPaused, "paused: why it paused")}}, false)
	if strings.Count(b.String(), "why it paused") != 1 {
		t.Errorf("%s", b.String())
	}
}

func TestFollowingShowsWhatIsUnderWay(t *testing.T) {
	var all []ops.CampaignStatus
	for _, c := range []struct {
		name  string
		state fleet.CampaignState
		waits string
	}{{"a", fleet.CampaignActive, "1 pull request is open"}, {"b", fleet.CampaignDone, ""}, {"c", fleet.CampaignPaused, "paused: why"}, {"d", fleet.CampaignActive, ""}} {
		all = append(all, ops.CampaignStatus{Campaign: store.Campaign{Name: c.name, State: c.state}, Waits: c.waits, States: map[fleet.State]int{fleet.Proposed: 1}})
	}
	for _, tc := range []struct {
		names []string
		room  int
		want  string
	}{
		{nil, 9, "a: 1 proposed; 1 pull request is open|c: 1 proposed; paused: why|d: 1 proposed"},
		{nil, 2, "a: 1 proposed; 1 pull request is open|and 2 more campaigns"},
		{[]string{"b", "d"}, 2, "b: 1 proposed|d: 1 proposed"},
		{nil, 1, "and 3 more campaigns"},
	} {
		if got := strings.Join(overview(all, tc.names, tc.room), "|"); got != tc.want {
			t.Errorf("%v in %d lines: %q, want %q", tc.names, tc.room, got, tc.want)
		}
	}
}

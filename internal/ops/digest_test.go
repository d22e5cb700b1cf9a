package ops_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/ops"
	"gaggle/internal/report"
)

// A digest is of one owner over all campaigns, or one for each.
func TestDigest(t *testing.T) {
	t.Parallel()
	f := newFlock(t, 4, simulator.Faults{})
	f.owned("payments", "search")
	f.owners(fmt.Sprintf("limits: {perRepository: 1}\nowners: {search: {freeze: [{from: %s}]}}\n", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	for _, name := range []string{"first", "second"} {
		if _, err := f.start(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	f.host.Look(f.slugs[0], 1, func(p *simulator.Pull) { p.State = "closed" })
	f.ahead.Store(int64(2 * time.Hour))
	f.follow()
	digests := func(in ops.DigestInput) []report.Digest {
		t.Helper()
		out, err := f.ops.Digest(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.Digests
	}
	one := digests(ops.DigestInput{Owner: "payments"})
	if len(one) != 1 {
		t.Fatalf("%+v", one)
	}
	d := one[0]
	if d.Owner != "group:default/payments" || len(d.Open) != 2 || d.Asked() != 2 || len(d.Ahead) != 1 || d.Ahead[0].Ready != 1 || !strings.Contains(d.Ahead[0].Held, "the limit is 1") || len(d.Ended) != 1 || d.Ended[0].Closed != 1 || d.Quiet != "" {
		t.Errorf("%+v", d)
	}
	f.ahead.Add(int64(8 * 24 * time.Hour))
	f.open()
	if d := digests(ops.DigestInput{Owner: "group:default/payments"})[0]; len(d.Ended) != 0 || len(d.Open) != 2 {
		t.Errorf("%+v", d)
	}
	all := digests(ops.DigestInput{})
	if len(all) != 2 || all[1].Owner != "group:default/search" || !strings.HasPrefix(all[1].Quiet, "frozen") || len(all[1].Ahead) != 1 || all[1].Ahead[0].Campaign != "second" || all[1].Ahead[0].Ready != 2 {
		t.Errorf("%+v", all)
	}
	for i, says := range []string{"the limit is 1)", "You are left alone now: frozen"} {
		var b bytes.Buffer
		if err := report.DigestMarkdown(&b, all[i]); err != nil || !strings.Contains(b.String(), says) {
			t.Errorf("%v\n%s", err, b.String())
		}
	}
	_, err := f.ops.Digest(t.Context(), ops.DigestInput{Owner: "paymants"})
	if fleet.CodeOf(err) != fleet.CodeNotFound || !strings.Contains(fleet.HintOf(err), "did you mean group:default/payments?") {
		t.Errorf("%v, %s", err, fleet.HintOf(err))
	}
	if _, err := f.ops.Digest(t.Context(), ops.DigestInput{Since: -time.Hour}); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Errorf("%v", err)
	}
}

package ops

import (
	"context"
	"fmt"

	"gaggle/internal/engine"
	"gaggle/internal/fleet"
)

// ProvenanceInput asks how a target's change came about.
type ProvenanceInput struct {
	TargetInput
	Envelope bool `json:"envelope,omitempty"` // signed, in a DSSE envelope
}

// Provenance returns the in-toto statement about what was last pushed for a target, or what an attempt of it had pushed: the very bytes whose digest the
// commit and the pull request name.
func (o *Ops) Provenance(ctx context.Context, in ProvenanceInput) ([]byte, error) {
	t, err := o.target(ctx, in.TargetInput)
	if err != nil {
		return nil, err
	}
	attempts, err := o.store.Attempts(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	known := in.Attempt == 0
	for i := len(attempts) - 1; i >= 0; i-- {
		a := attempts[i]
		if in.Attempt != 0 && a.Number != in.Attempt {
			continue
		}
		known = true
		data, err := o.store.GetRecord(ctx, engine.RecordKey(a.ID, engine.RecordProvenance))
		if fleet.CodeOf(err) == fleet.CodeNotFound && err != nil {
			continue // nothing of it was pushed
		}
		if err != nil || !in.Envelope {
			return data, err
		}
		data, err = o.store.GetRecord(ctx, engine.RecordKey(a.ID, engine.RecordEnvelope))
		if fleet.CodeOf(err) == fleet.CodeNotFound && err != nil {
			return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "the provenance of " + t.Component + " is not signed", Hint: "an ed25519 ssh key in identity.yaml signs what is pushed from then on; without --envelope the statement itself is printed"}
		}
		return data, err
	}
	if !known {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("%s has no such attempt", t.Component), Hint: "gaggle show lists its attempts"}
	}
	return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("%s is %s, and nothing of it was pushed", t.Component, t.State), Hint: "provenance is made with a pull request"}
}

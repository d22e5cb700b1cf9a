package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gaggle/internal/fleet"
)

// Campaign is one change rolled out over many targets, as stored.
type Campaign struct {
	Name         string              `json:"name"`
	Version      int64               `json:"version"`
	File         string              `json:"file"` // where the spec was read from
	Spec         string              `json:"-"`    // the file's text
	ChangeHash   string              `json:"changeHash"`
	State        fleet.CampaignState `json:"state"`
	Reason       fleet.Code          `json:"reason,omitempty"`
	Message      string              `json:"message,omitempty"`
	DryRun       bool                `json:"dryRun"`
	OpenWaves    int                 `json:"openWaves"`         // waves 0 … OpenWaves-1 are open
	ApprovedWave int                 `json:"approvedWave"`      // what is ready in waves 0 … ApprovedWave-1 may be proposed
	AskedWave    int                 `json:"askedWave"`         // people were told that waves 0 … AskedWave-1 wait for them
	Waves        []int               `json:"waves"`             // sizes
	Reached      []time.Time         `json:"reached,omitempty"` // by wave: since when its gate, the soak apart, holds; zero, or absent, for not
	Priority     int                 `json:"priority"`          // campaigns of a higher one take their owners' time first
	CreatedAt    time.Time           `json:"createdAt"`
	UpdatedAt    time.Time           `json:"updatedAt"`
}

const campaignColumns = "name, version, file, spec, change_hash, state, reason, message, dry_run, open_waves, approved_wave, asked_wave, waves, reached, priority, created_at, updated_at"

func scanCampaign(r rows) (c Campaign, err error) {
	var dry, created, updated int64
	var waves, reached string
	if err = r.Scan(&c.Name, &c.Version, &c.File, &c.Spec, &c.ChangeHash, &c.State, &c.Reason, &c.Message, &dry, &c.OpenWaves, &c.ApprovedWave, &c.AskedWave, &waves, &reached, &c.Priority, &created, &updated); err != nil {
		return c, err
	}
	c.DryRun, c.CreatedAt, c.UpdatedAt = dry != 0, fromMicros(created), fromMicros(updated)
	return c, errors.Join(json.Unmarshal([]byte(waves), &c.Waves), json.Unmarshal([]byte(reached), &c.Reached))
}

// Campaigns lists all campaigns by name.
func (s *Store) Campaigns(ctx context.Context) ([]Campaign, error) {
	return collect(ctx, s.reader, scanCampaign, "SELECT "+campaignColumns+" FROM campaigns ORDER BY name")
}

// Campaign reads one campaign.
func (s *Store) Campaign(ctx context.Context, name string) (Campaign, error) {
	return campaign(ctx, s.reader, name)
}

// Campaign reads one campaign inside the transaction.
func (tx *Tx) Campaign(ctx context.Context, name string) (Campaign, error) {
	return campaign(ctx, tx, name)
}

func campaign(ctx context.Context, c conn, name string) (Campaign, error) {
	got, ok, err := one(ctx, c, scanCampaign, "SELECT "+campaignColumns+" FROM campaigns WHERE name = ?", name)
	if err == nil && !ok {
		err = &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("there is no campaign %q", name), Hint: "gaggle status lists the campaigns of this data folder"}
	}
	return got, err
}

// AddCampaign inserts a campaign; one with that name already is a conflict.
func (tx *Tx) AddCampaign(ctx context.Context, c *Campaign) error {
	c.Version, c.CreatedAt = 1, tx.store.Now()
	c.UpdatedAt = c.CreatedAt
	waves, reached, err := lists(c)
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, "INSERT INTO campaigns ("+campaignColumns+") VALUES "+marks(1, 17)+" ON CONFLICT DO NOTHING",
		c.Name, c.Version, c.File, c.Spec, c.ChangeHash, string(c.State), string(c.Reason), c.Message, bit(c.DryRun), c.OpenWaves, c.ApprovedWave, c.AskedWave, waves, reached, c.Priority, micros(c.CreatedAt), micros(c.UpdatedAt))
	if err == nil && n == 0 {
		return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("campaign %q exists already", c.Name)}
	}
	return err
}

// lists renders what is stored as one text.
func lists(c *Campaign) (waves, reached string, err error) {
	w, err := json.Marshal(c.Waves)
	if err != nil {
		return "", "", err
	}
	r, err := json.Marshal(append([]time.Time{}, c.Reached...))
	return string(w), string(r), err
}

// SaveCampaign writes the campaign as changed since it was read, and an event that says what happened. A row that
// changed meanwhile is a conflict.
func (tx *Tx) SaveCampaign(ctx context.Context, c *Campaign, actor, happened string) error {
	waves, reached, err := lists(c)
	if err != nil {
		return err
	}
	now := tx.store.Now()
	n, err := tx.exec(ctx, "UPDATE campaigns SET version = version + 1, file = ?, spec = ?, change_hash = ?, state = ?, reason = ?, message = ?, dry_run = ?, open_waves = ?, approved_wave = ?, asked_wave = ?, waves = ?, reached = ?, priority = ?, updated_at = ? WHERE name = ? AND version = ?",
		c.File, c.Spec, c.ChangeHash, string(c.State), string(c.Reason), c.Message, bit(c.DryRun), c.OpenWaves, c.ApprovedWave, c.AskedWave, waves, reached, c.Priority, micros(now), c.Name, c.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("campaign %q changed meanwhile", c.Name)}
	}
	c.Version, c.UpdatedAt = c.Version+1, now
	return tx.Record(ctx, Event{Campaign: c.Name, Kind: "campaign", Actor: actor, Reason: c.Reason, Message: happened})
}

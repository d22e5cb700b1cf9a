package ops

import (
	"context"
	"strings"
	"time"
)

// Holding is the credential that git is given for a clone URL, by its variable in lower case; "" for none.
func (f Forges) Holding(clone string) string {
	c, _ := f.holding(clone)
	return strings.ToLower(c.TokenEnv)
}

// Redacted is a text without the secrets that are known by now.
func (o *Ops) Redacted(text string) string { return o.redact.String(text) }

// SetPause has a sweep wait in another way.
func (o *Ops) SetPause(pause func(ctx context.Context, d time.Duration) error) { o.pause = pause }

package attempt

import (
	"context"

	"gaggle/internal/verify"
)

// discreet takes secrets out of what verifiers print, before anything is made of it: reports are kept, shown and sent to
// models. Both sides of a comparison pass it, so what is equal stays equal.
type discreet struct {
	exec verify.Exec
	r    *Runner
}

// Exec implements verify.Exec.
func (d discreet) Exec(ctx context.Context, c verify.Command) (verify.Output, error) {
	out, err := d.exec.Exec(ctx, c)
	if d.r.cfg.Redact != nil {
		out.Text = d.r.cfg.Redact.Bytes(out.Text)
	}
	return out, err
}

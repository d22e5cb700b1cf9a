package sandbox

import "context"

// Probe looks at what this machine can do.
func Probe(ctx context.Context) []Check {
	if _, err := New(ctx, Config{}); err != nil {
		return []Check{{Name: "sandbox", Detail: err.Error()}}
	}
	return []Check{{Name: "sandbox", OK: true}}
}

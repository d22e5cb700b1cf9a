//go:build full && linux

package sandbox_test

import (
	"testing"

	"gaggle/internal/sandbox"
)

func BenchmarkStart(b *testing.B) {
	sb, err := sandbox.New(b.Context(), sandbox.Config{})
	if err != nil {
		b.Fatal(err)
	}
	work := b.TempDir()
	for b.Loop() {
		if r, err := sb.Run(b.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Work: work}); err != nil || r.ExitCode != 0 {
			b.Fatal(r, err)
		}
	}
}

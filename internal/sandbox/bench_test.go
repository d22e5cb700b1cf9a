//go:build full && linux

package sandbox_test

import (
	"syscall"
	"testing"

	"gaggle/internal/sandbox"
)

// BenchmarkStart is the figure that the sandbox may cost a run: 25 ms. cpu-ms/op is less shaken by what else the machine
// does; the plain command is what of it is not the sandbox.
func BenchmarkStart(b *testing.B) {
	for name, cfg := range map[string]sandbox.Config{"bubblewrap": {}, "none": {Kind: sandbox.None}} {
		b.Run(name, func(b *testing.B) {
			sb, err := sandbox.New(b.Context(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			spec := sandbox.Spec{Argv: []string{"/bin/true"}, Work: scratch(b), Home: scratch(b)}
			before := processorTime()
			for b.Loop() {
				if r, err := sb.Run(b.Context(), spec); err != nil || r.ExitCode != 0 {
					b.Fatal(r, err)
				}
			}
			b.ReportMetric((processorTime()-before)*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processorTime is what this process and those it waited for have used, in seconds.
func processorTime() float64 {
	var sum float64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
		}
	}
	return sum
}

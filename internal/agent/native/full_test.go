//go:build full && linux

package native_test

import (
	"testing"

	"gaggle/internal/agent/agenttest"
	"gaggle/internal/llm/wire"
	"gaggle/internal/sandbox"
)

func TestConformanceInBubblewrap(t *testing.T) {
	agenttest.Exercise(t, harness(t, sandbox.Bubblewrap, wire.Messages))
}

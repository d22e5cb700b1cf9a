//go:build full && linux

package script_test

import (
	"testing"

	"gaggle/internal/agent/agenttest"
	"gaggle/internal/sandbox"
)

func TestConformanceInBubblewrap(t *testing.T) { agenttest.Exercise(t, harness(t, sandbox.Bubblewrap)) }

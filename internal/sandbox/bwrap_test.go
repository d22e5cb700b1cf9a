//go:build full && linux

package sandbox_test

import (
	"testing"

	"gaggle/internal/sandbox"
	"gaggle/internal/sandbox/sandboxtest"
)

func open(t *testing.T) sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.New(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatalf("bubblewrap: %v", err)
	}
	return sb
}

func TestBubblewrap(t *testing.T) {
	exercise(t, open)
}

func exercise(t *testing.T, open func(*testing.T) sandbox.Sandbox) {
	sandboxtest.Exercise(t, open, sandboxtest.Abilities{Isolated: true, Bounded: true})
}

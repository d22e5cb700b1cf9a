package sandbox_test

import (
	"os"
	"testing"

	"gaggle/internal/sandbox"
	"gaggle/internal/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	sandboxtest.Main()
	inside()
	os.Exit(m.Run())
}

func TestNone(t *testing.T) {
	sandboxtest.Exercise(t, func(t *testing.T) sandbox.Sandbox {
		sb, err := sandbox.New(t.Context(), sandbox.Config{Kind: sandbox.None})
		if err != nil {
			t.Fatal(err)
		}
		return sb
	}, sandboxtest.Abilities{})
}

package main

import (
	"os"
	"testing"

	"gaggle/internal/agent/native"
	"gaggle/internal/sandbox"
)

// asProgram makes this test binary behave as the program itself, so that tests drive and kill the real thing.
const asProgram = "GAGGLE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	sandbox.Main()
	native.Main()
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && os.Args[1] == "__verify" { // the latter inside a sandbox, where the environment is empty
		main()
		return
	}
	os.Exit(m.Run())
}

package main

import (
	"os"
	"testing"
)

// asProgram makes this test binary behave as the program itself, so that tests drive and kill the real thing.
const asProgram = "GAGGLE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && os.Args[1] == "__init" {
		main()
		return
	}
	os.Exit(m.Run())
}

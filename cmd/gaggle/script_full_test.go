//go:build full

package main

import "testing"

// TestCommandsFull drives the commands that start sandboxes.
func TestCommandsFull(t *testing.T) { scripts(t, "testdata/script/full") }

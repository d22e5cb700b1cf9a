//go:build !linux

package store

// bootID is not known here, so a dead worker is found by its missing heartbeat.
func bootID() string { return "" }

func processStart(int) string { return "" }

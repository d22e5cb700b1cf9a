//go:build !(full && linux)

package sandbox_test

// inside has nothing to run without the tests of bubblewrap.
func inside() {}

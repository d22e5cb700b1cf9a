package sandbox

import "os"

// Remove removes a tree that sandboxed code could write, whatever it left there.
func Remove(dir string) error { return os.RemoveAll(dir) }

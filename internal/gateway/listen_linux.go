package gateway

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// maxSocketPath is what a socket's address holds, its closing zero aside.
const maxSocketPath = 107

// listenUnix listens on a socket at path, which replaces what an earlier session left there. A path too long for a
// socket's address is reached through its directory's file descriptor.
func listenUnix(path string, mode os.FileMode) (net.Listener, error) {
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	address := path
	if len(path) > maxSocketPath {
		dir, err := os.Open(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		address = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	}
	return bind(path, address, mode)
}

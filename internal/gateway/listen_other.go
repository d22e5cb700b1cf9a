//go:build !linux

package gateway

import (
	"net"
	"os"
)

// listenUnix listens on a socket at path, which replaces what an earlier session left there.
func listenUnix(path string, mode os.FileMode) (net.Listener, error) {
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	return bind(path, path, mode)
}

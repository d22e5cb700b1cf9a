package gateway

import (
	"errors"
	"io/fs"
	"net"
	"os"

	"gaggle/internal/fleet"
)

// removeSocket removes a socket that an earlier session left, and nothing else.
func removeSocket(path string) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return fleet.Errorf(fleet.CodeInvalid, "%s is there and is no socket", path)
	}
	return os.Remove(path)
}

func bind(path, address string, mode os.FileMode) (net.Listener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the address may name a file descriptor that is another's by then; Close removes path
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

//go:build full && linux

package sandbox_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gaggle/internal/sandbox"
)

// strike runs an attack in a sandbox with a work tree, a home and a door, and fails the test with what worked.
func strike(t *testing.T, sb sandbox.Sandbox, spec sandbox.Spec, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	spec.Argv = append([]string{sandbox.Self, "attack", name}, args...)
	if spec.Work == "" {
		spec.Work = scratch(t)
	}
	spec.Stdout, spec.Stderr = &out, &out
	result, err := sb.Run(t.Context(), spec)
	if err != nil || result.ExitCode != 0 || result.Ended != "" || out.String() != "held\n" {
		t.Errorf("%s: %+v %v\n%s", name, result, err, out.String())
	}
}

// scratch returns a folder that a sandbox may be given.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sandbox.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAttacks(t *testing.T) {
	sb := open(t)
	t.Setenv("GAGGLE_CANARY", "canary-"+strconv.Itoa(os.Getpid()))

	// What a machine may offer by mistake.
	place := scratch(t)
	secret := filepath.Join(place, "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o644); err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for network, address := range map[string]string{"unix": filepath.Join(place, "docker.sock"), "tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		addresses = append(addresses, listen(t, network, address))
	}
	addresses = append(addresses, listen(t, "unix", "@gaggle-test-"+strconv.Itoa(os.Getpid())),
		"unix /run/docker.sock", "unix /var/run/docker.sock", "unix /run/systemd/private", "unix /run/dbus/system_bus_socket",
		"unix @/tmp/.X11-unix/X0", "unix /tmp/.X11-unix/X0", "unix @/tmp/.ICE-unix/1")
	home, _ := os.UserHomeDir()
	self, _ := os.Executable()

	for name, args := range map[string][]string{
		"environment": {os.Getenv("GAGGLE_CANARY"), place}, "proc": nil, "descriptors": nil, "sockets": addresses,
		"files":   {secret, place, filepath.Join(home, ".ssh"), filepath.Join(home, ".bashrc"), filepath.Join(home, ".cargo", "credentials.toml"), filepath.Dir(self)},
		"devices": nil, "calls": nil, "namespaces": nil, "trace": nil, "network": nil, "terminal": nil, "setuid": nil,
		"signals": {strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())}, "limits": nil, "identity": nil,
	} {
		t.Run(name, func(t *testing.T) {
			strike(t, sb, sandbox.Spec{Work: filepath.Join(mkdir(t, place, name))}, name, args...)
		})
		if name != "network" && name != "sockets" { // with a door, one listener more
			t.Run(name+" with a door", func(t *testing.T) {
				_, socket, _ := strings.Cut(listen(t, "unix", filepath.Join(scratch(t), "door")), " ")
				strike(t, sb, sandbox.Spec{Work: scratch(t), Home: scratch(t), Door: socket}, name, args...)
			})
		}
	}
}

func mkdir(t *testing.T, parts ...string) string {
	t.Helper()
	dir := filepath.Join(parts...)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// listen listens on the host until the test ends and returns the network and the address.
func listen(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return fmt.Sprintf("%s %s", strings.TrimRight(network, "46"), l.Addr())
}

// TestInheritedDescriptors opens files the careless way, as a parent of gaggle's may have done.
func TestInheritedDescriptors(t *testing.T) {
	sb := open(t)
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 300)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(high)
	strike(t, sb, sandbox.Spec{}, "descriptors")
}

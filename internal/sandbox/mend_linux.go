package sandbox

import (
	"os"
	"os/exec"
	"strings"
)

// InstallCommand returns the command by which root installs bubblewrap on this machine; nil when there is no package
// manager that Gaggle knows.
func InstallCommand() []string {
	for _, manager := range [][]string{
		{"apt-get", "install", "-y", "bubblewrap"},
		{"dnf", "install", "-y", "bubblewrap"},
		{"yum", "install", "-y", "bubblewrap"},
		{"apk", "add", "bubblewrap"},
		{"pacman", "-S", "--noconfirm", "bubblewrap"},
		{"zypper", "--non-interactive", "install", "bubblewrap"},
	} {
		if _, err := exec.LookPath(manager[0]); err == nil {
			return manager
		}
	}
	return nil
}

// mend says what to do about a sandbox that would not start, from what it said and how this machine is set up.
func mend(said string) string {
	setting := func(file string) string {
		data, _ := os.ReadFile(file)
		return strings.TrimSpace(string(data))
	}
	exists := func(file string) bool { _, err := os.Stat(file); return err == nil }
	switch {
	case setting("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		return "as root, run: sysctl -w kernel.unprivileged_userns_clone=1"
	case setting("/proc/sys/user/max_user_namespaces") == "0":
		return "as root, run: sysctl -w user.max_user_namespaces=10000"
	case exists("/.dockerenv") || exists("/run/.containerenv"):
		return "this is a container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined, or run gaggle outside"
	case setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "give bwrap an AppArmor profile that allows userns, or as root run: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	case strings.Contains(said, "ermission denied") || strings.Contains(said, "not permitted"):
		return "allow unprivileged user namespaces, or run gaggle in a virtual machine"
	}
	return "run `gaggle doctor`"
}

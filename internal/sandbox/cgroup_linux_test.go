package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParseCgroups(t *testing.T) {
	for name, c := range map[string]struct {
		mountinfo, self string
		mounts, own     map[string]string
	}{
		"hybrid": {
			"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw shared:3 - cgroup cgroup rw,cpu,cpuacct\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"4:memory:/a/b\n3:cpu,cpuacct:/\n0::/c\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "": "/sys/fs/cgroup/unified"},
			map[string]string{"memory": "/a/b", "cpuacct": "/", "": "/c"},
		},
		"version 2": {
			"29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			"0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n",
			map[string]string{"": "/sys/fs/cgroup"},
			map[string]string{"": "/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope"},
		},
		"container": {
			"1 2 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"4:memory:/docker/abc/x\n2:name=systemd:/docker/abc\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory"},
			map[string]string{"memory": "/x", "name=systemd": "/docker/abc"},
		},
		"nonsense": {"x\n - cgroup\n1 2 3 - cgroup2\n\n", "::\n4:memory\n\x00", nil, map[string]string{"": ""}},
	} {
		mounts, own := parseCgroups(c.mountinfo, c.self)
		for controller, want := range c.mounts {
			if got := mounts[controller].point; got != want {
				t.Errorf("%s: %q is at %q, want %q", name, controller, got, want)
			}
		}
		for controller, want := range c.own {
			if got := own[controller]; got != want {
				t.Errorf("%s: in %q this process is in %q, want %q", name, controller, got, want)
			}
		}
	}
}

func FuzzParseCgroups(f *testing.F) {
	f.Add("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "4:memory:/a\n0::/\n")
	f.Fuzz(func(t *testing.T, mountinfo, self string) { parseCgroups(mountinfo, self) })
}

func TestSweepSparesTheLiving(t *testing.T) {
	base := t.TempDir()
	c := &cgroups{owner: ownerName()}
	for _, name := range []string{c.owner + "-ABC", "1-0-DEAD", "4194305-7-DEAD", "cgroup.procs", "x-y-z"} {
		if err := os.Mkdir(filepath.Join(base, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sweep(base)
	for name, want := range map[string]bool{c.owner + "-ABC": true, "1-0-DEAD": false, "4194305-7-DEAD": false, "cgroup.procs": true, "x-y-z": true} {
		if _, err := os.Stat(filepath.Join(base, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCounter(t *testing.T) {
	if n := counter("low 0\noom 3\noom_kill 2\n", "oom_kill"); n != 2 {
		t.Error(n)
	}
	if n := counter("max 7", "max"); n != 7 {
		t.Error(n)
	}
	if startTime(os.Getpid()) <= 0 || startTime(1<<22+1) != 0 {
		t.Error("when did this process start?")
	}
}

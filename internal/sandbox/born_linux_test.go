package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestBorn holds born to saying which groups a process is not in yet.
func TestBorn(t *testing.T) {
	c := findCgroups()
	g, err := c.make(Limits{Memory: 1 << 30, Processes: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer g.remove()
	program, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, g := range map[string]*group{"as the machine has it": g, "no group at all": {of: c}, "a folder that is no group": {of: c, cpu: t.TempDir()}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var p *os.Process
		var left []string
		done := make(chan struct{})
		onOwnThread(func() {
			defer close(done)
			attr := &os.ProcAttr{Files: []*os.File{r, null, null}, Sys: &syscall.SysProcAttr{}}
			left, err = g.born(attr.Sys, func() (err error) {
				p, err = os.StartProcess(program, []string{"cat"}, attr)
				return err
			})
		})
		<-done
		r.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "a folder that is no group" {
			if len(left) != 1 || left[0] != g.cpu {
				t.Errorf("%s: left are %q", name, left)
			}
		} else if err := join(left, p.Pid); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			for _, dir := range g.folders() {
				if in := strings.Fields(read(dir, "cgroup.procs")); len(in) != 1 || in[0] != strconv.Itoa(p.Pid) {
					t.Errorf("%s: in %s are %q, want %d alone", name, filepath.Base(filepath.Dir(filepath.Dir(dir))), in, p.Pid)
				}
			}
		}
		w.Close()
		if _, err := p.Wait(); err != nil {
			t.Error(err)
		}
	}
}

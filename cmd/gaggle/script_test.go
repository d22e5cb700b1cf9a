package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCommands drives the program itself, as far as it starts no sandbox. Those under full do.
func TestCommands(t *testing.T) { scripts(t, "testdata/script") }

// scripts runs the scripts of a folder with commands of our own:
//
//	repos NAME...              makes a repository of that name under repos, with a README.md that says hello
//	code N COMMAND ARG...      runs a command that must end with exit code N
//	keys FILE PATH NAME...     checks that the object at a dotted path in a JSON file has these fields and no others
//	interrupt PATTERN ARG...   runs gaggle, sends SIGINT when a line of its output matches, and wants exit code 1;
//	                           what it printed is in the files stdout.txt and stderr.txt
func scripts(t *testing.T, dir string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "gaggle")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Setenv(asProgram, "1")
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("USER", "tester")
			env.Setenv("GAGGLE_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"repos": scriptRepos, "code": scriptCode, "keys": scriptKeys, "interrupt": scriptInterrupt,
		},
	})
}

func scriptRepos(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		dir := ts.MkAbs(filepath.Join("repos", name))
		ts.Check(os.MkdirAll(dir, 0o755))
		ts.Check(os.WriteFile(filepath.Join(dir, "README.md"), []byte("hello "+name+"\n"), 0o644))
		for _, step := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "init"}} {
			ts.Check(ts.Exec("git", append([]string{"-C", dir}, step...)...))
		}
	}
}

func scriptCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptKeys(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.NewDecoder(strings.NewReader(ts.ReadFile(args[0]))).Decode(&v))
	for step := range strings.SplitSeq(strings.Trim(args[1], "."), ".") {
		if i, err := strconv.Atoi(step); err == nil {
			list, _ := v.([]any)
			if i >= len(list) {
				ts.Fatalf("%s: there is no entry %s", args[1], step)
			}
			v = list[i]
		} else if step != "" {
			m, _ := v.(map[string]any)
			v = m[step]
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		ts.Fatalf("%s is not an object but %v", args[1], v)
	}
	var got []string
	for k := range m {
		got = append(got, k)
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(args[2:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s has the fields\n%v, want\n%v", args[1], got, want)
	}
}

func scriptInterrupt(ts *testscript.TestScript, _ bool, args []string) {
	when, err := regexp.Compile(args[0])
	ts.Check(err)
	self, err := os.Executable()
	ts.Check(err)
	cmd := exec.Command(self, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{asProgram, "PATH", "HOME", "USER", "GAGGLE_DATA"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var out, problems bytes.Buffer
	cmd.Stderr = &problems
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(stdout)
	sent := false
	for lines.Scan() {
		fmt.Fprintln(&out, lines.Text())
		if !sent && when.MatchString(lines.Text()) {
			ts.Check(cmd.Process.Signal(os.Interrupt))
			sent = true
		}
	}
	_, _ = io.Copy(&out, stdout)
	err = cmd.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), out.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), problems.Bytes(), 0o644))
	var exit *exec.ExitError
	if !sent || !errors.As(err, &exit) || exit.ExitCode() != 1 {
		ts.Fatalf("sent %v, ended with %v:\n%s%s", sent, err, out.String(), problems.String())
	}
}

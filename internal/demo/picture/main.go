// Command picture records the demo and draws the recording as docs/demo.svg: a terminal that plays what was printed, as it
// was printed, and stays at the end. Browsers that play nothing show the end.
//
//	go run ./internal/demo/picture
//
// It runs the demo without a model key, so the picture shows what everybody gets. Only two things are not as recorded:
// long waits are cut short, and the temporary folder has a short name.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "docs/demo.svg", "the picture")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	temp, err := os.MkdirTemp("", "gaggle-picture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	lines, err := record(ctx, temp)
	if err != nil {
		return err
	}
	return os.WriteFile(out, draw("gaggle demo", lines), 0o644)
}

// shown is what the demo's folder is called in the picture.
const shown = "/tmp/gaggle-demo"

// record builds the program, runs its demo and notes when each line came.
func record(ctx context.Context, temp string) ([]line, error) {
	bin := filepath.Join(temp, "bin")
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(bin, "gaggle"), "./cmd/gaggle")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building gaggle: %w", err)
	}
	path := bin + string(os.PathListSeparator) + os.Getenv("PATH")
	if err := os.Setenv("PATH", path); err != nil { // so that it is found, and finds itself, by its name
		return nil, err
	}
	dir := filepath.Join(temp, "demo")
	cmd := exec.CommandContext(ctx, "gaggle", "demo", "--dir", dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = []string{"PATH=" + path, "HOME=" + temp, "CLICOLOR_FORCE=1"}
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := []line{{text: "\x1b[36m$ gaggle demo\x1b[0m"}}
	for in := bufio.NewScanner(pipe); in.Scan(); {
		text := strings.ReplaceAll(in.Text(), dir, shown)
		fmt.Println(text)
		lines = append(lines, line{at: time.Since(began), text: text})
	}
	return lines, cmd.Wait()
}

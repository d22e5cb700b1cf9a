// Command gaggle is the whole program: flags and wiring only.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // owners' hours have zones, and not every machine has their database

	"gaggle/internal/agent/native"
	"gaggle/internal/cli"
	"gaggle/internal/demo"
	"gaggle/internal/sandbox"
)

func main() {
	sandbox.Main() // never returns where the sandbox started this program as its init
	native.Main()  // nor where it runs as the agent inside
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	app := &cli.App{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}
	app.Demo = func(ctx context.Context, dir string, w io.Writer) (bool, error) {
		return demo.Run(ctx, demo.Config{Dir: dir, Out: w, Env: os.Getenv, Program: demo.StartedAs(os.Args[0])})
	}
	code := cli.Run(ctx, app, os.Args[1:])
	stop()
	os.Exit(code)
}

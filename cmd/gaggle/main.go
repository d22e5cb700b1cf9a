// Command gaggle is the whole program: flags and wiring only.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"gaggle/internal/agent/native"
	"gaggle/internal/cli"
	"gaggle/internal/sandbox"
)

func main() {
	sandbox.Main() // never returns where the sandbox started this program as its init
	native.Main()  // nor where it runs as the agent inside
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	app := &cli.App{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}
	code := cli.Run(ctx, app, os.Args[1:])
	stop()
	os.Exit(code)
}

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	// That nobody reads the output is an error like others: stores are closed
	// and temporary directories removed.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(exit(os.Stderr, newRoot().ExecuteContext(ctx)))
}

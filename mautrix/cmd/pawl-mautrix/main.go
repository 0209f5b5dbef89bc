// Command pawl-mautrix takes over devices from programs of mautrix-go:
//
//	pawl-mautrix import STORE --from mautrix DATABASE --pickle-key-file FILE
//
// It is a command of its own so that pawl needs neither mautrix-go nor a driver of
// PostgreSQL. See docs/mautrix.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/internal/cli"
)

// Exit statuses, as those of pawl.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the command and returns the status to exit with.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage *cli.UsageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "pawl-mautrix: interrupted: run it again with the same, and it goes on")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "pawl-mautrix: %s\n", cli.Shown(err.Error()))
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:               "pawl-mautrix",
		Short:             "Take over devices from programs of mautrix-go",
		Args:              cli.Arguments(cli.NoSuchCommand),
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return cli.StartLog(cmd) },
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef("%w: see '%s --help'", err, cmd.CommandPath())
	})
	cli.BindLog(root)
	root.AddCommand(newImport())
	return root
}

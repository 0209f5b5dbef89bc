package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/cli"
)

type sweepCommand struct {
	storeFlags
	json bool
}

func newSweep() *cobra.Command {
	var c sweepCommand
	cmd := &cobra.Command{
		Use:   "sweep STORE",
		Short: "Delete what is no longer needed, and erase it from the disk",
		Long: `Erase the message keys of receipts older than two weeks, and delete, in all
accounts or in one:

  receipts older than a year
  what is left of one-time keys that were used, and of sessions that were given
    up, two weeks later and once nothing needs it
  fallback keys, a week after a newer one was published
  sessions with strangers, who came by a fallback key and were never written to,
    after a year of silence, or after four weeks if they are many

Then erase all that was ever deleted or overwritten from the store's files, which
rewrites them.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	cli.BindJSON(cmd, &c.json)
	return cmd
}

func (c *sweepCommand) run(cmd *cobra.Command, args []string) error {
	return c.passphraseFlags.use(cmd, args[0], func(o *opened) error {
		total, damaged := c.sweep(cmd.Context(), o)
		if !isOnlyDamage(damaged) {
			return damaged
		}
		if err := o.Erase(cmd.Context()); err != nil {
			return err
		}
		return cmp.Or(c.print(cmd.OutOrStdout(), total), damaged, passedOver(total.Damaged))
	})
}

// sweep sweeps the accounts that are meant and counts what was deleted.
func (c *sweepCommand) sweep(ctx context.Context, o *opened) (pawl.Swept, error) {
	var total pawl.Swept
	now := time.Now()
	err := c.eachOf(ctx, o, func(m *pawl.Machine, _ pawl.Identity) error {
		swept, err := m.Sweep(ctx, now)
		if errors.Is(err, account.ErrRetired) {
			return nil // it only inspects
		}
		total.Damaged += swept.Damaged
		total.Erased += swept.Erased
		total.Receipts += swept.Receipts
		total.Sessions += swept.Sessions
		total.OneTimeKeys += swept.OneTimeKeys
		total.FallbackKeys += swept.FallbackKeys
		total.Strangers += swept.Strangers
		return err
	})
	return total, err
}

func (c *sweepCommand) print(w io.Writer, total pawl.Swept) error {
	if c.json {
		return cli.PrintJSON(w, total)
	}
	strangers := ""
	if total.Strangers > 0 {
		strangers = ", forgot " + counted(total.Strangers, "stranger")
	}
	_, err := fmt.Fprintf(w, "erased the keys of %s, deleted %s, %s, %s, %s%s\n",
		counted(total.Erased, "receipt"), counted(total.Receipts, "receipt"), counted(total.Sessions, "session"),
		counted(total.OneTimeKeys, "one-time key"), counted(total.FallbackKeys, "fallback key"), strangers)
	return err
}

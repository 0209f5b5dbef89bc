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
		Long: `Delete receipts older than two weeks and what is left of sessions and one-time
keys that were given up, in all accounts or in one. Then erase all that was ever
deleted or overwritten from the store's files, which rewrites them.`,
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
		strangers = fmt.Sprintf(", forgot %d strangers", total.Strangers)
	}
	_, err := fmt.Fprintf(w, "erased the keys of %d receipts, deleted %d receipts, %d sessions, %d one-time keys, %d fallback keys%s\n",
		total.Erased, total.Receipts, total.Sessions, total.OneTimeKeys, total.FallbackKeys, strangers)
	return err
}

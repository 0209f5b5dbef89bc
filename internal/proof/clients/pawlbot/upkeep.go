package pawlbot

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl"
)

// check fails if anything in the store is broken, also while other processes use it.
func (c *client) check(ctx context.Context) error {
	found, err := patiently(ctx, func() ([]pawl.Finding, error) { return c.pawl.Check(ctx) })
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%d things in the store are broken: %+v", len(found), found[:min(len(found), 10)])
	}
	return err
}

// sweep erases what is no longer needed, as a client does once a day.
func (c *client) sweep(ctx context.Context) error {
	done, err := patiently(ctx, func() (pawl.Swept, error) { return c.machine.Sweep(ctx, c.now()) })
	if err == nil && done.Damaged > 0 {
		err = fmt.Errorf("%d records are damaged", done.Damaged)
	}
	return err
}

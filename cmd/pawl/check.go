package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/matrix"
)

type checkCommand struct {
	storeFlags
	json bool
}

func newCheck() *cobra.Command {
	var c checkCommand
	cmd := &cobra.Command{
		Use:   "check STORE",
		Short: "Verify that nothing in the store is broken",
		Long: `Verify every invariant of all accounts, or of one: that each record opens and
decodes, that keys belong together, and that records name only what is there.
It lists what is broken and then exits with 1. It changes nothing.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	cli.BindJSON(cmd, &c.json)
	return cmd
}

// checkedJSON is what the check of one account found.
type checkedJSON struct {
	User   matrix.UserID   `json:"user"`
	Device matrix.DeviceID `json:"device"`
	Broken []string        `json:"broken"`
}

func (c *checkCommand) run(cmd *cobra.Command, args []string) error {
	checked := []checkedJSON{}
	broken := 0
	err := c.each(cmd, args[0], func(m *pawl.Machine, id pawl.Identity) error {
		found, err := m.Check(cmd.Context())
		checked = append(checked, checkedJSON{id.UserID, id.DeviceID, append([]string{}, found...)})
		broken += len(found)
		return err
	})
	if !isOnlyDamage(err) {
		return err
	}
	if err := cmp.Or(c.print(cmd.OutOrStdout(), checked, broken == 0 && err == nil), err); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("the store is damaged in %d places: do not encrypt with an older copy of it", broken)
	}
	return nil
}

func (c *checkCommand) print(w io.Writer, checked []checkedJSON, ok bool) error {
	if c.json {
		return cli.PrintJSON(w, struct {
			OK       bool          `json:"ok"`
			Accounts []checkedJSON `json:"accounts"`
		}{ok, checked})
	}
	for _, a := range checked {
		if len(a.Broken) == 0 {
			if _, err := fmt.Fprintf(w, "%s/%s: ok\n", a.User, a.Device); err != nil {
				return err
			}
		}
		for _, b := range a.Broken {
			if _, err := fmt.Fprintf(w, "%s/%s: %s\n", a.User, a.Device, b); err != nil {
				return err
			}
		}
	}
	return nil
}

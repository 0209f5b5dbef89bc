package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/matrix"
)

type initCommand struct {
	passphraseFlags
	costFlags
	user, device string
}

func newInit() *cobra.Command {
	var c initCommand
	cmd := &cobra.Command{
		Use:   "init STORE --user USER --device DEVICE",
		Short: "Make an account, and the store if there is none",
		Long: `Make an account with new identity keys, in a store that is there or in a new one.

A new store takes the passphrase that is given. Without one it is sealed under
a key in the file STORE/pawl.key, or FILE.key for sqlite:FILE, which only you can
read: whoever has that too can open it. 'pawl passwd' changes that later.

Keep a store in a volume and not in the image of a container: all containers
that begin with the image have the same store. On overlay, Btrfs and ZFS they
notice that and send nothing until 'pawl recover'. Clones of block devices and of
virtual machines, and FUSE, do not: see docs/processes.md.`,
		Example: "  pawl init phone.pawl --user @alice:example.org --device PHONE\n  pawl init sqlite:phone.db --user @alice:example.org --device PHONE",
		Args:    cli.Arguments(oneStore),
		RunE:    c.run,
	}
	c.passphraseFlags.bind(cmd)
	c.costFlags.bind(cmd)
	cmd.Flags().StringVar(&c.user, "user", "", "the `USER` id, such as @alice:example.org")
	cmd.Flags().StringVar(&c.device, "device", "", "the `DEVICE` id that the server gave")
	cmd.MarkFlagRequired("user")
	cmd.MarkFlagRequired("device")
	return cmd
}

// accountJSON is how accounts are printed.
type accountJSON struct {
	User       matrix.UserID   `json:"user"`
	Device     matrix.DeviceID `json:"device"`
	Curve25519 string          `json:"curve25519"`
	Ed25519    string          `json:"ed25519"`
}

func accountOf(id pawl.Identity) accountJSON {
	return accountJSON{id.UserID, id.DeviceID, id.Curve25519.String(), id.Ed25519.String()}
}

func (c *initCommand) run(cmd *cobra.Command, args []string) error {
	// Before a store is made for an account that cannot be.
	user, err := matrix.ParseUserID(c.user)
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	device, err := matrix.ParseDeviceID(c.device)
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	cost, err := c.cost(cmd)
	if err != nil {
		return err
	}
	return c.create(cmd, args[0], cost, func(o *opened) error {
		made, err := makeAccount(cmd.Context(), o, user, device)
		if err != nil {
			return err
		}
		return cli.PrintJSON(cmd.OutOrStdout(), accountOf(made))
	})
}

func makeAccount(ctx context.Context, o *opened, user matrix.UserID, device matrix.DeviceID) (pawl.Identity, error) {
	m, err := o.Create(ctx, user, device)
	if err != nil {
		return pawl.Identity{}, err
	}
	return m.Identity(ctx)
}

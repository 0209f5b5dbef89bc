package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

type deleteCommand struct {
	passphraseFlags
	account   string
	yes, json bool
}

func newDelete() *cobra.Command {
	var c deleteCommand
	cmd := &cobra.Command{
		Use:   "delete STORE --account USER/DEVICE",
		Short: "Delete an account with all its records",
		Long: `Say what an account of a store has, and delete it with all its keys, sessions and
room keys if --yes is given. Nothing else is changed.

First log the device out, and export the room keys that are to be kept
('pawl room-keys export'). What is deleted does not come back, and a server that
knows the device refuses the keys of another one of its name.

From its first commit on no program finds the account, not even one that has the
store open. Interrupted, the command goes on when it is run again; so does
'pawl repair'. At its end what was deleted is erased from the store's files, which
rewrites them.`,
		Example: "  pawl delete phone.pawl --account @alice:example.org/PHONE\n  pawl delete phone.pawl --account @alice:example.org/PHONE --yes",
		Args:    cli.Arguments(oneStore),
		RunE:    c.run,
	}
	c.bind(cmd)
	cmd.Flags().StringVar(&c.account, "account", "", "the account, as `USER/DEVICE`")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do it")
	cmd.MarkFlagRequired("account")
	cli.BindJSON(cmd, &c.json)
	return cmd
}

// deletedJSON is an account that was deleted, or would be.
type deletedJSON struct {
	User    matrix.UserID   `json:"user"`
	Device  matrix.DeviceID `json:"device"`
	Deleted bool            `json:"deleted"`
	// Rest: deleting it was begun before, and nobody can tell any more what it had.
	Rest        bool `json:"rest,omitempty"`
	OneTimeKeys int  `json:"one_time_keys"`
	Sessions    int  `json:"sessions"`
	RoomKeys    int  `json:"room_keys"`
}

func (c *deleteCommand) run(cmd *cobra.Command, args []string) error {
	user, device, ok := splitName(c.account)
	if !ok {
		return cli.Usagef("--account %s: give the whole name, USER/DEVICE, so that no other account is meant", cli.Shown(c.account))
	}
	out := deletedJSON{User: user, Device: device}
	open := c.look
	if c.yes {
		open = c.use
	}
	var erased error
	err := open(cmd, args[0], func(o *opened) (err error) {
		if err = out.count(cmd.Context(), o, c.yes); err != nil || !c.yes {
			return err
		}
		err = o.Delete(cmd.Context(), user, device)
		if errors.Is(err, pawl.ErrNoAccount) {
			return unknown(cmd.Context(), o, err)
		}
		if err != nil {
			return err
		}
		out.Deleted = true
		erased = o.Erase(cmd.Context())
		return nil
	})
	if err != nil {
		return err
	}
	return cmp.Or(c.print(cmd.OutOrStdout(), out, args[0]), erased)
}

// splitName is USER/DEVICE: the server's name behind the user's first colon has no slash.
func splitName(name string) (user matrix.UserID, device matrix.DeviceID, ok bool) {
	colon := strings.IndexByte(name, ':')
	slash := strings.IndexByte(name[colon+1:], '/')
	if colon < 0 || slash < 0 {
		return "", "", false
	}
	at := colon + 1 + slash
	user, errUser := matrix.ParseUserID(name[:at])
	device, errDevice := matrix.ParseDeviceID(name[at+1:])
	return user, device, errUser == nil && errDevice == nil
}

// count reads what the account has. One that is not among the store's accounts may be
// one whose deletion was begun: only deleting it tells.
func (d *deletedJSON) count(ctx context.Context, o *opened, yes bool) error {
	m, err := o.Machine(ctx, d.User, d.Device)
	if errors.Is(err, pawl.ErrNoAccount) {
		d.Rest = yes
		if yes {
			return nil
		}
		return unknown(ctx, o, err)
	}
	if err != nil {
		return err
	}
	seen, err := m.Inspect(ctx)
	if err != nil {
		return err
	}
	if seen.Retired != "" {
		return fmt.Errorf("%w: %s", account.ErrRetired, seen.Retired)
	}
	d.OneTimeKeys = seen.Keys.Generated + seen.Keys.Offered + seen.Keys.Published + seen.Keys.Abandoned
	for _, p := range seen.Peers {
		d.Sessions += len(p.Sessions)
	}
	d.RoomKeys = seen.Records["group-in"]
	return nil
}

// unknown says which accounts there are instead.
func unknown(ctx context.Context, o *opened, err error) error {
	ids, unread := o.Accounts(ctx)
	if unread != nil && !errors.Is(unread, kv.ErrCorrupt) {
		return unread
	}
	slices.SortFunc(ids, byName)
	return instead(err, "%s; the store has %s", plain(err), names(ids))
}

func (d deletedJSON) String() string {
	what := fmt.Sprintf("%s, %s and %s", counted(d.OneTimeKeys, "one-time key"), counted(d.Sessions, "session"), counted(d.RoomKeys, "room key"))
	switch {
	case d.Rest:
		return "what was left of it is deleted"
	case d.Deleted:
		return "deleted, with " + what
	}
	return "would be deleted, with " + what
}

func (c *deleteCommand) print(w io.Writer, d deletedJSON, store string) error {
	if c.json {
		return cli.PrintJSON(w, d)
	}
	text := fmt.Sprintf("%s: %s\n", shownName(d.User, d.Device), d)
	if !d.Deleted {
		text += "nothing was changed: log the device out, keep what is to be kept ('pawl room-keys export " + cli.Shown(store) + " FILE'), and give --yes to do it\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

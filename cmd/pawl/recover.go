package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/matrix"
)

type recoverCommand struct {
	storeFlags
	force bool
	json  bool
}

func newRecover() *cobra.Command {
	var c recoverCommand
	cmd := &cobra.Command{
		Use:   "recover STORE",
		Short: "Make a store that went back in time fit to send again",
		Long: `Make the accounts of a store that was copied, restored or cut short fit to send
again, all of them or one.

Such a store may not know what was sent with it before, and would use message
keys a second time. Every command that opens it notices that, by the file
STORE/pawl.witness. Its accounts need recovery then: they decrypt and do not
encrypt.

Recovering retires every session for sending (they go on receiving), gives up
the one-time keys that were not published, lets key ids jump ahead and replaces
the fallback key. Then upload new keys and open new sessions with one-time keys
of your peers. First make sure that no other copy of the store is in use.

A whole disk or virtual machine that was put back takes the file with it, and
nothing is noticed: then use --force. It also lets the file be the witness of a
store whose program has one of its own, which must recover it again then.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	cmd.Flags().BoolVar(&c.force, "force", false, "recover accounts that do not need it too")
	cli.BindJSON(cmd, &c.json)
	return cmd
}

// recoveredJSON is what became of one account.
type recoveredJSON struct {
	User        matrix.UserID   `json:"user"`
	Device      matrix.DeviceID `json:"device"`
	Retired     string          `json:"retired,omitempty"` // it moved, and nothing was done
	Recovered   bool            `json:"recovered"`
	Failed      string          `json:"failed,omitempty"` // why not, though it was to be
	Sessions    int             `json:"sessions"`
	OneTimeKeys int             `json:"one_time_keys"`
	Damaged     int             `json:"damaged,omitempty"` // records that were passed over
}

func (r recoveredJSON) String() string {
	switch {
	case r.Retired != "":
		return "moved to " + r.Retired
	case r.Failed != "":
		return "not recovered: " + r.Failed
	case !r.Recovered:
		return "needs no recovery"
	}
	return fmt.Sprintf("recovered: from now on %s will only receive, and %s will not be offered; upload keys next", counted(r.Sessions, "session"), counted(r.OneTimeKeys, "one-time key"))
}

func (c *recoverCommand) run(cmd *cobra.Command, args []string) error {
	all := []recoveredJSON{}
	damaged := 0
	c.takesOver = c.force
	err := c.each(cmd, args[0], func(m *pawl.Machine, id pawl.Identity) error {
		done, err := c.recover(cmd.Context(), m, id)
		all = append(all, done)
		damaged += done.Damaged
		return err
	})
	if !isOnlyDamage(err) {
		return err
	}
	return cmp.Or(c.print(cmd.OutOrStdout(), all), err, passedOver(damaged))
}

func (c *recoverCommand) recover(ctx context.Context, m *pawl.Machine, id pawl.Identity) (recoveredJSON, error) {
	out := recoveredJSON{User: id.UserID, Device: id.DeviceID}
	seen, err := m.Inspect(ctx)
	if out.Retired = seen.Retired; err != nil || seen.Retired != "" {
		return out, err
	}
	if seen.Recovery == "" && !c.force {
		return out, nil
	}
	done, err := m.Recover(ctx)
	if err != nil {
		out.Failed = plain(err)
	}
	out.Recovered, out.Sessions, out.OneTimeKeys, out.Damaged = err == nil, done.Sessions, done.OneTimeKeys, done.Damaged
	return out, err
}

func (c *recoverCommand) print(w io.Writer, all []recoveredJSON) error {
	if c.json {
		return cli.PrintJSON(w, struct {
			Accounts []recoveredJSON `json:"accounts"`
		}{all})
	}
	for _, a := range all {
		if _, err := fmt.Fprintf(w, "%s: %s\n", shownName(a.User, a.Device), a); err != nil {
			return err
		}
	}
	return nil
}

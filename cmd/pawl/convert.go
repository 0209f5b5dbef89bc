package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/internal/cli"
)

type convertCommand struct {
	passphraseFlags
	json bool
}

func newConvert() *cobra.Command {
	var c convertCommand
	cmd := &cobra.Command{
		Use:   "convert STORE NEWSTORE",
		Short: "Move a store to another place or engine",
		Long: `Move a store with all its accounts to a place where there is none, from or to
an SQLite file (sqlite:FILE), a server (postgres://...?space=NAME, etcd://.../NAME) or
within one engine. It opens there with the same passphrase, or with the key file, which
goes along.

A copy is made beside NEWSTORE and compared entry by entry. Then the accounts in
STORE are retired, so that no account ever works in two places, and the
copy gets its name. STORE stays and can only be inspected: delete it when you
like. Whatever uses STORE meanwhile gets an error once that is done.

If it is interrupted, give the same command again: before that it begins again,
afterwards it only finishes.`,
		Example: "  pawl convert phone.pawl sqlite:phone.db",
		Args:    cli.Arguments(twoStores),
		RunE:    c.run,
	}
	c.bind(cmd)
	cli.BindJSON(cmd, &c.json)
	return cmd
}

// twoStores is for a store and the place for another.
func twoStores(_ *cobra.Command, args []string) error {
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return errors.New("give the store and its new place")
	}
	return nil
}

// convertedJSON tells what became of a store.
type convertedJSON struct {
	Store    string   `json:"store"` // where it is now
	Accounts int      `json:"accounts"`
	Left     []string `json:"left,omitempty"` // copies of other attempts
}

func (c *convertCommand) run(cmd *cobra.Command, args []string) error {
	from, to, err := bothPlaces(cmd.Context(), args)
	if err != nil {
		return err
	}
	if err := c.apart(cmd, from); err != nil {
		return err
	}
	given, err := c.read(cmd, false)
	if err != nil {
		return err
	}
	lock, err := to.lockNew()
	if err != nil {
		return err
	}
	defer lock.release()
	var done convertedJSON
	err = withStore(cmd.Context(), from, given, resealed, raised(cmd, func(o *opened) error {
		m := &moving{opened: o, to: to, bar: newBar(cmd, "copying")}
		done, err = m.run(cmd.Context())
		return err
	}))
	if err != nil {
		return err
	}
	return c.print(cmd, done)
}

// bothPlaces checks the places before anything is opened.
func bothPlaces(ctx context.Context, args []string) (from, to place, err error) {
	if from, err = parsePlace(args[0]); err != nil {
		return from, to, err
	}
	if to, err = parsePlace(args[1]); err != nil {
		return from, to, err
	}
	// Retired accounts name it, and commands are given elsewhere.
	if to.server == nil {
		if to.path, err = filepath.Abs(to.path); err != nil {
			return from, to, err
		}
		if info, err := os.Stat(filepath.Dir(to.path)); err != nil || !info.IsDir() {
			return from, to, fmt.Errorf("%s must be a directory that exists", filepath.Dir(to.path))
		}
	}
	if err := from.require(ctx); err != nil {
		return from, to, err
	}
	return from, to, apart(from, to)
}

func (c *convertCommand) print(cmd *cobra.Command, done convertedJSON) error {
	w := cmd.OutOrStdout()
	if c.json {
		return cli.PrintJSON(w, done)
	}
	if _, err := fmt.Fprintf(w, "moved %s to %s\n", counted(done.Accounts, "account"), done.Store); err != nil {
		return err
	}
	for _, left := range done.Left {
		if _, err := fmt.Fprintf(w, "%s was left by another convert: if that was of another store, finish it; else delete it\n", left); err != nil {
			return err
		}
	}
	return nil
}

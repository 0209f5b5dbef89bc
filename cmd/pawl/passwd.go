package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn/seal"
)

const newPassphraseEnv = "PAWL_NEW_PASSPHRASE"

type passwdCommand struct {
	passphraseFlags
	costFlags
	next   passphraseFlags
	remove bool
	json   bool
}

func newPasswd() *cobra.Command {
	var c passwdCommand
	cmd := &cobra.Command{
		Use:   "passwd STORE",
		Short: "Set, change or remove the store's passphrase",
		Long: `Seal the store under another passphrase, or with --remove under a key in its key
file. One record is rewritten, and the old one is erased from the store's files.
The present passphrase is given as for every other command, the new one from a
file, a prompt or ` + newPassphraseEnv + `. It may be the same, to choose with
--argon2-memory what it takes; otherwise that stays as it is.

A key file that does not open the store and is in the way gets another name,
with .unused- and a number at its end.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.passphraseFlags.bind(cmd)
	c.costFlags.bind(cmd)
	c.next.env, c.next.name, c.next.flag = newPassphraseEnv, "new passphrase", "new-passphrase-file"
	flags := cmd.Flags()
	flags.StringVar(&c.next.file, "new-passphrase-file", "", "read the new passphrase from `FILE`, which has one line (or set "+newPassphraseEnv+")")
	flags.BoolVar(&c.next.ask, "new-passphrase", false, "ask for the new passphrase on the terminal")
	flags.BoolVar(&c.remove, "remove", false, "remove the passphrase: seal under a key file")
	cli.BindJSON(cmd, &c.json)
	cmd.MarkFlagsMutuallyExclusive("new-passphrase-file", "new-passphrase", "remove")
	cmd.MarkFlagsMutuallyExclusive(memoryFlag, "remove")
	return cmd
}

// sealedJSON says what a store is sealed under.
type sealedJSON struct {
	SealedUnder string `json:"sealed_under"` // "passphrase" or "key file"
}

func (c *passwdCommand) run(cmd *cobra.Command, args []string) error {
	p, err := parsePlace(args[0])
	if err != nil {
		return err
	}
	if err := p.require(cmd.Context()); err != nil {
		return err
	}
	cost, err := c.cost(cmd)
	if err != nil {
		return err
	}
	if err := errors.Join(c.apart(cmd, p), c.next.apart(cmd, p)); err != nil {
		return err
	}
	if cost == (seal.Cost{}) && isOne(c.file, c.next.file) {
		return errors.New("--passphrase-file and --new-passphrase-file are one file: nothing would change")
	}
	// Both are asked for before the store is taken.
	present, err := c.read(cmd, false)
	if err != nil {
		return err
	}
	next, err := c.readNext(cmd)
	if err != nil {
		return err
	}
	present.cost = cost
	return withStore(cmd.Context(), p, present, resealed, raised(cmd, func(o *opened) error {
		return c.reseal(cmd, o, next)
	}))
}

func (c *passwdCommand) reseal(cmd *cobra.Command, o *opened, next passphrase) error {
	under, change := sealedJSON{"passphrase"}, c.toPassphrase
	if c.remove {
		under, change = sealedJSON{"key file"}, c.toKeyFile
	}
	if err := change(cmd, o, next); err != nil {
		return err
	}
	return c.print(cmd, under)
}

func (c *passwdCommand) readNext(cmd *cobra.Command) (passphrase, error) {
	if c.remove {
		return passphrase{}, nil
	}
	next, err := c.next.read(cmd, true)
	if err == nil && !next.given {
		err = cli.Usagef("give the new passphrase with --new-passphrase-file FILE, %s or --new-passphrase, or --remove the present one", newPassphraseEnv)
	}
	return next, err
}

// toPassphrase seals under a passphrase, and then removes the key file: it is
// needed until that is on the disk.
func (c *passwdCommand) toPassphrase(cmd *cobra.Command, o *opened, next passphrase) error {
	err := o.ChangePassphrase(cmd.Context(), next.text.Reveal())
	switch {
	case err != nil && !errors.Is(err, pawl.ErrNotErased):
		return err
	case o.given.given:
		return errors.Join(err, keyfile.SetAside(o.place.keyFile()))
	}
	return errors.Join(err, o.key.Remove(o.place.keyFile()))
}

// toKeyFile writes a key file, and then seals under it. A key file that a crash
// leaves behind in between opens nothing, and the passphrase still does.
func (c *passwdCommand) toKeyFile(cmd *cobra.Command, o *opened, _ passphrase) error {
	if !o.given.given {
		return errors.New("the store has no passphrase to remove")
	}
	if err := keyfile.SetAside(o.place.keyFile()); err != nil {
		return err
	}
	key, err := keyfile.Create(o.place.keyFile())
	if err != nil {
		return err
	}
	err = o.ChangeKey(cmd.Context(), key.Reveal())
	if err != nil && !errors.Is(err, kv.ErrUnknown) && !errors.Is(err, pawl.ErrNotErased) {
		err = errors.Join(err, key.Remove(o.place.keyFile()))
	}
	return err
}

func (c *passwdCommand) print(cmd *cobra.Command, under sealedJSON) error {
	if c.json {
		return cli.PrintJSON(cmd.OutOrStdout(), under)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "the store is sealed under a %s now\n", under.SealedUnder)
	return err
}

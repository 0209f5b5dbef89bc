package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/kv"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

type importCommand struct {
	from, keyFile, passphraseFile string
	account, user                 string
	retired, dryRun, json         bool
}

func newImport() *cobra.Command {
	var c importCommand
	cmd := &cobra.Command{
		Use:   "import STORE --from mautrix DATABASE",
		Short: "Take over a device from a database of mautrix-go",
		Long: `Make an account of a device that a bot or bridge of mautrix-go had: its keys, its
Olm sessions, the room keys that it had with where they came from, the devices
and signatures that it knew, its secrets, and where its syncs stopped. DATABASE
is an SQLite file, or an address of PostgreSQL (postgres://...); it is read, and
stays as it is. The store is made if there is none: STORE is a directory, or
sqlite:FILE.

All of DATABASE is read before anything is written. A row that cannot be read is
listed, and the rest is taken. Interrupted, it goes on when it is run again.

The old program cannot be stopped from here, and two that go on from one state
wedge their sessions. So the account only receives until 'pawl recover STORE'.
With --retired you state that the old program never runs again: then its
sessions go on.

The pickle key is the first line of the file that --pickle-key-file names: what
the program gives to NewCryptoHelper. The store is sealed under it, too, unless
--passphrase-file names another passphrase.`,
		Example: "  pawl-mautrix import bot.pawl --from mautrix bot.db --pickle-key-file key --dry-run",
		Args: cli.Arguments(func(_ *cobra.Command, args []string) error {
			if len(args) != 2 || args[0] == "" || args[1] == "" {
				return errors.New("give the store, and the database")
			}
			return nil
		}),
		RunE: c.run,
	}
	cmd.Flags().StringVar(&c.from, "from", "", "`PROGRAM` that has the database: mautrix")
	cmd.Flags().StringVar(&c.keyFile, "pickle-key-file", "", "read the pickle key from the first line of `FILE`")
	cmd.Flags().StringVar(&c.passphraseFile, "passphrase-file", "", "read the store's passphrase from the first line of `FILE`")
	cmd.Flags().StringVar(&c.account, "account-id", "", "`ID` of the account in the database, where it has several")
	cmd.Flags().StringVar(&c.user, "user", "", "`USER` whose device it is, where the database does not say")
	cmd.Flags().BoolVar(&c.retired, "retired", false, "the old program never runs again")
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "say what would be imported, and change nothing")
	cli.BindJSON(cmd, &c.json)
	return cmd
}

func (c *importCommand) run(cmd *cobra.Command, args []string) error {
	switch {
	case c.from != "mautrix":
		return cli.Usagef("--from %q: want mautrix (pawl import reads pickles of libolm and vodozemac)", c.from)
	case c.keyFile == "":
		return cli.Usagef("give the pickle key with --pickle-key-file FILE")
	}
	key, err := firstLine("pickle key", c.keyFile)
	if err != nil {
		return err
	}
	passphrase := key
	if c.passphraseFile != "" {
		if passphrase, err = firstLine("passphrase", c.passphraseFile); err != nil {
			return err
		}
	}
	if isOne(strings.TrimPrefix(args[0], sqlitePrefix), args[1]) {
		return cli.Usagef("the store cannot be in the database, which stays as it is: give another path than %s", args[0])
	}
	d, err := c.read(cmd, args[1], key)
	if err != nil {
		return err
	}
	if _, err := d.Import.Plan(); err != nil { // before a store is made for a device that cannot be
		return err
	}
	done, err := c.take(cmd.Context(), args[0], passphrase, d.Import)
	if err != nil {
		return err
	}
	return c.print(cmd.OutOrStdout(), args[0], d, done)
}

// read reads the device.
func (c *importCommand) read(cmd *cobra.Command, database string, key secret.Value[[]byte]) (d pawlmautrix.DatabaseDevice, err error) {
	db, end, err := openDatabase(cmd.Context(), database)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, end()) }()
	how := pawlmautrix.DatabaseImport{PickleKey: key.Reveal(), User: id.UserID(c.user), Retired: c.retired}
	if cmd.Flags().Changed("account-id") {
		how.AccountID = &c.account
	}
	if d, err = pawlmautrix.ReadDatabase(cmd.Context(), db, how); err != nil {
		return d, advise(err)
	}
	return d, nil
}

// advise adds the flag that helps.
func advise(err error) error {
	switch {
	case errors.Is(err, pawlmautrix.ErrSeveralAccounts):
		return fmt.Errorf("%w (--account-id)", err)
	case errors.Is(err, pawlmautrix.ErrWhose):
		return fmt.Errorf("%w (--user)", err)
	}
	return err
}

// take imports the device, or says what that would do.
func (c *importCommand) take(ctx context.Context, place string, passphrase secret.Value[[]byte], d pawl.Import) (done pawl.Imported, err error) {
	engine, there, err := openEngine(ctx, place, c.dryRun)
	if err != nil || c.dryRun && !there {
		if err == nil {
			done, err = d.Plan()
		}
		return done, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	store, err := pawl.Open(ctx, engine, pawl.WithPassphrase(passphrase.Reveal()), pawl.WithLogger(cli.Logger(ctx)))
	if err != nil {
		return done, fmt.Errorf("%s: %w", place, err)
	}
	if c.dryRun {
		return store.PlanImport(ctx, d)
	}
	if done, err = store.Import(ctx, d); err != nil {
		return done, err
	}
	return done, verified(ctx, store, d)
}

// verified checks the account that was imported.
func verified(ctx context.Context, store *pawl.Store, d pawl.Import) error {
	m, err := store.Machine(ctx, d.UserID, d.DeviceID)
	if err != nil {
		return err
	}
	broken, err := m.Check(ctx)
	if err == nil && len(broken) > 0 {
		err = fmt.Errorf("%w: %s", kv.ErrCorrupt, broken[0])
	}
	return err
}

// maxLine catches the wrong file, not a long key.
const maxLine = 4096

// firstLine returns the first line of a file.
func firstLine(what, path string) (none secret.Value[[]byte], err error) {
	file, err := os.Open(path)
	if err != nil {
		return none, fmt.Errorf("%s: %w", what, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxLine+2))
	if err != nil {
		return none, fmt.Errorf("%s: %w", what, err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) == 0:
		return none, fmt.Errorf("the %s in %s is empty", what, path)
	case len(line) > maxLine:
		return none, fmt.Errorf("the %s in %s is longer than %d bytes: is it the right file?", what, path, maxLine)
	}
	return secret.Hide(line), nil
}

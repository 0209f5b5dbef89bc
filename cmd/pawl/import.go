package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/cli/imported"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn/seal"
)

type importCommand struct {
	passphraseFlags
	from            string
	keyFile         string
	askKey          bool
	retired, dryRun bool
	json            bool
}

func newImport() *cobra.Command {
	var c importCommand
	cmd := &cobra.Command{
		Use:   "import STORE --from libolm|vodozemac FILE",
		Short: "Take over a device from another program's pickles",
		Long: `Make an account of a device that another program had, from what it pickled with
libolm (or goolm) or vodozemac: its keys, its Olm sessions, and the room keys that
it had. FILE is a list of pickles in JSON, as docs/import.md describes it. The
store is made if there is none.

All of FILE is read before anything is written, and what was written is verified
afterwards. Interrupted, it goes on when it is run again with the same FILE; a
device that was imported stays as it is when that is done again.

The old program cannot be stopped from here, and two that go on from one state
wedge their sessions. So the account only receives until 'pawl recover', which
gives up all sessions for sending. With --retired you state that the old program
never runs again, and did not run since it wrote FILE: then its sessions go on.

The pickle key is the first line of the file that --pickle-key-file names, or
comes from PAWL_PICKLE_KEY, or is asked for with --pickle-key. That of vodozemac
has 32 bytes: as they are, whatever they are, or in base64.`,
		Example: "  pawl import phone.pawl --from vodozemac pickles.json --pickle-key-file key --dry-run",
		Args:    cli.Arguments(storeAndList),
		RunE:    c.run,
	}
	c.bind(cmd)
	cmd.Flags().StringVar(&c.from, "from", "", "`PROGRAM` that made the pickles: libolm or vodozemac")
	cmd.Flags().StringVar(&c.keyFile, "pickle-key-file", "", "read the pickle key from the first line of `FILE` (or set "+pickleKeyEnv+")")
	cmd.Flags().BoolVar(&c.askKey, "pickle-key", false, "ask for the pickle key on the terminal")
	cmd.Flags().BoolVar(&c.retired, "retired", false, "the old program never runs again")
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "say what would be imported, and change nothing")
	cmd.MarkFlagRequired("from")
	cmd.MarkFlagsMutuallyExclusive("pickle-key-file", "pickle-key")
	cli.BindJSON(cmd, &c.json)
	return cmd
}

// storeAndList is for a store and a list of pickles.
func storeAndList(_ *cobra.Command, args []string) error {
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return errors.New("give the store and the file with the pickles")
	}
	return nil
}

func (c *importCommand) run(cmd *cobra.Command, args []string) error {
	p, known := picklers[c.from]
	if !known {
		return cli.Usagef("--from %s: want libolm or vodozemac", cli.Shown(c.from))
	}
	key, err := c.pickleKey(cmd.Context(), p)
	if err != nil {
		return err
	}
	d, err := readPickles(args[1], c.from, p, key)
	if err != nil {
		return err
	}
	d.Retired = c.retired
	done, err := c.take(cmd, args[0], d)
	if err != nil && !errors.Is(err, kv.ErrCorrupt) {
		return err
	}
	return cmp.Or(err, c.print(cmd.OutOrStdout(), d, done))
}

// take imports the device, or says what that would do.
func (c *importCommand) take(cmd *cobra.Command, store string, d pawl.Import) (done pawl.Imported, err error) {
	place, err := parsePlace(store)
	if err != nil {
		return done, err
	}
	if c.dryRun {
		there, err := place.isThere(cmd.Context())
		if err != nil {
			return done, err
		}
		if !there {
			return d.Plan()
		}
		err = c.look(cmd, store, func(o *opened) error {
			done, err = o.PlanImport(cmd.Context(), d)
			return err
		})
		return done, err
	}
	if _, err := d.Plan(); err != nil { // before a store is made for a device that cannot be
		return done, err
	}
	err = c.create(cmd, store, seal.Cost{}, func(o *opened) error {
		if done, err = o.Import(cmd.Context(), d); err != nil {
			return err
		}
		return verified(cmd.Context(), o, d)
	})
	return done, err
}

// verified checks the account that was imported.
func verified(ctx context.Context, o *opened, d pawl.Import) error {
	found, err := o.Check(ctx)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.User == d.UserID && f.Device == d.DeviceID {
			return fmt.Errorf("%w: %s", kv.ErrCorrupt, f.Broken)
		}
	}
	return nil
}

const (
	pickleKeyEnv = "PAWL_PICKLE_KEY"
	maxPickleKey = 4096
)

// pickleKey gets the key of the pickles. It is taken as it is: libolm's may be
// anything, even nothing.
func (c *importCommand) pickleKey(ctx context.Context, p pickler) (key secret.Value[[]byte], err error) {
	var text []byte
	switch env, given := os.LookupEnv(pickleKeyEnv); {
	case c.keyFile != "":
		text, err = keyWithin(c.keyFile, p.keySize)
	case c.askKey:
		text, err = asked{"pickle key", "pickle-key-file", pickleKeyEnv}.onTerminal(ctx, "Enter the pickle key: ")
	case given:
		text = []byte(env)
	default:
		return key, cli.Usagef("give the key of the pickles with --pickle-key-file FILE, %s or --pickle-key", pickleKeyEnv)
	}
	if err != nil {
		return key, err
	}
	if len(text) > maxPickleKey {
		return key, fmt.Errorf("the pickle key is longer than %d bytes: is it the right file?", maxPickleKey)
	}
	return secret.Hide(text), nil
}

// keyWithin returns the line that a file has, or all of it if the key has so many bytes:
// each of them may be that which ends a line.
func keyWithin(path string, size int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("pickle key: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPickleKey+2))
	if err != nil {
		return nil, fmt.Errorf("pickle key: %w", err)
	}
	if whole := bytes.TrimSuffix(text, []byte("\n")); size > 0 {
		for _, all := range [][]byte{text, whole, bytes.TrimSuffix(whole, []byte("\r"))} {
			if len(all) == size {
				return all, nil
			}
		}
	}
	return lineWithin(text), nil
}

func (c *importCommand) print(w io.Writer, d pawl.Import, done pawl.Imported) error {
	out := imported.Of(d, done, c.dryRun, plain)
	if c.json {
		return cli.PrintJSON(w, out)
	}
	_, err := io.WriteString(w, textOf(out))
	return err
}

// textOf is a report for people.
func textOf(i imported.Report) string {
	name := shownName(i.User, i.Device)
	keys := i.OneTimeKeys
	what := fmt.Sprintf("%s (%d published, %d not, %d used), %s, %s", counted(keys.Published+keys.Abandoned+keys.Used, "one-time key"),
		keys.Published, keys.Abandoned, keys.Used, counted(i.FallbackKeys, "fallback key"), counted(i.Sessions, "session"))
	if i.Dropped > 0 {
		what += fmt.Sprintf(" (%d more were left out: a peer has too many)", i.Dropped)
	}
	r := i.RoomKeys
	switch {
	case i.DryRun && i.Before:
		return fmt.Sprintf("%s: was imported before, and stays as it is; %s would be joined to what there is\n", name, counted(r.Given, "room key"))
	case i.DryRun:
		return fmt.Sprintf("%s: would get %s, %s\n", name, what, counted(r.Given, "room key"))
	case i.Before:
		what = "was imported before, and stays as it is"
	default:
		what = "imported: " + what
	}
	text := fmt.Sprintf("%s: %s; %s (%d new, %d better, %d known, %d refused)\n", name, what, counted(r.Given, "room key"), r.New, r.Better, r.Same, len(r.Refused))
	for _, refused := range r.Refused {
		text += "refused: " + cli.Shown(refused) + "\n"
	}
	if i.NeedsRecovery {
		text += "It only receives until 'pawl recover': stop the old program first.\n"
	}
	return text
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// salvage reads what can be read in the files of a store, and says all that is
// wrong with them. What only a seal can prove is among it.
func (p place) salvage() (entries []kv.Entry, faults []error, err error) {
	if p.server != nil {
		return nil, nil, fmt.Errorf("%s is in a server: there are no files to look at", p)
	}
	if p.sqlite {
		found, err := sqlitekv.Salvage(p.path)
		return with(found.Entries, found.Unchecked), found.Faults, err
	}
	found, err := badgerkv.Salvage(p.path)
	return found.Entries, found.Faults, err
}

// with returns entries with more of them, which stand in place of those of their keys.
func with(entries, more []kv.Entry) []kv.Entry {
	byKey := func(a, b kv.Entry) int { return strings.Compare(a.Key, b.Key) }
	all := slices.Concat(more, entries)
	slices.SortStableFunc(all, byKey)
	return slices.CompactFunc(all, func(a, b kv.Entry) bool { return a.Key == b.Key })
}

// isFileDamage reports whether an error may be of damaged files.
func isFileDamage(err error) bool {
	return errors.Is(err, kv.ErrCorrupt) || errors.Is(err, sqlitekv.ErrForeign) || errors.Is(err, badgerkv.ErrForeign)
}

// faults returns all that is wrong with the files of a store, and nothing where
// that cannot be told: somebody uses it, or it is no store.
// They are looked at in a private copy, since SQLite writes when it looks.
func (p place) faults() []error {
	if p.server != nil {
		return nil
	}
	copied, remove, err := p.copyAside()
	if err != nil {
		return nil
	}
	defer remove()
	_, faults, err := copied.salvage()
	if err != nil {
		return nil
	}
	for i, fault := range faults {
		faults[i] = &elsewhere{fault, copied.path, p.path}
	}
	return faults
}

// filesError says what can be done about damaged files.
func filesError(p place, faults []error) error {
	return fmt.Errorf("the files of the store are damaged in %s: 'pawl repair %s --to NEW' copies what can be read", counted(len(faults), "place"), p)
}

// unreadable returns why a store does not open, or cannot be read to its end,
// though each of its files can: they do not belong together.
func (p place) unreadable(ctx context.Context) error {
	err := p.readAll(ctx)
	if !isFileDamage(err) {
		return nil // what it is says who opens the store
	}
	return err
}

func (p place) readAll(ctx context.Context) (err error) {
	engine, err := p.openOlder(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	snap := engine.Snapshot()
	defer snap.Close()
	for _, err := range snap.Scan(ctx, "") {
		if err != nil {
			return err
		}
	}
	return nil
}

// salvagedJSON tells what became of a store that does not open.
type salvagedJSON struct {
	Store   string        `json:"store"`   // the new one
	Entries int           `json:"entries"` // that could be read
	Faults  []string      `json:"faults"`  // of the old one's files
	Found   []findingJSON `json:"found"`   // repaired in the new one
}

// salvage copies what can be read of a store that does not open to a new place.
func (c *repairCommand) salvage(cmd *cobra.Command, args []string) error {
	from, to, err := bothPlaces(cmd.Context(), []string{args[0], c.to})
	if err != nil {
		return err
	}
	if from.server != nil || to.server != nil {
		return cli.Usagef("--to copies what can be read of a store's files to others, and a server keeps its own")
	}
	if err := c.apart(cmd, from); err != nil {
		return err
	}
	if c.keyringOf != "" {
		of, err := parsePlace(c.keyringOf)
		if err == nil {
			err = errors.Join(apart(from, of), apart(to, of))
		}
		if err != nil {
			return err
		}
	}
	given, err := c.read(cmd, false)
	if err != nil {
		return err
	}
	how, key, err := from.unlocking(given)
	if err != nil {
		return err
	}
	lock, err := to.lockNew()
	if err != nil {
		return err
	}
	defer lock.release()
	if err := to.requireFree(cmd.Context()); err != nil {
		return err
	}
	entries, faults, err := from.salvage()
	if err == nil && len(faults) == 0 {
		if cause := from.unreadable(cmd.Context()); cause != nil {
			faults = []error{cause}
		}
	}
	switch {
	case errors.Is(err, kv.ErrInUse):
		return fmt.Errorf("%w: stop what uses it", err)
	case err != nil:
		return err
	case len(faults) == 0 && c.keyringOf == "":
		return fmt.Errorf("all files of %s can be read: repair it where it is, without --to", from)
	}
	if c.keyringOf != "" {
		if entries, err = c.withKeyring(entries); err != nil {
			return err
		}
	}
	found, err := fill(cmd.Context(), to, entries, key, how)
	if err != nil {
		return err
	}
	out := salvagedJSON{Store: to.String(), Entries: len(entries), Faults: texts(faults), Found: []findingJSON{}}
	for _, f := range found {
		out.Found = append(out.Found, findingJSON(f))
	}
	return c.printSalvaged(cmd.OutOrStdout(), from, out)
}

// withKeyring takes the keyring of a copy for that of the store. It opens with the
// passphrase or key that the copy had.
func (c *repairCommand) withKeyring(entries []kv.Entry) ([]kv.Entry, error) {
	p, err := parsePlace(c.keyringOf)
	if err != nil {
		return nil, err
	}
	of, _, err := p.salvage()
	if err != nil {
		return nil, err
	}
	isKeyring := func(e kv.Entry) bool { return e.Key == pawl.KeyringKey }
	i := slices.IndexFunc(of, isKeyring)
	if i < 0 {
		return nil, fmt.Errorf("%s: %w", p, pawl.ErrNoKeyring)
	}
	return append(slices.DeleteFunc(entries, isKeyring), of[i]), nil
}

// unlocking returns what a store opens with that is not open.
func (p place) unlocking(given passphrase) (pawl.Option, keyfile.Key, error) {
	if given.given {
		return pawl.WithPassphrase(given.text.Reveal()), keyfile.Key{}, nil
	}
	key, err := keyfile.Read(p.keyFile())
	if err == nil && !key.Found() {
		err = fmt.Errorf("%s is sealed and has no %s: %s", p, filepath.Base(p.keyFile()), giveIt)
	}
	return pawl.WithKey(key.Reveal()), key, err
}

// fill makes a store of entries at a place where there is none. It gets its name
// when it is whole.
func fill(ctx context.Context, to place, entries []kv.Entry, key keyfile.Key, how pawl.Option) (found []pawl.Finding, err error) {
	if err := to.removeLeftovers(copyingInfix); err != nil {
		return nil, err
	}
	copying := to.aside(copyingInfix, files.RandomName()+files.RandomName())
	found, err = fillAt(ctx, copying, entries, how)
	if err == nil && key.Found() {
		home := copying
		if to.sqlite {
			home = to
		}
		err = key.Ensure(home.keyFile())
	}
	if err != nil {
		return nil, errors.Join(err, copying.removeAll())
	}
	return found, copying.rename(to)
}

func fillAt(ctx context.Context, p place, entries []kv.Entry, how pawl.Option) (found []pawl.Finding, err error) {
	engine, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return pawl.Salvage(ctx, entries, engine, how, pawl.WithLogger(cli.Logger(ctx)))
}

func texts(errs []error) (all []string) {
	for _, err := range errs {
		all = append(all, plain(err))
	}
	return all
}

func (c *repairCommand) printSalvaged(w io.Writer, from place, out salvagedJSON) error {
	if c.json {
		return cli.PrintJSON(w, out)
	}
	var b strings.Builder
	for _, fault := range out.Faults {
		fmt.Fprintf(&b, "file: %s\n", cli.Shown(fmt.Sprint(fault)))
	}
	describeFindings(&b, out.Found, true)
	fmt.Fprintf(&b, "copied %s that can be read to %s: its accounts must be recovered before they send ('pawl recover'); do not use %s again\n",
		counted(out.Entries, "record"), out.Store, from)
	_, err := io.WriteString(w, b.String())
	return err
}

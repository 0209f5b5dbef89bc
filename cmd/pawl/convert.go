package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
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
an SQLite file (sqlite:FILE) or within one engine. It opens there with the same
passphrase, or with the key file, which goes along.

A copy is made beside NEWSTORE and compared entry by entry. Then the accounts in
STORE are marked as moved, so that no account ever works in two places, and the
copy gets its name. STORE stays and can only be inspected: delete it when you
like. Whatever uses STORE meanwhile gets an error once that is done.

If it is interrupted, give the same command again: before the mark it begins
again, after it it only finishes.`,
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
	from, to, err := bothPlaces(args)
	if err != nil {
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
	err = withStore(cmd.Context(), from, given, resealed, func(o *opened) error {
		m := &moving{opened: o, to: to, bar: newBar(cmd, "copying")}
		done, err = m.run(cmd.Context())
		return err
	})
	if err != nil {
		return err
	}
	return c.print(cmd, done)
}

// bothPlaces checks the places before anything is opened.
func bothPlaces(args []string) (from, to place, err error) {
	if from, err = parsePlace(args[0]); err != nil {
		return from, to, err
	}
	if to, err = parsePlace(args[1]); err != nil {
		return from, to, err
	}
	// The mark names it, and commands are given elsewhere.
	if to.path, err = filepath.Abs(to.path); err != nil {
		return from, to, err
	}
	if info, err := os.Stat(filepath.Dir(to.path)); err != nil || !info.IsDir() {
		return from, to, fmt.Errorf("%s must be a directory that exists", filepath.Dir(to.path))
	}
	return from, to, from.require()
}

func (c *convertCommand) print(cmd *cobra.Command, done convertedJSON) error {
	w := cmd.OutOrStdout()
	if c.json {
		return cli.PrintJSON(w, done)
	}
	if _, err := fmt.Fprintf(w, "moved %d accounts to %s\n", done.Accounts, done.Store); err != nil {
		return err
	}
	for _, left := range done.Left {
		if _, err := fmt.Fprintf(w, "%s was left by another convert: if that was of another store, finish it; else delete it\n", left); err != nil {
			return err
		}
	}
	return nil
}

// moving is one run of convert. The source's key is locked, so that no other
// command makes accounts in it, seals it under another key or moves it.
type moving struct {
	*opened
	to  place
	bar *bar
}

func (m *moving) run(ctx context.Context) (convertedJSON, error) {
	moved, active, err := m.Retirements(ctx)
	if err != nil {
		return convertedJSON{}, err
	}
	id, finishing, err := m.begun(moved, active)
	if err != nil {
		return convertedJSON{}, err
	}
	if !finishing {
		if id, err = m.move(ctx); err != nil {
			return convertedJSON{}, err
		}
	}
	if err := m.finish(ctx, id); err != nil {
		return convertedJSON{}, err
	}
	left, err := m.to.leftovers(movedInfix)
	return convertedJSON{m.to.String(), max(active, len(moved)), left}, err
}

// begun says whether the accounts were marked by a run before this one, and
// with which id.
func (m *moving) begun(moved []account.Retirement, active int) (id string, finishing bool, err error) {
	for _, r := range moved {
		if r.Path == m.to.String() {
			return r.Target, true, nil
		}
	}
	switch {
	case active > 0:
		return "", false, m.to.requireFree()
	case len(moved) > 0:
		return "", false, fmt.Errorf("%w: %s: convert that one", account.ErrRetired, moved[0].Path)
	}
	return "", false, fmt.Errorf("%w: %s", pawl.ErrNothingToMove, m.place)
}

// move makes a copy, of which the name tells what it is: as long as it is being
// copied nobody depends on it, and the next run removes it; from then on a mark
// may name it, and nothing removes it.
func (m *moving) move(ctx context.Context) (id string, err error) {
	if err := m.to.removeLeftovers(copyingInfix); err != nil {
		return "", err
	}
	id = randomName() + randomName()
	copying, whole := m.to.aside(copyingInfix, id), m.to.aside(movedInfix, id)
	if err := m.copy(ctx, copying, func(pawl.Copy) error { return nil }); err != nil {
		return "", errors.Join(err, copying.removeAll())
	}
	if err := copying.rename(whole); err != nil {
		return "", err
	}
	// Once more: what is compared now comes from the disk.
	asked := false
	err = m.copy(ctx, whole, func(c pawl.Copy) error {
		asked = true
		return m.Retire(ctx, c, id, m.to.String())
	})
	if err != nil && (!asked || errors.Is(err, pawl.ErrMovedOn)) {
		err = errors.Join(err, whole.removeAll()) // it is certain that no mark names it
	}
	return id, err
}

// copyTries bounds how often a store that is in use is followed.
const copyTries = 50

// copy brings the store at a place to the source's content, and again as long as
// then says that the source has changed.
func (m *moving) copy(ctx context.Context, p place, then func(pawl.Copy) error) (err error) {
	target, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	for range copyTries {
		var c pawl.Copy
		if c, err = m.CopyTo(ctx, target, m.bar.step()); err == nil {
			err = then(c)
		}
		if !errors.Is(err, pawl.ErrMovedOn) && !errors.Is(err, kv.ErrConflict) {
			break
		}
	}
	m.bar.finish()
	if errors.Is(err, pawl.ErrMovedOn) {
		err = fmt.Errorf("%w, %d times: stop what uses it", err, copyTries)
	}
	return err
}

// finish makes the copy with an id, which the source's accounts are marked with,
// the store at the new place.
func (m *moving) finish(ctx context.Context, id string) error {
	whole := m.to.aside(movedInfix, id)
	switch there, err := whole.exists(); {
	case err != nil:
		return err
	case !there:
		if err := m.to.require(); err != nil {
			return fmt.Errorf("the accounts were moved, and neither %s nor %s is there: put it back", m.to, whole)
		}
		return nil
	}
	if done, err := whole.isAlso(m.to); done || err != nil {
		return errors.Join(err, whole.removeAll())
	}
	if err := m.complete(ctx, whole); err != nil {
		return err
	}
	return whole.rename(m.to)
}

// complete gives the copy what it takes to open it.
func (m *moving) complete(ctx context.Context, whole place) (err error) {
	// A directory has these files in it, and an SQLite file gets its name after
	// they are beside it.
	home := whole
	if whole.sqlite {
		home = m.to
	}
	target, err := whole.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if m.key.found {
		if err := m.key.ensure(home.keyFile()); err != nil {
			return err
		}
	}
	w := witness.NewFile(home.witnessFile())
	defer func() { err = errors.Join(err, w.Close()) }()
	return m.CompleteCopy(ctx, target, w)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn/seal"
)

// opened is a store that a command works on.
type opened struct {
	*pawl.Store
	place  place
	engine kv.Store
	given  passphrase   // it was opened with this one, if there is one
	key    keyFile      // else with this
	lock   *flock.Flock // of the key, until unlockKey
}

// use calls fn with an existing store and closes it afterwards.
func (f *passphraseFlags) use(cmd *cobra.Command, store string, fn func(*opened) error) error {
	p, err := parsePlace(store)
	if err != nil {
		return err
	}
	if err := p.require(); err != nil {
		return err
	}
	given, err := f.read(cmd, false)
	if err != nil {
		return err
	}
	return withStore(cmd.Context(), p, given, existing, fn)
}

// create is use for a store that is made if it is not there.
func (f *passphraseFlags) create(cmd *cobra.Command, store string, fn func(*opened) error) error {
	p, err := parsePlace(store)
	if err != nil {
		return err
	}
	given, err := f.read(cmd, p.require() != nil)
	if err != nil {
		return err
	}
	return withStore(cmd.Context(), p, given, created, fn)
}

// access is what a store is opened for.
type access int

const (
	existing access = iota // to be used
	created                // to be made if there is none; the key stays locked
	resealed               // to be sealed under another key; it stays locked
)

// withStore opens a store, calls fn and closes it. An error of closing counts:
// then the store may not have room for its tables.
func withStore(ctx context.Context, p place, given passphrase, a access, fn func(*opened) error) (err error) {
	// The engine makes its files private, so the key file is looked at first.
	if !given.given {
		if _, err := readKeyFile(p.keyFile()); err != nil {
			return err
		}
	}
	o := &opened{place: p, given: given}
	if o.engine, err = p.openOlder(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.unlockKey(), o.engine.Close()) }()
	if err := o.findKey(ctx, a); err != nil {
		return err
	}
	if err := o.unlock(ctx); err != nil {
		return err
	}
	return fn(o)
}

// findKey settles what the store opens with: the passphrase if one was given,
// or else the key file, which a new store gets.
func (o *opened) findKey(ctx context.Context, a access) (err error) {
	if a != existing {
		if o.lock, err = o.place.lockKey(ctx); err != nil {
			return err
		}
	}
	empty, err := isEmpty(ctx, o.engine)
	if err == nil && empty {
		err = lostAll(o.place, o.engine)
	}
	switch {
	case err != nil:
		return err
	case empty && a != created:
		return noStore(o.place)
	case o.given.given:
		return nil // whatever is in the key file
	}
	// After the store was looked at: if another command made it meanwhile, the
	// key was there before.
	o.key, err = readKeyFile(o.place.keyFile())
	if err == nil && !o.key.found && empty {
		// The key is safe before anything is sealed under it.
		o.key, err = createKeyFile(o.place.keyFile())
	}
	return err
}

// unlockKey lets other commands seal the store under another key.
func (o *opened) unlockKey() error {
	if o.lock == nil {
		return nil
	}
	lock := o.lock
	o.lock = nil
	return lock.Close()
}

// unlock opens the records.
func (o *opened) unlock(ctx context.Context) (err error) {
	how := pawl.WithKey(o.key.key.Reveal())
	name := filepath.Base(o.place.keyFile())
	switch {
	case o.given.given:
		how = pawl.WithPassphrase(o.given.text.Reveal())
	case !o.key.found:
		return fmt.Errorf("%s is sealed and has no %s: %s", o.place, name, giveIt)
	}
	o.Store, err = pawl.Open(ctx, o.engine, how, pawl.WithLogger(cli.Logger(ctx)))
	switch {
	case !errors.Is(err, seal.ErrPassphrase):
		return err
	case o.given.given:
		return fmt.Errorf("%s does not open with the passphrase from %s: %w", o.place, o.given.from, err)
	}
	return fmt.Errorf("%s does not open with its %s: %w: %s", o.place, name, err, giveIt)
}

// views is how often a view that is lost, because another process took the
// store over, is taken again.
const views = 20

func isEmpty(ctx context.Context, store kv.Store) (empty bool, err error) {
	for range views {
		if empty, err = looksEmpty(ctx, store); !errors.Is(err, kv.ErrConflict) {
			break
		}
	}
	return empty, err
}

func looksEmpty(ctx context.Context, store kv.Store) (bool, error) {
	snap := store.Snapshot()
	defer snap.Close()
	for _, err := range snap.Scan(ctx, "") {
		return false, err
	}
	return true, nil
}

// losing is an engine that knows by itself how far it had come.
type losing interface {
	LostTail() (kept, committed kv.Version)
}

// lostAll is the error of a store of which nothing is left. pawl.Open has it too,
// but a new store's key file would be written before.
func lostAll(p place, e kv.Store) error {
	l, ok := e.(losing)
	if !ok {
		return nil
	}
	if _, committed := l.LostTail(); committed != 0 {
		return fmt.Errorf("%w: %s is empty, and %d versions were committed in it", kv.ErrCorrupt, p, committed)
	}
	return nil
}

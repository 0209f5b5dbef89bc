package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/txn/seal"
)

// opened is a store that a command works on.
type opened struct {
	*pawl.Store
	place  place
	engine kv.Store
	format kv.Format     // that it had when it was opened; 0: it does not say
	given  passphrase    // it was opened with this one, if there is one
	key    keyfile.Key   // else with this
	lock   *keyfile.Lock // of the key, until unlockKey
}

// use calls fn with an existing store and closes it afterwards.
func (f *passphraseFlags) use(cmd *cobra.Command, store string, fn func(*opened) error) error {
	return f.useFor(cmd, store, existing, fn)
}

func (f *passphraseFlags) useFor(cmd *cobra.Command, store string, a access, fn func(*opened) error) error {
	p, err := parsePlace(store)
	if err != nil {
		return err
	}
	if err := p.require(cmd.Context()); err != nil {
		return err
	}
	if err := f.apart(cmd, p); err != nil {
		return err
	}
	given, err := f.read(cmd, false)
	if err != nil {
		return err
	}
	given.takesOver = f.takesOver
	return withStore(cmd.Context(), p, given, a, raised(cmd, fn))
}

// look is use for a store in which, and beside which, nothing is written.
func (f *passphraseFlags) look(cmd *cobra.Command, store string, fn func(*opened) error) error {
	return f.useFor(cmd, store, looking, fn)
}

// create is use for a store that is made if it is not there, with a cost of its
// passphrase.
func (f *passphraseFlags) create(cmd *cobra.Command, store string, cost seal.Cost, fn func(*opened) error) error {
	p, err := parsePlace(store)
	if err != nil {
		return err
	}
	if err := f.apart(cmd, p); err != nil {
		return err
	}
	there, err := p.isThere(cmd.Context())
	if err != nil {
		return err
	}
	given, err := f.read(cmd, !there)
	switch {
	case err != nil:
		return err
	case cost != (seal.Cost{}) && there:
		return cli.Usagef("%s is there, and has its cost: 'pawl passwd %s' changes it", p, p)
	case cost != (seal.Cost{}) && !given.given:
		return cli.Usagef("--%s is for a passphrase: %s", memoryFlag, giveIt)
	}
	given.cost = cost
	return withStore(cmd.Context(), p, given, created, raised(cmd, fn))
}

// raised is fn, after which it is said if the store had an older format before.
func raised(cmd *cobra.Command, fn func(*opened) error) func(*opened) error {
	return func(o *opened) error {
		err := fn(o)
		if o.format == 0 || o.format == kv.NewestFormat {
			return err
		}
		if format, unread := kv.FormatOf(context.WithoutCancel(cmd.Context()), o.engine); unread == nil && format > o.format {
			fmt.Fprintf(cmd.ErrOrStderr(), "pawl: %s was raised from format %d to %d: older programs do not open it any more\n", o.place, o.format, format)
		}
		return err
	}
}

// access is what a store is opened for.
type access int

const (
	existing access = iota // to be used
	looking                // to be looked at: nothing is written in it or beside it
	created                // to be made if there is none; the key stays locked
	resealed               // to be sealed under another key; it stays locked
)

// withStore opens a store, calls fn and closes it. An error of closing counts:
// then the store may not have room for its tables.
func withStore(ctx context.Context, p place, given passphrase, a access, fn func(*opened) error) (err error) {
	// Before the engine is opened, which may make files.
	if !given.given {
		if _, err := keyfile.Read(p.keyFile()); err != nil {
			return err
		}
	}
	o := &opened{place: p, given: given}
	open := p.openOlder
	if a == looking {
		open = p.look
	}
	if o.engine, err = open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.unlockKey(), o.engine.Close()) }()
	if format, unread := kv.FormatOf(ctx, o.engine); unread == nil {
		o.format = format
	}
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
	if a == created || a == resealed {
		if o.lock, err = keyfile.Take(ctx, o.place.keyFile()); err != nil {
			return err
		}
	}
	empty, err := keyfile.IsEmpty(ctx, o.engine)
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
	if o.lock == nil {
		o.key, err = keyfile.Read(o.place.keyFile())
	} else {
		o.key, err = o.lock.Settle(ctx, o.engine)
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
	return lock.Release()
}

// unlock opens the records.
func (o *opened) unlock(ctx context.Context) (err error) {
	how := pawl.WithKey(o.key.Reveal()) // zeros if there is no key file
	if o.given.given {
		how = pawl.WithPassphrase(o.given.text.Reveal())
	}
	opts := []pawl.Option{how, pawl.WithCost(o.given.cost), pawl.WithLogger(cli.Logger(ctx))}
	if o.given.takesOver {
		opts = append(opts, pawl.WithWitness(witness.Of(o.engine)))
	}
	o.Store, err = pawl.Open(ctx, o.engine, opts...)
	if !errors.Is(err, seal.ErrPassphrase) {
		return err
	}
	return o.notOpened(err)
}

// notOpened says what is missing: the passphrase, or the key file. Only the store
// knows what it is sealed under.
func (o *opened) notOpened(err error) error {
	file := o.place.keyFile()
	var kind *seal.KindError
	underKey := !o.given.given
	if errors.As(err, &kind) {
		underKey = kind.Key
	}
	switch {
	case underKey && o.given.given:
		return instead(err, "%s is sealed under its key file %s, not a passphrase: give none", o.place, file)
	case underKey && !o.key.Found() && o.place.server != nil:
		return instead(err, "%s is sealed under its key file, and there is none at %s: copy it there from a machine that has it, or, if it was made here, give the server's address as it was given then", o.place, file)
	case underKey && !o.key.Found():
		return instead(err, "%s is sealed under its key file, and %s is gone: put it back; without it nobody opens the store", o.place, file)
	case underKey:
		return instead(err, "%s is not the key file of %s: put back its own; without it nobody opens the store", file, o.place)
	case o.given.given:
		return instead(err, "%s does not open with the passphrase from %s: wrong passphrase", o.place, o.given.from)
	}
	return instead(err, "%s is sealed under a passphrase: %s", o.place, giveIt)
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

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

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
	id, finishing, err := m.begun(ctx, moved, active)
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

// begun says whether the accounts were retired by a run before this one, and
// with which id.
func (m *moving) begun(ctx context.Context, moved []account.Retirement, active int) (id string, finishing bool, err error) {
	for _, r := range moved {
		if r.Path == m.to.String() {
			return r.Target, true, nil
		}
	}
	switch {
	case active > 0:
		return "", false, m.to.requireFree(ctx)
	case len(moved) > 0:
		return "", false, fmt.Errorf("%w: %s: convert that one", account.ErrRetired, moved[0].Path)
	}
	return "", false, fmt.Errorf("%w: %s", pawl.ErrNothingToMove, m.place)
}

// move makes a copy, of which the name tells what it is: as long as it is being
// copied nobody depends on it, and the next run removes it; from then on retired
// accounts may name it, and nothing removes it.
func (m *moving) move(ctx context.Context) (id string, err error) {
	if err := m.to.removeLeftovers(copyingInfix); err != nil {
		return "", err
	}
	id = files.RandomName() + files.RandomName()
	copying, whole := m.to.aside(copyingInfix, id), m.to.aside(movedInfix, id)
	if err := m.copy(ctx, copying, func(pawl.Copy) error { return nil }); err != nil {
		return "", errors.Join(err, copying.removeAll())
	}
	if err := copying.rename(whole); err != nil {
		return "", err
	}
	// Once more: what is compared now comes from the disk.
	nobody := true // names it, for certain
	err = m.copy(ctx, whole, func(c pawl.Copy) error {
		err := m.Retire(ctx, c, account.Retirement{Target: id, Path: m.to.String()})
		nobody = errors.Is(err, pawl.ErrMovedOn) || notRetired(kv.OutcomeOf(err))
		return err
	})
	if err != nil && nobody {
		err = errors.Join(err, whole.removeAll())
	}
	return id, err
}

// notRetired reports whether an outcome of retiring accounts says for certain that it
// was not done and never will be.
func notRetired(o kv.Outcome) bool {
	return o == kv.Conflict || o == kv.NotApplied || o == kv.Unsent
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

// finish makes the copy with an id, which the source's accounts were retired for,
// the store at the new place.
func (m *moving) finish(ctx context.Context, id string) error {
	whole := m.to.aside(movedInfix, id)
	switch there, err := whole.exists(ctx); {
	case err != nil:
		return err
	case !there:
		if err := m.to.require(ctx); err != nil {
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
	// A directory has these files in it, and an SQLite file, or a space, gets its name
	// after they are beside it.
	home := whole
	if whole.sqlite || whole.server != nil {
		home = m.to
	}
	target, err := whole.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if m.key.Found() {
		if err := m.key.Ensure(home.keyFile()); err != nil {
			return err
		}
	}
	if whole.server != nil {
		return m.CompleteCopy(ctx, target, witness.Of(target))
	}
	w := witness.NewFile(home.witnessFile())
	defer func() { err = errors.Join(err, w.Close()) }()
	return m.CompleteCopy(ctx, target, w)
}

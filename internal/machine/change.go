package machine

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/txn"
)

// MostPerCommit bounds the records that one commit changes where the engine
// takes more: others wait while it is made.
const MostPerCommit = 1000

// beside is what a commit reads and writes beside the records that it changes:
// the account, the pool, a fallback key and the one it replaces.
const beside = 4

// Share is what changing one record takes of a commit, at most.
type Share struct {
	Bytes  int // of what is written
	Writes int
	Checks int
}

// PerCommit returns how many records one commit of the store may change: what
// the engine takes.
func (s *Store) PerCommit(each Share) int {
	most := s.DB.Store().Limits()
	return min(MostPerCommit, (most.Checks-beside)/each.Checks, (most.Writes-beside)/each.Writes, most.Bytes/each.Bytes)
}

// Change is something to be done to records of one kind, in as many commits as
// the engine needs. Each looks again at the records that it changes, and at the
// account: it fails with account.ErrRetired. Records that are damaged, or that
// cannot be judged because others are, are passed over and noted.
type Change[N, T any] struct {
	Records *txn.Record[N, T]
	Each    Share
	If      func(*txn.Tx, T) (bool, error) // whether a record is concerned; it may look at others
	Do      func(*txn.Tx, T) error
	Damaged *Damages // nil: nobody asks
	There   *int     // counts those of the named records that there are; nil: nobody asks
}

// Delete returns the change that deletes the records that are concerned.
func Delete[N, T any](r *txn.Record[N, T], each Share, d *Damages, concerned func(*txn.Tx, T) (bool, error)) Change[N, T] {
	remove := func(tx *txn.Tx, v T) error { return r.Delete(tx, r.Name(v)) }
	return Change[N, T]{Records: r, Each: each, If: concerned, Do: remove, Damaged: d}
}

// All changes all records of the kind that are concerned in one view of them,
// and returns how many were still.
func (c Change[N, T]) All(ctx context.Context, a *Account) (int, error) {
	found, err := c.Find(ctx, a)
	if err != nil {
		return 0, err
	}
	return c.Named(ctx, a, found)
}

// Find names the records that are concerned, in one view.
func (c Change[N, T]) Find(ctx context.Context, a *Account) ([]N, error) {
	f, err := txn.View(ctx, a.DB, c.find)
	c.note(f.damaged)
	return f.names, err
}

// found is what an attempt found.
type found[N any] struct {
	names   []N
	damaged Damages
}

func (c Change[N, T]) find(tx *txn.Tx) (f found[N], err error) {
	for v, err := range c.Records.Scan(tx) {
		concerned := false
		if err == nil {
			concerned, err = c.If(tx, v)
		}
		if err != nil && !f.damaged.Note(err) {
			return f, err
		}
		if concerned && err == nil {
			f.names = append(f.names, c.Records.Name(v))
		}
	}
	return f, nil
}

// Named changes those of the named records that are there and concerned, and
// returns how many they were, also when a commit fails.
func (c Change[N, T]) Named(ctx context.Context, a *Account, names []N) (int, error) {
	total := 0
	for chunk := range slices.Chunk(names, a.Store.PerCommit(c.Each)) {
		done, err := txn.Do(ctx, a.DB, func(tx *txn.Tx) (changed, error) {
			if _, err := a.Active(tx); err != nil {
				return changed{}, err
			}
			return c.apply(tx, chunk)
		})
		c.note(done.damaged)
		total += done.n
		if c.There != nil {
			*c.There += done.there
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// changed is what an attempt changed.
type changed struct {
	n       int
	there   int // concerned or not
	damaged Damages
}

func (c Change[N, T]) apply(tx *txn.Tx, names []N) (done changed, err error) {
	found, err := c.Records.GetAll(tx, names...)
	if err != nil {
		return done, err
	}
	for _, f := range found {
		concerned, err := f.OK, f.Err
		if IsSetAside(err) {
			continue // known to be gone
		}
		if f.OK || err != nil {
			done.there++
		}
		if concerned {
			concerned, err = c.If(tx, f.Value)
		}
		switch {
		case err != nil && !done.damaged.Note(err):
			return done, err
		case err != nil || !concerned:
			continue
		}
		if err := c.Do(tx, f.Value); err != nil {
			return done, err
		}
		done.n++
	}
	return done, nil
}

func (c Change[N, T]) note(found Damages) {
	if c.Damaged != nil {
		c.Damaged.Add(found.list...)
	}
}

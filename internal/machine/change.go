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
// account: it fails with account.ErrRetired.
type Change[N, T any] struct {
	Records *txn.Record[N, T]
	Each    Share
	If      func(*txn.Tx, T) (bool, error) // whether a record is concerned; it may look at others
	Do      func(*txn.Tx, T) error
}

// Delete returns the change that deletes the records that are concerned.
func Delete[N, T any](r *txn.Record[N, T], each Share, concerned func(*txn.Tx, T) (bool, error)) Change[N, T] {
	return Change[N, T]{r, each, concerned, func(tx *txn.Tx, v T) error { return r.Delete(tx, r.Name(v)) }}
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
	return txn.View(ctx, a.DB, func(tx *txn.Tx) ([]N, error) {
		var names []N
		for v, err := range c.Records.Scan(tx) {
			if err != nil {
				return nil, err
			}
			concerned, err := c.If(tx, v)
			if err != nil {
				return nil, err
			}
			if concerned {
				names = append(names, c.Records.Name(v))
			}
		}
		return names, nil
	})
}

// Named changes those of the named records that are there and concerned, and
// returns how many they were, also when a commit fails.
func (c Change[N, T]) Named(ctx context.Context, a *Account, names []N) (int, error) {
	total := 0
	for chunk := range slices.Chunk(names, a.Store.PerCommit(c.Each)) {
		n, err := txn.Do(ctx, a.DB, func(tx *txn.Tx) (int, error) {
			if _, err := a.Active(tx); err != nil {
				return 0, err
			}
			return c.apply(tx, chunk)
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

func (c Change[N, T]) apply(tx *txn.Tx, names []N) (int, error) {
	found, err := c.Records.GetAll(tx, names...)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, f := range found {
		if !f.OK {
			continue
		}
		concerned, err := c.If(tx, f.Value)
		if err != nil {
			return 0, err
		}
		if !concerned {
			continue
		}
		if err := c.Do(tx, f.Value); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

package lineage

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// standing is what a store says of itself when it is opened.
type standing struct {
	head       kv.Version
	generation uint64    // 0: it never had a witness
	unread     error     // why the generation cannot be read, nil if it can
	watch      witnessed // zero where it cannot be read
	settled    bool      // all accounts are marked that were to be
}

// unmarkedKeys begin the keys of all records of accounts that could not be marked.
const unmarkedKeys = "_/unmarked/"

// stand reads all of it from one view, which of an engine on another host is one round
// trip.
func stand(ctx context.Context, s *machine.Store) (standing, error) {
	is, err := txn.View(ctx, s.DB, readStanding)
	if machine.IsDamage(err) {
		return standApart(ctx, s)
	}
	return is, err
}

func readStanding(tx *txn.Tx) (is standing, err error) {
	if err := tx.PrefetchSome(1, []txn.Ref{machine.UnmarkedAccounts.Under(txn.Path{})}, generations.Ref(), watches.Ref()); err != nil {
		return is, err
	}
	if is.generation, _, is.unread = getGeneration(tx); is.unread != nil && !machine.IsDamage(is.unread) {
		return is, is.unread
	}
	watch, _, unread := watches.Get(tx)
	if unread == nil {
		is.watch = watch
	} else if !machine.IsDamage(unread) {
		return is, unread
	}
	_, some, err := tx.AnyEntry(unmarkedKeys)
	if err != nil {
		return is, err
	}
	is.settled = unread == nil && watch.Cause == 0 && !some
	is.head, err = tx.Version()
	return is, err
}

// standApart is stand where the engine itself cannot read one of the records: what can be
// read counts. Whether all are marked is not known.
func standApart(ctx context.Context, s *machine.Store) (is standing, err error) {
	if is.generation, err = readGeneration(ctx, s.DB); err != nil && !machine.IsDamage(err) {
		return is, err
	}
	is.unread = err
	if is.watch, err = readWatch(ctx, s); err != nil && !machine.IsDamage(err) {
		return is, err
	}
	is.head, err = head(ctx, s.DB.Store())
	return is, err
}

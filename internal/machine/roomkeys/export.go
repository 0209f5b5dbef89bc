package roomkeys

import (
	"context"
	"iter"
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Exporting says which keys are exported.
type Exporting struct {
	Rooms []matrix.RoomID // none: all
	// Damaged is told of each record that cannot be read, and the others are exported.
	// Nil: it is the sequence's error.
	Damaged func(error)
	// Progress, if not nil, is called once for each of total sessions, exported or not.
	Progress func(total int)
}

// perView bounds the sessions that one view reads, and that are held at once.
const perView = 500

// Export yields the keys of all sessions that there are when it begins, each as it is
// stored when its turn comes, in no order. An error is the last.
func (k *Keys) Export(ctx context.Context, how Exporting) iter.Seq2[group.RoomKey, error] {
	return func(yield func(group.RoomKey, error) bool) {
		names, err := k.names(ctx)
		if err != nil {
			yield(group.RoomKey{}, err)
			return
		}
		for chunk := range slices.Chunk(names, perView) {
			view, err := txn.View(ctx, k.account.DB, func(tx *txn.Tx) (exported, error) { return k.exportIn(tx, chunk, how.Rooms) })
			if err == nil && how.Damaged == nil {
				err = view.damaged.Err()
			}
			if err != nil {
				yield(group.RoomKey{}, err)
				return
			}
			for _, damage := range view.damaged.All() {
				how.Damaged(damage)
			}
			for _, key := range view.keys {
				if !yield(key, nil) {
					return
				}
			}
			for range chunk {
				if how.Progress != nil {
					how.Progress(len(names))
				}
			}
		}
	}
}

// One returns the key of a session, as Export would. It fails with group.ErrNoKey, or
// group.ErrForgotten where it was given up.
func (k *Keys) One(ctx context.Context, id group.SessionID) (group.RoomKey, error) {
	return txn.View(ctx, k.account.DB, func(tx *txn.Tx) (group.RoomKey, error) {
		if _, err := k.account.Active(tx); err != nil {
			return group.RoomKey{}, err
		}
		in, ok, err := records.GroupIns.Get(tx, id)
		switch {
		case machine.IsSetAside(err) || err == nil && !ok:
			return group.RoomKey{}, group.ErrNoKey
		case err != nil:
			return group.RoomKey{}, err
		}
		key, err := in.RoomKey()
		if err != nil && in.Floor() > 0 {
			err = group.ErrForgotten
		}
		return key, err
	})
}

// names returns the keys under which sessions are stored. A scan of a transaction
// would hold the sessions, too.
func (k *Keys) names(ctx context.Context) ([]string, error) {
	if err := k.account.Do(ctx, func(tx *txn.Tx) error { _, err := k.account.Active(tx); return err }); err != nil {
		return nil, err
	}
	scope, _ := k.account.DB.Scope()
	return machine.View(k.account.DB.Store(), func(snap kv.Snapshot) (names []string, err error) {
		for e, err := range snap.Scan(ctx, scope+"/"+records.GroupIns.Kind+"/") {
			if err != nil {
				return nil, err
			}
			names = append(names, e.Key)
		}
		return names, nil
	})
}

// exported is what an attempt read.
type exported struct {
	keys    []group.RoomKey
	damaged machine.Damages
}

func (k *Keys) exportIn(tx *txn.Tx, names []string, rooms []matrix.RoomID) (all exported, err error) {
	if err := tx.Prefetch(k.account.Ref()); err != nil {
		return all, err
	}
	if err := tx.PrefetchKeys(names...); err != nil {
		return all, err
	}
	if _, err := k.account.Active(tx); err != nil {
		return all, err
	}
	for _, name := range names {
		in, ok, err := records.GroupIns.At(tx, name)
		switch {
		case machine.IsSetAside(err) || err == nil && !ok:
			continue
		case err != nil && !all.damaged.Note(err):
			return all, err
		case err != nil || !concerns(rooms, in.Room()):
			continue
		}
		if key, err := in.RoomKey(); err == nil { // else it is forgotten
			all.keys = append(all.keys, key)
		}
	}
	return all, nil
}

// concerns reports whether a room is among those that are named, or none is.
func concerns(rooms []matrix.RoomID, room matrix.RoomID) bool {
	return len(rooms) == 0 || slices.Contains(rooms, room)
}

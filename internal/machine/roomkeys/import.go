package roomkeys

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Import is a key to be imported: parsed, and of a room.
type Import struct {
	Room   matrix.RoomID
	Key    group.Key
	Source group.Source // Bundle, Backup or File
}

// Imported counts what became of keys that were imported.
type Imported struct {
	New    int // of sessions that were not known
	Better int // reach further back, or are of a better provenance
	Same   int // say nothing new
	// Refused are those that were not taken.
	Refused []RefusedKey
}

// RefusedKey is a key that was not taken.
type RefusedKey struct {
	Place   int // among those given
	Room    matrix.RoomID
	Session group.SessionID
	// Err is ErrOtherRoom, ErrProvenance, group.ErrForgotten, group.ErrSource, a
	// matrix.ErrRoomID, ErrContradicts, or that of a damaged record.
	Err error
}

// importShare is what a key takes of a commit: it is joined.
var importShare = records.GroupInShare

// Import imports keys in as many commits as the engine needs, in their order. Those
// who import the same keys at once do not disturb each other. When a commit fails
// what was counted before it is returned with the error; the call may be made again.
func (k *Keys) Import(ctx context.Context, keys []Import) (Imported, error) {
	return k.importAll(ctx, keys, func(p group.Provenance) bool { return p == group.Bundle || p == group.Backup || p == group.File })
}

// Restore is Import of keys of any provenance: of those that this very device had in
// another program, which knew whom it had each from.
func (k *Keys) Restore(ctx context.Context, keys []Import) (Imported, error) {
	return k.importAll(ctx, keys, func(group.Provenance) bool { return true })
}

func (k *Keys) importAll(ctx context.Context, keys []Import, may func(group.Provenance) bool) (Imported, error) {
	var all Imported
	place := 0
	for chunk := range slices.Chunk(keys, k.account.Store.PerCommit(importShare)) {
		var done Imported
		err := records.OnRaised(ctx, k.account, func() (err error) {
			done, err = txn.Do(ctx, k.account.DB, func(tx *txn.Tx) (Imported, error) { return k.importIn(tx, place, chunk, may) })
			return err
		})
		if err != nil {
			return all, err
		}
		all.New, all.Better, all.Same = all.New+done.New, all.Better+done.Better, all.Same+done.Same
		all.Refused = append(all.Refused, done.Refused...)
		place += len(chunk)
	}
	return all, nil
}

func (k *Keys) importIn(tx *txn.Tx, first int, keys []Import, may func(group.Provenance) bool) (done Imported, err error) {
	refs := []txn.Ref{k.account.Ref()}
	for _, one := range keys {
		refs = append(refs, records.GroupIns.Ref(one.Key.ID()))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return done, err
	}
	if _, err := k.account.ActiveRaised(tx); err != nil {
		return done, err
	}
	for i, one := range keys {
		refused := RefusedKey{Place: first + i, Room: one.Room, Session: one.Key.ID()}
		result, err := k.importOne(tx, one, may)
		switch {
		case err != nil && !refusal(err):
			return done, err
		case err != nil:
			refused.Err = err
			done.Refused = append(done.Refused, refused)
		case result == New:
			done.New++
		case result == Better:
			done.Better++
		default:
			done.Same++
		}
	}
	return done, nil
}

func (k *Keys) importOne(tx *txn.Tx, one Import, may func(group.Provenance) bool) (Result, error) {
	if p := one.Source.Provenance; !may(p) {
		return Same, fmt.Errorf("%w: not %s", ErrProvenance, p)
	}
	in, err := group.NewInbound(one.Room, group.NewCopy(one.Key, one.Source))
	if err != nil {
		return Same, err
	}
	out, err := k.add(tx, in)
	return out.Result, err
}

// refusal reports that an error is of one key, and the others can be imported.
func refusal(err error) bool {
	for _, of := range []error{ErrProvenance, ErrOtherRoom, ErrContradicts, group.ErrForgotten, group.ErrSource, matrix.ErrRoomID} {
		if errors.Is(err, of) {
			return true
		}
	}
	return machine.IsDamage(err)
}

package roomkeys

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Import is a key to be imported: parsed, and of a room. Its provenance is Bundle,
// Backup or File.
type Import = group.RoomKey

// Importing says how keys are imported.
type Importing struct {
	Rooms []matrix.RoomID // of which; none: all
	// Dry: nothing is changed, and the counts are those that an import would have now.
	Dry bool
	// Refused, if not nil, is told of each key that is not taken, in their order, once
	// that is certain.
	Refused func(RefusedKey)
}

// Counts are what became of keys.
type Counts struct {
	New     int // of sessions that were not known
	Better  int // reach further back, or are of a better provenance
	Same    int // say nothing new
	Refused int
}

// Imported is what became of keys, and why of those that were not taken.
type Imported struct {
	New, Better, Same int
	Refused           []RefusedKey
}

// RefusedKey is a key that was not taken.
type RefusedKey struct {
	Place   int             // among those given
	Room    matrix.RoomID   // empty where that is not known
	Session group.SessionID // likewise
	// Err is ErrOtherRoom, ErrProvenance, group.ErrForgotten, group.ErrSource, a
	// matrix.ErrRoomID, ErrContradicts, that of a damaged record, or what the sequence
	// had instead of the key.
	Err error
}

// importShare is what a key takes of a commit: it is joined.
var importShare = records.GroupInShare

// Import is ImportFrom for keys that are all there.
func (k *Keys) Import(ctx context.Context, keys []Import) (Imported, error) {
	return k.importAll(ctx, keys, ofOthers)
}

// Restore is Import of keys of any provenance: of those that this very device had in
// another program, which knew whom it had each from.
func (k *Keys) Restore(ctx context.Context, keys []Import) (Imported, error) {
	return k.importAll(ctx, keys, func(group.Provenance) bool { return true })
}

// ofOthers reports that nobody vouches for a key: whoever imports it may have it from
// anybody.
func ofOthers(p group.Provenance) bool {
	return p == group.Bundle || p == group.Backup || p == group.File
}

func (k *Keys) importAll(ctx context.Context, keys []Import, may func(group.Provenance) bool) (Imported, error) {
	var refused []RefusedKey
	done, err := k.importFrom(ctx, func(yield func(Import, error) bool) {
		for _, one := range keys {
			if !yield(one, nil) {
				return
			}
		}
	}, Importing{Refused: func(r RefusedKey) { refused = append(refused, r) }}, may)
	return Imported{done.New, done.Better, done.Same, refused}, err
}

// ImportFrom imports keys as they come, in as many commits as the engine needs, in
// their order; no more of them are held than one commit takes. Those who import the
// same keys at once do not disturb each other. When a commit fails what was counted
// before it is returned with the error; the call may be made again.
//
// An error of the sequence that is of one key (see refusal) refuses that one. Any
// other ends the call, when what came before it is imported.
func (k *Keys) ImportFrom(ctx context.Context, keys iter.Seq2[Import, error], how Importing) (Counts, error) {
	return k.importFrom(ctx, keys, how, ofOthers)
}

func (k *Keys) importFrom(ctx context.Context, keys iter.Seq2[Import, error], how Importing, may func(group.Provenance) bool) (Counts, error) {
	run := importing{keys: k, how: how, may: may}
	most := k.account.Store.PerCommit(importShare)
	place := -1
	for key, err := range keys {
		place++
		if err != nil && !refusal(err) {
			return run.end(ctx, err)
		}
		if err == nil && !concerns(how.Rooms, key.Room) {
			continue
		}
		run.waiting = append(run.waiting, waitingKey{place, key, err})
		if len(run.waiting) < most {
			continue
		}
		if err := run.commit(ctx); err != nil {
			return run.done, err
		}
	}
	return run.end(ctx, nil)
}

// waitingKey is a key, or what is wrong with it, that waits for a commit.
type waitingKey struct {
	place int
	Import
	err error
}

// importing is one import.
type importing struct {
	keys    *Keys
	how     Importing
	may     func(group.Provenance) bool // be imported
	waiting []waitingKey
	done    Counts
	// dry are the sessions as an import would have stored them: a file may have several
	// keys of one.
	dry map[group.SessionID]group.Inbound
}

// end commits what waits, and returns why there is no more of it.
func (r *importing) end(ctx context.Context, why error) (Counts, error) {
	if err := r.commit(ctx); err != nil {
		return r.done, err
	}
	return r.done, why
}

// commit imports the keys that wait.
func (r *importing) commit(ctx context.Context) error {
	if len(r.waiting) == 0 {
		return nil
	}
	account := r.keys.account
	var a importAttempt
	err := records.OnRaised(ctx, account, func() (err error) {
		a, err = txn.Do(ctx, account.DB, r.attempt)
		return err
	})
	var dry *dryRun
	if errors.As(err, &dry) {
		a, err = dry.importAttempt, nil
		if r.dry == nil {
			r.dry = map[group.SessionID]group.Inbound{}
		}
		maps.Copy(r.dry, a.stored)
	}
	if err != nil {
		return err
	}
	clear(r.waiting)
	r.waiting = r.waiting[:0]
	r.done.New, r.done.Better, r.done.Same = r.done.New+a.counts.New, r.done.Better+a.counts.Better, r.done.Same+a.counts.Same
	r.done.Refused += len(a.refused)
	for _, one := range a.refused {
		if r.how.Refused != nil {
			r.how.Refused(one)
		}
	}
	return nil
}

// importAttempt is what an attempt did.
type importAttempt struct {
	counts  Counts // without those refused
	refused []RefusedKey
	stored  map[group.SessionID]group.Inbound // of a dry run
}

// dryRun is how an attempt ends of which nothing is to be written: with an error, whose
// reads are validated like any other's.
type dryRun struct{ importAttempt }

// Error implements error.
func (*dryRun) Error() string { return "pawl: nothing is written in a dry run" }

func (r *importing) attempt(tx *txn.Tx) (a importAttempt, err error) {
	refs := []txn.Ref{r.keys.account.Ref()}
	for _, one := range r.waiting {
		if one.err == nil {
			refs = append(refs, records.GroupIns.Ref(one.Key.ID()))
		}
	}
	if err := tx.Prefetch(refs...); err != nil {
		return a, err
	}
	check := r.keys.account.ActiveRaised
	if r.how.Dry {
		check = r.keys.account.Active // raising it would be a change
	}
	if _, err := check(tx); err != nil {
		return a, err
	}
	for _, one := range r.waiting {
		if err := r.add(tx, one, &a); err != nil {
			return a, err
		}
	}
	if r.how.Dry {
		return a, &dryRun{a}
	}
	return a, nil
}

func (r *importing) add(tx *txn.Tx, one waitingKey, a *importAttempt) error {
	var result Result
	err := one.err
	if err == nil {
		if err := r.remember(tx, one.Key.ID(), a); err != nil {
			return err
		}
		result, err = r.keys.importOne(tx, one.Import, r.may)
	}
	switch {
	case err != nil && !refusal(err):
		return err
	case err != nil:
		a.refused = append(a.refused, RefusedKey{Place: one.place, Room: one.Room, Session: one.Key.ID(), Err: err})
		return nil
	case result == New:
		a.counts.New++
	case result == Better:
		a.counts.Better++
	default:
		a.counts.Same++
	}
	if !r.how.Dry || result == Same {
		return nil
	}
	in, _, err := records.GroupIns.Peek(tx, one.Key.ID())
	if a.stored == nil {
		a.stored = map[group.SessionID]group.Inbound{}
	}
	a.stored[one.Key.ID()] = in
	return err
}

// remember lets a dry run see a session as an import would have stored it by now.
func (r *importing) remember(tx *txn.Tx, id group.SessionID, a *importAttempt) error {
	in, known := r.dry[id]
	if _, newer := a.stored[id]; !known || newer {
		return nil
	}
	return records.GroupIns.Put(tx, in)
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
	for _, of := range []error{
		ErrProvenance, ErrOtherRoom, ErrContradicts, group.ErrForgotten, group.ErrSource, matrix.ErrRoomID,
		group.ErrMalformed, group.ErrVersion, // of a sequence
	} {
		if errors.Is(err, of) {
			return true
		}
	}
	return machine.IsDamage(err)
}

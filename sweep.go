package pawl

import (
	"context"
	"slices"
	"time"

	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Swept counts what Sweep did.
type Swept struct {
	Erased      int `json:"erased"`        // receipts that expired: their messages' keys
	Receipts    int `json:"receipts"`      // deleted
	Sessions    int `json:"sessions"`      // tombstones of pruned sessions
	OneTimeKeys int `json:"one_time_keys"` // tombstones of used keys
}

// sweepChunk bounds the writes of one commit.
const sweepChunk = 1000

// Sweep erases and deletes what is no longer needed at a time: the message keys
// of receipts that have expired; receipts that are older than
// session.ReceiptMemory; tombstones of sessions that were pruned more than
// session.ReceiptLife ago and cannot be opened again; and tombstones of
// one-time keys whose session is gone. Nothing in the store expires by itself,
// so that a clock that jumps destroys nothing.
//
// It takes a bounded number of commits, each of which looks again at what it
// deletes. The secrets leave the files when the engine compacts.
func (m *Machine) Sweep(ctx context.Context, now time.Time) (Swept, error) {
	var done Swept
	var err error
	if done.Erased, err = m.eraseReceipts(ctx, now); err != nil {
		return done, err
	}
	if done.Receipts, err = m.sweepReceipts(ctx, now); err != nil {
		return done, err
	}
	if done.Sessions, err = m.sweepSessions(ctx, now); err != nil {
		return done, err
	}
	done.OneTimeKeys, err = m.sweepKeys(ctx, now)
	return done, err
}

func (m *Machine) eraseReceipts(ctx context.Context, now time.Time) (int, error) {
	expired := func(_ *txn.Tx, r session.Receipt) (bool, error) {
		_, kept := r.Key()
		return kept && r.Expired(now), nil
	}
	found, err := find(ctx, m, &receipts, expired)
	if err != nil {
		return 0, err
	}
	return change(ctx, m, &receipts, found, expired, func(tx *txn.Tx, r session.Receipt) error {
		return receipts.Put(tx, r.Acknowledged())
	})
}

func (m *Machine) sweepReceipts(ctx context.Context, now time.Time) (int, error) {
	old := func(_ *txn.Tx, r session.Receipt) (bool, error) { return r.Forgettable(now), nil }
	return sweep(ctx, m, &receipts, old)
}

// sweepSessions deletes tombstones. One of a session opened with a fallback
// key stays for as long as that key could open it again.
func (m *Machine) sweepSessions(ctx context.Context, now time.Time) (int, error) {
	old := func(tx *txn.Tx, s session.Session) (bool, error) {
		at, pruned := s.Pruned()
		if !pruned || now.Sub(at.Time()) < session.ReceiptLife {
			return false, nil
		}
		if s.Origin() != session.WithFallbackKey {
			return true, nil
		}
		_, usable, err := keys.Get(tx, s.OneTimeKey())
		return !usable, err
	}
	return sweep(ctx, m, &sessions, old)
}

// sweepKeys deletes tombstones of one-time keys whose session left no record.
func (m *Machine) sweepKeys(ctx context.Context, now time.Time) (int, error) {
	// The pool learns of used keys from their tombstones: after this it needs
	// none that is old enough to be deleted.
	if err := m.forgetUsed(ctx); err != nil {
		return 0, err
	}
	used := func(_ *txn.Tx, k otk.Key) (bool, error) {
		_, at, used := k.Used()
		return used && now.Sub(at) >= session.ReceiptLife, nil
	}
	found, err := find(ctx, m, &keys, used)
	if err != nil {
		return 0, err
	}
	// After the keys: the session of every key that was found is among these,
	// if it is still there.
	kept, err := m.sessionIDs(ctx)
	if err != nil {
		return 0, err
	}
	orphaned := func(tx *txn.Tx, k otk.Key) (bool, error) {
		by, _, _ := k.Used()
		old, err := used(tx, k)
		return old && !kept[by], err
	}
	return change(ctx, m, &keys, found, orphaned, remove(&keys))
}

func (m *Machine) forgetUsed(ctx context.Context) error {
	_, err := txn.Do(ctx, m.db, func(tx *txn.Tx) (struct{}, error) {
		if _, err := m.active(tx); err != nil {
			return struct{}{}, err
		}
		before, _, err := pools.Get(tx)
		if err != nil {
			return struct{}{}, err
		}
		after, err := m.settledPool(tx)
		if err != nil || after.Len() == before.Len() {
			return struct{}{}, err
		}
		return struct{}{}, pools.Put(tx, after)
	})
	return err
}

func (m *Machine) sessionIDs(ctx context.Context) (map[ratchet.SessionID]bool, error) {
	return txn.View(ctx, m.db, func(tx *txn.Tx) (map[ratchet.SessionID]bool, error) {
		ids := map[ratchet.SessionID]bool{}
		for s, err := range sessions.Scan(tx) {
			if err != nil {
				return nil, err
			}
			ids[s.ID()] = true
		}
		return ids, nil
	})
}

// test tells whether a record is concerned.
type test[T any] func(*txn.Tx, T) (bool, error)

// sweep deletes the records of a kind that are old.
func sweep[N, T any](ctx context.Context, m *Machine, r *txn.Record[N, T], old test[T]) (int, error) {
	found, err := find(ctx, m, r, old)
	if err != nil {
		return 0, err
	}
	return change(ctx, m, r, found, old, remove(r))
}

func remove[N, T any](r *txn.Record[N, T]) func(*txn.Tx, T) error {
	return func(tx *txn.Tx, v T) error { return r.Delete(tx, r.Name(v)) }
}

// find names the records of a kind that are concerned, in one view.
func find[N, T any](ctx context.Context, m *Machine, r *txn.Record[N, T], concerned test[T]) ([]N, error) {
	return txn.View(ctx, m.db, func(tx *txn.Tx) ([]N, error) {
		var names []N
		for v, err := range r.Scan(tx) {
			if err != nil {
				return nil, err
			}
			ok, err := concerned(tx, v)
			if err != nil {
				return nil, err
			}
			if ok {
				names = append(names, r.Name(v))
			}
		}
		return names, nil
	})
}

// change does something to those of the named records that are still concerned,
// in commits of a bounded size, and returns how many they were.
func change[N, T any](ctx context.Context, m *Machine, r *txn.Record[N, T], names []N, concerned test[T], do func(*txn.Tx, T) error) (int, error) {
	total := 0
	for chunk := range slices.Chunk(names, sweepChunk) {
		n, err := txn.Do(ctx, m.db, func(tx *txn.Tx) (int, error) {
			if _, err := m.active(tx); err != nil {
				return 0, err
			}
			return changeAll(tx, r, chunk, concerned, do)
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

func changeAll[N, T any](tx *txn.Tx, r *txn.Record[N, T], names []N, concerned test[T], do func(*txn.Tx, T) error) (int, error) {
	found, err := r.GetAll(tx, names...)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, f := range found {
		if !f.OK {
			continue
		}
		ok, err := concerned(tx, f.Value)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		if err := do(tx, f.Value); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

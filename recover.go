package pawl

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

const (
	// idJump is by how much key ids jump ahead at least when an account is
	// recovered: no device makes as many keys between a backup and its
	// restoration.
	idJump = 1 << 20
	// idSpread bounds what is added to that at random, since a backup may be
	// restored twice. Some 400 recoveries exhaust the ids.
	idSpread = 1 << 24
	// recoveryChunk bounds the sessions in one commit: each is 8 KB at most.
	recoveryChunk = 128
)

// Recovered counts what Recover gave up.
type Recovered struct {
	Sessions    int `json:"sessions"`      // only receive from now on
	OneTimeKeys int `json:"one_time_keys"` // will not be offered any more
}

// NeedsRecovery returns why the account must be recovered before it sends
// again, and whether it must.
func (m *Machine) NeedsRecovery(ctx context.Context) (account.Recovery, bool, error) {
	a, err := txn.View(ctx, m.db, m.account)
	why, needed := a.NeedsRecovery()
	return why, needed, err
}

// Recover makes the account fit to send after its store went back in time, so
// that nothing it sends was made with a key that the lost time used:
//
//   - No session there is sends any more. All go on receiving. To write to a
//     peer again, claim one of its one-time keys.
//   - Key ids jump ahead, the one-time keys that were not published are never
//     offered, and the fallback key is replaced. Upload keys next.
//
// What the lost time received is lost: sessions that peers opened with one-time
// keys made in it cannot be read.
//
// It is also for an account that is not marked, when somebody knows that the
// store is older than it looks. Meanwhile, and when it is interrupted, the
// account does not send; call it again. It fails with account.ErrRetired or
// otk.ErrExhausted.
func (m *Machine) Recover(ctx context.Context) (Recovered, error) {
	var done Recovered
	if err := m.beginRecovery(ctx); err != nil {
		return done, err
	}
	found, err := m.sendingSessions(ctx)
	if err != nil {
		return done, err
	}
	for chunk := range slices.Chunk(found, recoveryChunk) {
		n, err := txn.Do(ctx, m.db, func(tx *txn.Tx) (int, error) { return m.stopSending(tx, chunk) })
		if err != nil {
			return done, err
		}
		done.Sessions += n
	}
	// The mark goes last, with the keys.
	done.OneTimeKeys, err = txn.Do(ctx, m.db, m.finishRecovery)
	return done, err
}

func (m *Machine) beginRecovery(ctx context.Context) error {
	_, err := txn.Do(ctx, m.db, func(tx *txn.Tx) (struct{}, error) {
		a, err := m.active(tx)
		if err != nil {
			return struct{}{}, err
		}
		if _, marked := a.NeedsRecovery(); marked {
			return struct{}{}, nil
		}
		return struct{}{}, accounts.Put(tx, a.RequireRecovery(account.Asked, m.now()))
	})
	return err
}

// sendingSessions names the sessions that send. None is added behind its back
// but such that peers open: their sending chain begins anew.
func (m *Machine) sendingSessions(ctx context.Context) ([]sessionName, error) {
	return txn.View(ctx, m.db, func(tx *txn.Tx) ([]sessionName, error) {
		var names []sessionName
		for s, err := range sessions.Scan(tx) {
			if err != nil {
				return nil, err
			}
			if sends(s) {
				names = append(names, nameOf(s))
			}
		}
		return names, nil
	})
}

func sends(s session.Session) bool {
	_, pruned := s.Pruned()
	return !pruned && !s.ReceiveOnly()
}

// stopSending changes those of the sessions that still send. It changes nothing
// if another process has finished the recovery.
func (m *Machine) stopSending(tx *txn.Tx, names []sessionName) (int, error) {
	if _, marked, err := m.recovering(tx); !marked || err != nil {
		return 0, err
	}
	found, err := sessions.GetAll(tx, names...)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, f := range found {
		if !f.OK || !sends(f.Value) {
			continue
		}
		if err := sessions.Put(tx, f.Value.StopSending()); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func (m *Machine) recovering(tx *txn.Tx) (account.Account, bool, error) {
	a, err := m.active(tx)
	_, marked := a.NeedsRecovery()
	return a, marked, err
}

// finishRecovery gives up the keys that were not published and takes the mark
// away. It returns how many keys those are.
func (m *Machine) finishRecovery(tx *txn.Tx) (int, error) {
	a, marked, err := m.recovering(tx)
	if !marked || err != nil {
		return 0, err
	}
	pool, _, err := pools.Get(tx)
	if err != nil {
		return 0, err
	}
	before := pool.Count(otk.Abandoned)
	jump, err := m.jump()
	if err != nil {
		return 0, err
	}
	if pool, err = pool.Recover(jump); err != nil {
		return 0, err
	}
	given := pool.Count(otk.Abandoned) - before
	if pool, err = m.replaceFallback(tx, pool, m.now()); err != nil {
		return 0, err
	}
	if err := pools.Put(tx, pool); err != nil {
		return 0, err
	}
	return given, accounts.Put(tx, a.Recovered())
}

func (m *Machine) jump() (uint32, error) {
	var random [4]byte
	if _, err := io.ReadFull(m.store.opts.rand, random[:]); err != nil {
		return 0, fmt.Errorf("pawl: random bytes for key ids: %w", err)
	}
	return idJump + binary.BigEndian.Uint32(random[:])%idSpread, nil
}

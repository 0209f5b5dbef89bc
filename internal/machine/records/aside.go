package records

import (
	"bytes"
	"context"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

func asideKind() Kind {
	return Kind{Records: many(&machine.Asides), Broken: dropFix, Sweep: sweepAsides}
}

// setAsideFix sets aside what cannot be read.
func setAsideFix(u unread, name []byte) *Fix {
	return inOne("set it aside", func(tx *txn.Tx, a *machine.Account) error {
		_, err := machine.SetAside(tx, a, u.key, u.version, machine.Aside{Why: u.says, Name: name})
		return err
	})
}

// dropFix removes a copy that is itself damaged: nothing else names it.
func dropFix(_ *Checkup, u unread) *Fix {
	return inOne("remove it", func(tx *txn.Tx, _ *machine.Account) error {
		e, err := tx.Entry(u.key)
		if err != nil || e.Version != u.version {
			return err
		}
		return tx.Drop(u.key)
	})
}

// missing names a session that is known to be missing, and whose peer is not.
func missing(id ratchet.SessionID) string { return "missing session " + id.String() }

// readMissed reads which sessions are known to be gone, and of which kinds something
// is.
func (c *Checkup) readMissed() error {
	c.missed, c.aside = map[ratchet.SessionID]bool{}, map[string]bool{}
	for a, err := range machine.Asides.Scan(c.Tx) {
		if machine.IsDamage(err) {
			continue
		}
		if err != nil {
			return err
		}
		c.aside[a.Kind] = true
		if a.Kind == Sessions.Kind && len(a.Name) == len(ratchet.SessionID{}) {
			c.missed[ratchet.SessionID(a.Name)] = true
		}
	}
	return nil
}

// IsMissed reports whether a session is known to be missing.
func IsMissed(tx *txn.Tx, id ratchet.SessionID) (bool, error) {
	_, known, err := machine.Asides.Get(tx, machine.AsideName{Of: missing(id)})
	return known, err
}

// missFix notes that a session is gone, of which nothing is known but its id.
func missFix(id ratchet.SessionID, why string) *Fix {
	return inOne("note that it is gone", func(tx *txn.Tx, a *machine.Account) error {
		if _, known, err := machine.Asides.Get(tx, machine.AsideName{Of: missing(id)}); known || err != nil {
			return err
		}
		note := machine.Aside{Of: missing(id), Kind: Sessions.Kind, Name: bytes.Clone(id[:]), Why: why}
		return machine.PutAside(tx, a, note)
	})
}

// markMissing leaves a mark where a record is missing that others name. It
// returns false if there is one now.
func markMissing[N, T any](tx *txn.Tx, a *machine.Account, r *txn.Record[N, T], name N, of machine.Aside) (bool, error) {
	key, err := r.Key(tx, name)
	if err != nil {
		return false, err
	}
	return machine.SetAside(tx, a, key, 0, of)
}

// sweepAsides erases the copies that are as old as the oldest receipt, of what
// nobody has asked for since: those of the account, and those of what all accounts
// share. That something is gone stays known. What was set aside in the future, or
// before there was an account, counts from now on.
func sweepAsides(ctx context.Context, s *Sweep) error {
	v, err := txn.View(ctx, s.Account.DB, s.Account.Active)
	if err != nil {
		return err
	}
	first := v.Created()
	if first.After(s.Now) {
		first = olm
	}
	for _, r := range []*txn.Record[machine.AsideName, machine.Aside]{&machine.Asides, &machine.SharedAsides} {
		if err := eraseCopies(ctx, s, r, first); err != nil {
			return err
		}
	}
	return nil
}

func eraseCopies(ctx context.Context, s *Sweep, r *txn.Record[machine.AsideName, machine.Aside], first time.Time) error {
	wrong := func(a machine.Aside) bool {
		at := time.UnixMilli(a.At)
		return at.After(s.Now) || at.Before(first)
	}
	_, err := machine.Change[machine.AsideName, machine.Aside]{
		Records: r, Each: machine.Share{Bytes: 512, Writes: 1, Checks: 1}, Damaged: &s.Damaged,
		If: func(_ *txn.Tx, a machine.Aside) (bool, error) {
			return len(a.Bytes) > 0 && (wrong(a) || s.Now.Sub(time.UnixMilli(a.At)) >= session.ReceiptMemory), nil
		},
		Do: func(tx *txn.Tx, a machine.Aside) error {
			if wrong(a) {
				a.At = frame.Millis(s.Now)
			} else {
				a.Bytes = nil
			}
			return r.Put(tx, a)
		},
	}.All(ctx, s.Account)
	return err
}

package events

import (
	"context"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Missing is a room key that somebody waits for.
type Missing struct {
	Room    matrix.RoomID
	Session group.SessionID
	// Sender is who sent the event that needs the key: what others say of the key
	// explains nothing. It may be empty.
	Sender matrix.UserID
}

// notices names those that explain why the key is missing: of the event's sender, and
// of the own user.
func (m Missing) notices(own matrix.UserID) []records.WithheldName {
	names := []records.WithheldName{{Session: m.Session, From: own}}
	if m.Sender != "" && m.Sender != own {
		names = append(names, records.WithheldName{Session: m.Session, From: m.Sender})
	}
	return names
}

// Wait returns nil as soon as there is a key of the session, whichever process
// stored it, and a group.WithheldError as soon as there is a notice that it is
// withheld, and no key. It fails with kv.ErrCorrupt if the key is damaged, with an
// error of the store, or the context's.
func (b *Bells) Wait(ctx context.Context, m Missing) error {
	keys, err := txn.View(ctx, b.account.DB, func(tx *txn.Tx) (keys []string, err error) {
		if _, err := b.account.Read(tx); err != nil {
			return nil, err
		}
		key, err := records.GroupIns.Key(tx, m.Session)
		keys = append(keys, key)
		for _, name := range m.notices(b.account.Name.User) {
			if err == nil {
				key, err = records.Withhelds.Key(tx, name)
				keys = append(keys, key)
			}
		}
		return keys, err
	})
	if err != nil {
		return err
	}
	rung, stop := b.listen(keys...)
	defer stop()
	for {
		there, err := txn.View(ctx, b.account.DB, func(tx *txn.Tx) (bool, error) { return b.there(tx, m) })
		if there || err != nil {
			return err
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// there reports whether there is a key. The error says why there is none.
func (b *Bells) there(tx *txn.Tx, m Missing) (bool, error) {
	in, known, err := records.GroupIns.Get(tx, m.Session)
	switch {
	case machine.IsSetAside(err):
	case err != nil:
		return false, err
	case known && in.Room() == m.Room && len(in.Copies()) > 0:
		return true, nil
	}
	for _, name := range m.notices(b.account.Name.User) {
		w, known, err := records.Withhelds.Get(tx, name)
		switch {
		case machine.IsDamage(err), machine.IsSetAside(err): // it only explains
		case err != nil:
			return false, err
		case known && w.Room == m.Room:
			return false, w.Explain(group.ErrNoKey)
		}
	}
	return false, nil
}

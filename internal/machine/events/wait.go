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

// wait is what all who wait for one key wait for: one of them looks for all.
type wait struct {
	callers int
	stop    context.CancelFunc // with the last of them
	done    chan struct{}      // closed when err is the answer
	err     error
}

// Wait returns nil as soon as there is a key of the session, whichever process
// stored it, and a group.WithheldError as soon as there is a notice that it is
// withheld, and no key. It fails with kv.ErrCorrupt if the key is damaged, with an
// error of the store, or the context's. However many wait for a key, the store is
// asked for it once.
func (b *Bells) Wait(ctx context.Context, m Missing) error {
	w := b.join(m)
	defer b.quit(m, w)
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns the wait for a key, which it begins if nobody waits for that yet.
func (b *Bells) join(m Missing) *wait {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.waits[m]
	if w == nil {
		ctx, cancel := context.WithCancel(context.Background())
		w = &wait{stop: cancel, done: make(chan struct{})}
		b.waits[m] = w
		go func() {
			err := b.look(ctx, m)
			b.mu.Lock()
			b.end(m, w)
			b.mu.Unlock()
			if err != nil && ctx.Err() == nil {
				err = b.look(ctx, m) // for who came after the read that failed
			}
			w.err = err
			close(w.done)
		}()
	}
	w.callers++
	return w
}

// quit leaves a wait, which ends with the last who does.
func (b *Bells) quit(m Missing, w *wait) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.callers--; w.callers == 0 {
		w.stop()
		b.end(m, w)
	}
}

// end lets whoever waits from now on begin another wait.
func (b *Bells) end(m Missing, w *wait) {
	if b.waits[m] == w {
		delete(b.waits, m)
	}
}

// look looks for a key until it is there.
func (b *Bells) look(ctx context.Context, m Missing) error {
	keys, err := txn.View(ctx, b.account.DB, func(tx *txn.Tx) ([]string, error) { return b.keysOf(tx, m) })
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

// keysOf are those of the records that end the wait.
func (b *Bells) keysOf(tx *txn.Tx, m Missing) (keys []string, err error) {
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

package roomkeys

import (
	"context"
	"iter"
	"log/slog"
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// messageShare is what saying which event has a message takes of a commit.
var messageShare = machine.Share{Bytes: 256, Writes: 1, Checks: 2}

// Inherit takes the room keys of another account of the store, and then which event has
// which of their messages: another event with one of them is refused here, too. Until it
// returns it would be read. What of the other account cannot be read is refused, and of
// messages told to the log. The call may be made again.
func (k *Keys) Inherit(ctx context.Context, from *Keys) (Imported, error) {
	var sessions []group.SessionID
	var refused []RefusedKey
	done, err := k.importFrom(ctx, from.all(ctx, &sessions), Importing{
		Refused: func(r RefusedKey) { refused = append(refused, r) },
	}, func(group.Provenance) bool { return true })
	if err == nil {
		err = k.inheritMessages(ctx, from, sessions)
	}
	return Imported{done.New, done.Better, done.Same, refused}, err
}

// all yields all keys, and errors of what is damaged, and notes which keys there are.
func (k *Keys) all(ctx context.Context, sessions *[]group.SessionID) iter.Seq2[Import, error] {
	return func(yield func(Import, error) bool) {
		var damaged []error
		tell := func() bool {
			for _, err := range damaged {
				if !yield(Import{}, err) {
					return false
				}
			}
			damaged = nil
			return true
		}
		for key, err := range k.Export(ctx, Exporting{Damaged: func(err error) { damaged = append(damaged, err) }}) {
			if err == nil {
				*sessions = append(*sessions, key.Key.ID())
			}
			if !tell() || !yield(key, err) {
				return
			}
		}
		tell()
	}
}

func (k *Keys) inheritMessages(ctx context.Context, from *Keys, sessions []group.SessionID) error {
	most := k.account.Store.PerCommit(messageShare)
	var waiting []records.Replay
	for _, session := range sessions {
		messages, err := from.messages(ctx, session)
		if err != nil {
			return err
		}
		waiting = append(waiting, messages...)
		for len(waiting) >= most {
			if err := k.putMessages(ctx, waiting[:most]); err != nil {
				return err
			}
			waiting = slices.Clone(waiting[most:])
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return k.putMessages(ctx, waiting)
}

// messages are those of a session that events have.
func (k *Keys) messages(ctx context.Context, session group.SessionID) ([]records.Replay, error) {
	return txn.View(ctx, k.account.DB, func(tx *txn.Tx) (all []records.Replay, err error) {
		if _, err := k.account.Active(tx); err != nil {
			return nil, err
		}
		var damaged machine.Damages
		for r, err := range records.Replays.ScanUnder(tx, txn.PathOf(session.String())) {
			switch {
			case err == nil:
				r.Session = session
				all = append(all, r)
			case !damaged.Note(err):
				return nil, err
			}
		}
		if n := damaged.Len(); n > 0 {
			k.account.Store.Log.WarnContext(ctx, "which events have messages of a session cannot all be read: another account does not get to know these",
				slog.String("session", session.String()), slog.Int("records", n))
		}
		return all, nil
	})
}

// putMessages notes which events have messages, of sessions that there are, unless another
// one is known to have it.
func (k *Keys) putMessages(ctx context.Context, messages []records.Replay) error {
	return records.OnRaised(ctx, k.account, func() error {
		return k.account.Do(ctx, func(tx *txn.Tx) error {
			refs := []txn.Ref{k.account.Ref()}
			for _, m := range messages {
				refs = append(refs, records.GroupIns.Ref(m.Session), records.Replays.Ref(m.ReplayName))
			}
			if err := tx.Prefetch(refs...); err != nil {
				return err
			}
			if _, err := k.account.ActiveRaised(tx); err != nil {
				return err
			}
			for _, m := range messages {
				if err := putMessage(tx, m); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func putMessage(tx *txn.Tx, m records.Replay) error {
	_, there, err := records.GroupIns.Get(tx, m.Session)
	if err == nil && there {
		_, there, err = records.Replays.Get(tx, m.ReplayName)
		if err == nil && !there {
			return records.Replays.Put(tx, m)
		}
	}
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return nil // what is lost here is not had from there
	}
	return err
}

package pawlmautrix

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	"maunium.net/go/mautrix/sqlstatestore"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// stateStore is mautrix-go's StateStore in a file beside the store. That a room is
// encrypted is Pawl's to say, and never taken back: what is in the file may be older
// than the store, or missing.
type stateStore struct {
	*sqlstatestore.SQLStateStore
	db      *dbutil.Database
	machine *pawl.Machine
}

// keepState gives a client without a StateStore one.
func (h *CryptoHelper) keepState(ctx context.Context, m *pawl.Machine) error {
	if h.client.StateStore != nil {
		return nil
	}
	raw, err := h.place.openState()
	if err != nil {
		return fmt.Errorf("failed to open %s: %w", h.place.stateFile(), err)
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		_ = raw.Close()
		return fmt.Errorf("failed to open %s: %w", h.place.stateFile(), err)
	}
	inner := sqlstatestore.NewSQLStateStore(db, dbutil.ZeroLogger(h.log.With().Str("db_section", "matrix_state").Logger()), false)
	s := &stateStore{SQLStateStore: inner, db: db, machine: m}
	h.state = s
	if err := upgrade(ctx, inner); err != nil {
		return fmt.Errorf("failed to open %s: %w", h.place.stateFile(), err)
	}
	h.client.StateStore = s
	return nil
}

// upgrade makes the tables. Of two processes that do so at once one fails, where the
// other one has made what it was about to make; so it looks again, once for each step.
func upgrade(ctx context.Context, s *sqlstatestore.SQLStateStore) (err error) {
	for range len(sqlstatestore.UpgradeTable) + 2 {
		if err = s.Upgrade(ctx); err == nil {
			return nil
		}
	}
	return err
}

// IsEncrypted implements mautrix.StateStore.
func (s *stateStore) IsEncrypted(ctx context.Context, room id.RoomID) (bool, error) {
	known, err := s.machine.Room(ctx, matrix.RoomID(room))
	if err != nil || known.Encrypted {
		return known.Encrypted, err
	}
	return s.SQLStateStore.IsEncrypted(ctx, room)
}

func (s *stateStore) close() error { return s.db.Close() }

// keep puts the state of a response's rooms into the client's StateStore, as its
// listeners will, but before the token is stored: what a token covers never comes again.
func keep(ctx context.Context, store mautrix.StateStore, response *mautrix.RespSync) {
	for name, room := range response.Rooms.Join {
		if room.StateAfter != nil {
			keepAll(ctx, store, name, room.StateAfter.Events)
			continue
		}
		keepAll(ctx, store, name, room.State.Events, room.Timeline.Events)
	}
	for name, room := range response.Rooms.Invite {
		keepAll(ctx, store, name, room.State.Events)
	}
	for name, room := range response.Rooms.Leave {
		keepAll(ctx, store, name, room.State.Events, room.Timeline.Events)
	}
}

func keepAll(ctx context.Context, store mautrix.StateStore, room id.RoomID, lists ...[]*event.Event) {
	for _, e := range slices.Concat(lists...) {
		if e == nil || e.StateKey == nil {
			continue
		}
		kept := *e // what listeners get is parsed as their syncer says
		kept.RoomID, kept.Type.Class = room, event.StateEventType
		if err := kept.Content.ParseRaw(kept.Type); err == nil || errors.Is(err, event.ErrContentAlreadyParsed) {
			mautrix.UpdateStateStore(ctx, store, &kept)
		}
	}
}

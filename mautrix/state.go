package pawlmautrix

import (
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
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
	later   *putOff
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
	s := &stateStore{SQLStateStore: inner, db: db, machine: m, later: newPutOff(h.log)}
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

func (s *stateStore) close() error {
	s.later.end()
	return s.db.Close()
}

package pawlmautrix

import (
	"context"
	"sync"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// syncStore is the client's Store. mautrix-go saves a token before it processes what
// comes with it; Pawl stores the token when that is committed, so saving does nothing
// here.
type syncStore struct {
	receiver *receiver

	mu     sync.Mutex
	filter string // of this process: another one makes its own
}

var _ mautrix.SyncStore = (*syncStore)(nil)

// LoadNextBatch implements mautrix.SyncStore.
func (s *syncStore) LoadNextBatch(ctx context.Context, _ id.UserID) (string, error) {
	return s.receiver.begin(ctx)
}

// SaveNextBatch implements mautrix.SyncStore. mautrix-go calls it with each response,
// before the listeners get that; syncing ends where it fails.
func (s *syncStore) SaveNextBatch(context.Context, id.UserID, string) error {
	if err := s.receiver.open(); err != nil {
		return err
	}
	s.receiver.expect()
	return nil
}

// SaveFilterID implements mautrix.SyncStore.
func (s *syncStore) SaveFilterID(_ context.Context, _ id.UserID, filter string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filter = filter
	return nil
}

// LoadFilterID implements mautrix.SyncStore.
func (s *syncStore) LoadFilterID(context.Context, id.UserID) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filter, nil
}

package idbkv

import (
	"context"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestMissedRing: a store that hears nothing of the others learns at its next commit, at
// its next read, and by looking now and then what they have committed.
func TestMissedRing(t *testing.T) {
	name := newName()
	deaf, other := openAs(t, name), openAs(t, name)
	deaf.bell.close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan kv.Version, 1)
	go func() {
		for change, err := range deaf.Watch(ctx, "k", 0) {
			if err == nil && change.Version == 2 {
				seen <- change.Version
			}
		}
	}()
	commits(t, deaf, puts("k", "1"))
	commits(t, other, puts("k", "2"))
	<-seen
	if got := valueOf(t, deaf, "k"); got != "2" {
		t.Errorf("k is %q, want 2", got)
	}
	commits(t, other, puts("k", "3"))
	stale := puts("k", "4")
	stale.Reads = []kv.Read{{Key: "k", Version: 2}}
	if _, err := deaf.Commit(t.Context(), stale); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a commit on what was read before: %v, want %v", err, kv.ErrConflict)
	}
}

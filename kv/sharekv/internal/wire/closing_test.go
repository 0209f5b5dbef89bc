package wire_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// TestClosedSnapshotsAreReleased: with the next request, and without one, too.
func TestClosedSnapshotsAreReleased(t *testing.T) {
	store := &counted{Store: memkv.New()}
	defer store.Store.Close()
	client := serve(t, wire.Service{Store: store}).client(t, wire.Settings{})
	for range 2 { // the second time a flush has been before
		for range 5 {
			snapshot := client.Snapshot()
			if _, err := snapshot.Get(background, "k"); err != nil {
				t.Fatal(err)
			}
			snapshot.Close()
		}
		for start := time.Now(); store.open.Load() > 0; runtime.Gosched() {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("%d snapshots stay open", store.open.Load())
			}
		}
	}
}

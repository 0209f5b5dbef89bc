package wire_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/moving"
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

// TestViewMovesOn: of a view that moves on the client knows the version at which
// all stood that it has got, by gets and by pages of a scan.
func TestViewMovesOn(t *testing.T) {
	store := memkv.New()
	defer store.Close()
	client := serve(t, wire.Service{Store: moving.Wrap(store)}).client(t, wire.Settings{})
	const entries = 600 // more than a page
	many := batch("first", "")
	for n := range entries {
		many.Writes = append(many.Writes, kv.Write{Key: fmt.Sprintf("page/%03d", n)})
	}
	head, err := store.Commit(background, many)
	if err != nil {
		t.Fatal(err)
	}
	view := client.Snapshot()
	defer view.Close()
	moves := func(what string) {
		t.Helper()
		if version, err := view.Version(background); err != nil || version != head {
			t.Errorf("after %s: version %d, %v, want %d", what, version, err, head)
		}
		if head, err = store.Commit(background, batch("elsewhere", what)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"first", "absent"} {
		if _, err := view.Get(background, key); err != nil {
			t.Fatal(err)
		}
		moves("get " + key)
	}
	scanned := 0
	for _, err := range view.Scan(background, "page/") {
		if err != nil {
			t.Fatal(err)
		}
		scanned++
	}
	if moves("a scan"); scanned != entries {
		t.Errorf("%d entries, want %d", scanned, entries)
	}
}

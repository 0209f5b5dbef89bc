package sqlitekv

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// TestCloseAfterWithdrawn: a store ends that is closed while the gate is another's and
// the last commit that waited for it has given up.
func TestCloseAfterWithdrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	other, s := openStore(t, path), openStore(t, path)
	if err := <-other.gate.ask(); err != nil {
		t.Fatal(err)
	}
	defer other.gate.release()
	ctx, cancel := context.WithCancel(t.Context())
	committed := make(chan error, 1)
	snap := s.Snapshot()
	began, err := snap.Version(ctx)
	snap.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := s.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(began), Writes: []kv.Write{{Key: "key", Value: []byte("value")}}})
		committed <- err
	}()
	for !s.gate.isAsked() {
		runtime.Gosched()
	}
	cancel()
	if err := <-committed; !errors.Is(err, context.Canceled) {
		t.Fatalf("a commit that gave up: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the store is not closed after a minute")
	}
}

// isAsked reports whether somebody waits for the gate.
func (g *gate) isAsked() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked != nil
}

package sqlitekv

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

func writing(key string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: key, Value: []byte("v")}}}
}

// TestPanicInACommit: who commits himself has the panic, and what became of his batch
// is found out by the next commit.
func TestPanicInACommit(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	commitTo(t, s, "first")
	turns := s.committer.turns
	s.committer.turns = nil
	b := writing("a")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, err := s.Commit(t.Context(), b)
		t.Errorf("no panic, and %v", err)
	}()
	if _, unsure := s.committer.unknown[b.ID]; !unsure {
		t.Error("nobody knows that the outcome is unknown")
	}
	s.committer.turns = turns
	if version, err := s.Commit(t.Context(), b); version != 2 || err != nil {
		t.Errorf("the same batch again: version %d, %v, want 2", version, err)
	}
	if version, err := s.Commit(t.Context(), writing("b")); version != 3 || err != nil {
		t.Errorf("another: version %d, %v, want 3", version, err)
	}
}

// TestReadWithTheCommittersConnection: a read that fails on it closes it, and the next
// commit opens another; while it is lent nothing is committed.
func TestReadWithTheCommittersConnection(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	if _, err := s.Commit(t.Context(), writing("a")); err != nil {
		t.Fatal(err)
	}
	c, opening, err := s.pool.get()
	if err != nil || c != s.committer.conn {
		t.Fatalf("a read has another connection than that of the last commit: %v", err)
	}
	done := begin(func() { commitTo(t, s, "b") })
	other, otherOpening, err := s.pool.get()
	if err != nil || other == c {
		t.Fatalf("two reads have one connection: %v", err)
	}
	s.pool.put(other, otherOpening, true)
	if isDone(done) {
		t.Error("committed while the connection was lent")
	}
	s.pool.put(c, opening, false)
	<-done
	if s.committer.conn == c {
		t.Error("a connection that is not usable was used")
	}
	if err := s.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, err := s.Snapshot().Get(t.Context(), "a", "b"); err != nil || entries[0].Version != 1 || entries[1].Version != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot().Get(t.Context(), "a"); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

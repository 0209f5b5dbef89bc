package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// inTheWay is a batch that is refused as long as a key exists.
func inTheWay(began kv.Version) *kv.Batch {
	return &kv.Batch{
		ID: kv.NewCommitID(began), Reads: []kv.Read{{Key: "in the way"}},
		Writes: []kv.Write{{Key: "late", Value: []byte("v")}},
	}
}

func commitAgain(s *Store, b *kv.Batch) error {
	later := *b
	later.Again = true
	_, err := s.Commit(context.Background(), &later)
	return err
}

// TestRefusalThatCannotBeRecorded: where the log cannot be written, a batch that
// comes again is of unknown outcome and not refused, and it is refused for good
// once the log can be written.
func TestRefusalThatCannotBeRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	openStore(t, path).Close()
	for name, failure := range map[string]error{"full": syscall.ENOSPC, "broken": syscall.EIO, "read-only": sqlite3.READONLY} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			s := openStore(t, path, func(s *settings) { s.vfs = d.name })
			b := inTheWay(mustPut(t, s, "in the way", "1"))
			d.failWrites(failure)
			for range 2 {
				err := commitAgain(s, b)
				if !errors.Is(err, kv.ErrUnknown) || errors.Is(err, kv.ErrConflict) || kv.OutcomeOf(err) != kv.Unknown {
					t.Fatalf("a refusal that cannot be recorded: %v, want %v", err, kv.ErrUnknown)
				}
			}
			if _, err := s.Commit(t.Context(), b); !errors.Is(err, kv.ErrConflict) {
				t.Errorf("a first try: %v, want %v: it needs no record", err, kv.ErrConflict)
			}
			d.failWrites(nil)
			if err := commitAgain(s, b); !errors.Is(err, kv.ErrConflict) {
				t.Fatalf("once the log can be written: %v, want %v", err, kv.ErrConflict)
			}
			del := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "in the way", Delete: true}}}
			if _, err := s.Commit(t.Context(), del); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Commit(t.Context(), b); !errors.Is(err, kv.ErrRefused) {
				t.Errorf("the first try, arriving late: %v, want %v", err, kv.ErrRefused)
			}
			if getOne(t, s, "late").Exists() {
				t.Error("a refused batch was applied")
			}
		})
	}
}

// TestRefusalAmongOthers: one batch of a group is refused for good, and the
// others are committed in the same transaction, at versions around it.
func TestRefusalAmongOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, other := openStore(t, path), openStore(t, path)
	b := inTheWay(mustPut(t, s, "in the way", "1"))
	together := newGate(path)
	if err := <-together.ask(); err != nil {
		t.Fatal(err)
	}
	var begun, done sync.WaitGroup
	begun.Add(3)
	versions := make([]kv.Version, 2)
	for i := range versions {
		done.Go(func() {
			begun.Done()
			var err error
			if versions[i], err = putOne(s, fmt.Sprintf("k/%d", i), "v", true); err != nil {
				t.Error(err)
			}
		})
	}
	done.Go(func() {
		begun.Done()
		if err := commitAgain(s, b); !errors.Is(err, kv.ErrConflict) {
			t.Errorf("a batch that comes again: %v, want %v", err, kv.ErrConflict)
		}
	})
	begun.Wait()
	together.release() // what waits by now is one group
	done.Wait()
	together.close()
	if next := mustPut(t, s, "next", "v"); next != 5 || versions[0] == versions[1] || min(versions[0], versions[1]) < 2 {
		t.Errorf("after versions %d and a refusal comes version %d, want 5", versions, next)
	}
	if _, err := other.Commit(t.Context(), b); !errors.Is(err, kv.ErrRefused) {
		t.Errorf("in another process: %v, want %v", err, kv.ErrRefused)
	}
}

// TestOlderProgramsBesideRefusals: the statements of a program that knows no
// refusals see one as a commit that wrote nothing, under an ID that nobody has.
func TestOlderProgramsBesideRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	b := inTheWay(mustPut(t, s, "in the way", "1"))
	if err := commitAgain(s, b); !errors.Is(err, kv.ErrConflict) {
		t.Fatal(err)
	}
	set := defaults()
	c, err := openConn(path, &set)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	stmt, _, err := c.db.Prepare(`SELECT version FROM commits WHERE version > ? AND id = ?`)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if err := errors.Join(stmt.BindInt64(1, int64(b.ID.Began)), stmt.BindBlob(2, encodeID(b.ID))); err != nil {
		t.Fatal(err)
	}
	if stmt.Step() {
		t.Errorf("it takes the batch for one applied at version %d", stmt.ColumnInt64(0))
	}
	changes := make(map[kv.Version]int)
	err = c.rows(qChanges, func(row *sqlite3.Stmt) (bool, error) {
		writes, err := watch.DecodeChanges(row.ColumnRawBlob(1))
		changes[kv.Version(row.ColumnInt64(0))] = len(writes)
		return true, err
	}, kv.Version(0))
	if err != nil || len(changes) != 2 || changes[1] != 1 || changes[2] != 0 {
		t.Errorf("the changes are %v, %v; want one at version 1 and none at 2", changes, err)
	}
}

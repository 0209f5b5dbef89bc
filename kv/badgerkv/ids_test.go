package badgerkv

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// seen opens databases and keeps the last.
type seen struct {
	*opener
	last *database
}

func (s *seen) Open(place *sharekv.Place) (sharekv.LocalEngine, error) {
	engine, err := s.opener.Open(place)
	s.last, _ = engine.(*database)
	return engine, err
}

// openSeen opens a store and returns its database.
func openSeen(t *testing.T, dir string, keep int) (*sharekv.Store, *database) {
	t.Helper()
	set := defaults()
	WithCommitIDs(keep)(&set)
	s := &seen{opener: (*opener)(&set)}
	store, err := sharekv.Open(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store, s.last
}

// together has the committer take batches as one, and returns their outcomes.
func together(t *testing.T, d *database, batches ...*kv.Batch) (versions []kv.Version, errs []error) {
	t.Helper()
	entered, proceed := make(chan struct{}), make(chan struct{})
	if err := d.queue.Run(func(bool) { close(entered); <-proceed }); err != nil {
		t.Fatal(err)
	}
	<-entered
	var requests []*grouping.Request
	for _, b := range batches {
		requests = append(requests, grouping.NewRequest(b))
		if err := d.queue.Add(requests[len(requests)-1]); err != nil {
			t.Fatal(err)
		}
	}
	close(proceed)
	for _, r := range requests {
		version, err := r.Wait(t.Context())
		versions, errs = append(versions, version), append(errs, err)
	}
	return versions, errs
}

func writing(key string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte("v")}}}
}

// stale is a batch that has read a key too early, and comes again.
func stale(began kv.Version, key string) *kv.Batch {
	b := writing("late")
	b.ID.Began, b.Reads, b.Again = began, []kv.Read{{Key: key}}, true
	return b
}

// commitMany makes commits, each a version.
func commitMany(t *testing.T, d *database, n int) {
	t.Helper()
	for range n {
		b := writing("many")
		b.ID.Began = kv.Version(d.committer.head)
		if _, errs := together(t, d, b); errs[0] != nil {
			t.Fatal(errs[0])
		}
	}
}

// TestRefusalAmongOthers: batches are refused for good in the transaction that
// applies others, as long as it does not write what they have read. Then the
// next one does.
func TestRefusalAmongOthers(t *testing.T) {
	_, d := openSeen(t, filepath.Join(t.TempDir(), "store"), 1000)
	together(t, d, writing("there"))
	refused, after := stale(1, "there"), stale(1, "new")
	versions, errs := together(t, d, writing("a"), refused, writing("new"), after, writing("b"), refused)
	for i, want := range []kv.Version{2, 0, 2, 0, 2, 0} {
		if versions[i] != want {
			t.Errorf("batch %d is applied at version %d, want %d", i, versions[i], want)
		}
	}
	for i, want := range []error{nil, kv.ErrConflict, nil, kv.ErrConflict, nil, kv.ErrRefused} {
		if !errors.Is(errs[i], want) {
			t.Errorf("batch %d: %v, want %v", i, errs[i], want)
		}
	}
	if d.committer.head != 3 {
		t.Errorf("the head is %d, want 3: the second refusal came after what was in its way", d.committer.head)
	}
	got := storedRefusals(t, d)
	if len(got) != 2 || !slices.Contains(got[2], refused.ID) || !slices.Contains(got[3], after.ID) {
		t.Errorf("refused are %v, want one at version 2 and one at 3", got)
	}
}

func storedRefusals(t *testing.T, d *database) (all map[uint64][]kv.CommitID) {
	t.Helper()
	err := d.read(func(db *badger.DB) (err error) {
		txn := db.NewTransactionAt(d.committer.head, false)
		defer txn.Discard()
		all, err = loadRefusals(txn)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRefusalsArePruned: with the IDs that were applied at the same time.
func TestRefusalsArePruned(t *testing.T) {
	_, d := openSeen(t, filepath.Join(t.TempDir(), "store"), slots)
	together(t, d, writing("there"))
	first := stale(1, "there")
	together(t, d, first)
	for range 3 * slots {
		commitMany(t, d, 1)
		together(t, d, stale(kv.Version(d.committer.head), "there"))
	}
	got := storedRefusals(t, d)
	for version := range got {
		if version <= d.committer.ids.floor {
			t.Errorf("what was refused at version %d is kept, and the floor is %d", version, d.committer.ids.floor)
		}
	}
	if n := len(d.committer.ids.known); n < slots || n > 4*slots {
		t.Errorf("%d IDs are kept, want %d to %d", n, slots, 4*slots)
	}
	if _, errs := together(t, d, first); !errors.Is(errs[0], kv.ErrExpired) {
		t.Errorf("what was refused long ago: %v, want kv.ErrExpired", errs[0])
	}
}

// TestRefusalsOfAnOlderProgram: one that knows none drops chunks of IDs and
// leaves what was refused at the same versions. It goes when a chunk is closed
// next, and until then it counts for nothing.
func TestRefusalsOfAnOlderProgram(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store, d := openSeen(t, dir, slots)
	together(t, d, writing("there"))
	forgotten := stale(1, "there")
	together(t, d, forgotten)
	d.committer.ids.chunks[0].refused = nil // as if it had not been read
	delete(d.committer.ids.known, forgotten.ID)
	commitMany(t, d, 3*slots)
	if len(storedRefusals(t, d)) != 1 {
		t.Fatal("nothing is left behind: the test shows nothing")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, d = openSeen(t, dir, slots)
	if _, errs := together(t, d, forgotten); !errors.Is(errs[0], kv.ErrExpired) {
		t.Errorf("an ID behind the floor: %v, want kv.ErrExpired", errs[0])
	}
	commitMany(t, d, slots)
	if left := storedRefusals(t, d); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

// TestNewestVersionIsMissed: the entry of the newest version is asked for, also
// where a chunk that ends with it has its IDs.
func TestNewestVersionIsMissed(t *testing.T) {
	for _, commits := range []int{3, slots - 1, slots, 2*slots - 1} {
		store, d := openSeen(t, filepath.Join(t.TempDir(), "store"), 1000)
		commitMany(t, d, commits)
		head := d.committer.head
		load := func(at uint64) error {
			return d.read(func(db *badger.DB) error {
				txn := db.NewTransactionAt(at, false)
				defer txn.Discard()
				return newIDLog(1000).load(txn, head)
			})
		}
		if err := load(head); err != nil {
			t.Errorf("after %d commits: %v", commits, err)
		}
		txn := d.db.NewTransactionAt(head, true)
		if err := errors.Join(txn.Delete(slotKey(head)), txn.CommitAt(head+1, nil)); err != nil {
			t.Fatal(err)
		}
		if err := load(head + 1); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("without the entry of version %d: %v, want %v", head, err, kv.ErrCorrupt)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPanicInACommit: who commits himself has the panic. What became of his batch is
// unknown, and the store takes no more.
func TestPanicInACommit(t *testing.T) {
	_, d := openSeen(t, filepath.Join(t.TempDir(), "store"), 1000)
	d.committer.hooks.free = func(string) (space, error) { panic("broken") }
	b := writing("a")
	func() {
		defer func() {
			if r := recover(); r != "broken" {
				t.Errorf("recovered %v", r)
			}
		}()
		_, err := d.Commit(t.Context(), b)
		t.Errorf("no panic, and %v", err)
	}()
	if _, err := d.Commit(t.Context(), b); !errors.Is(err, kv.ErrUndecided) {
		t.Errorf("the same batch again: %v, want %v", err, kv.ErrUndecided)
	}
	if _, err := d.Commit(t.Context(), writing("b")); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("another: %v, want %v", err, kv.ErrUnavailable)
	}
}

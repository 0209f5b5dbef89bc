package sharetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// Subject is what the suites need of an engine.
type Subject struct {
	// Open opens the store in a directory, as sharekv.Open does.
	Open func(dir string, o Options) (Store, error)
}

// Store is a sharekv.Store, or one that embeds it.
type Store interface {
	kv.Store
	Flatten(ctx context.Context) error
	Yield(ctx context.Context) error
	Status() sharekv.Status
}

// Options is how a test wants a store opened. Hooks may be nil.
type Options struct {
	Patience time.Duration // 0 is sharekv's

	// Locked is called when this process has locked the store, before the
	// engine is opened.
	Locked func()
	// Committing is called when the engine is about to make a commit durable,
	// Committed when it is, and nobody was told yet.
	Committing, Committed func()
}

// Sharing returns what of the options is sharekv's.
func (o Options) Sharing() []sharekv.Option {
	if o.Patience == 0 {
		return nil
	}
	return []sharekv.Option{sharekv.WithPatience(o.Patience)}
}

// Call calls a hook, if there is one.
func Call(hook func()) {
	if hook != nil {
		hook()
	}
}

// NewDir returns a path for a store that does not exist yet, in a directory of
// its own, in memory where there is such a place.
func NewDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sharetest-*")
	if err != nil {
		return filepath.Join(t.TempDir(), "store")
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "store")
}

// trial is a Subject in a test. Its methods fail the test.
type trial struct {
	*testing.T
	Subject
}

// open opens a store that is closed at the end of the test.
func (t *trial) open(dir string) Store {
	t.Helper()
	return t.openWith(dir, Options{})
}

func (t *trial) openWith(dir string, o Options) Store {
	t.Helper()
	store, err := t.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func (t *trial) close(store Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// batch returns a synced batch that puts a key and depends on nothing.
func batch(key, value string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
}

func (t *trial) commit(store Store, b *kv.Batch) kv.Version {
	t.Helper()
	version, err := store.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func (t *trial) put(store Store, key, value string) kv.Version {
	t.Helper()
	return t.commit(store, batch(key, value))
}

func (t *trial) get(store Store, key string) kv.Entry {
	t.Helper()
	snapshot := store.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}

// wantValue checks the value of a key.
func (t *trial) wantValue(store Store, key, value string) {
	t.Helper()
	if e := t.get(store, key); string(e.Value) != value {
		t.Errorf("%s is %q, want %q", key, e.Value, value)
	}
}

// count returns how many entries a store has.
func (t *trial) count(store Store) (n int) {
	t.Helper()
	snapshot := store.Snapshot()
	defer snapshot.Close()
	for _, err := range snapshot.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

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

// Kit is what the suites need of an engine.
type Kit struct {
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
	// Committed when it is, and nobody knows yet.
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

// kit is a Kit in a test. Its methods fail the test.
type kit struct {
	*testing.T
	Kit
}

// open opens a store that is closed at the end of the test.
func (k *kit) open(dir string) Store {
	k.Helper()
	return k.openWith(dir, Options{})
}

func (k *kit) openWith(dir string, o Options) Store {
	k.Helper()
	store, err := k.Open(dir, o)
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { store.Close() })
	return store
}

func (k *kit) close(store Store) {
	k.Helper()
	if err := store.Close(); err != nil {
		k.Fatal(err)
	}
}

// batch returns a synced batch that puts a key and depends on nothing.
func batch(key, value string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
}

func (k *kit) commit(store Store, b *kv.Batch) kv.Version {
	k.Helper()
	version, err := store.Commit(k.Context(), b)
	if err != nil {
		k.Fatal(err)
	}
	return version
}

func (k *kit) put(store Store, key, value string) kv.Version {
	k.Helper()
	return k.commit(store, batch(key, value))
}

func (k *kit) get(store Store, key string) kv.Entry {
	k.Helper()
	snapshot := store.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(k.Context(), key)
	if err != nil {
		k.Fatal(err)
	}
	return entries[0]
}

// wantValue checks the value of a key.
func (k *kit) wantValue(store Store, key, value string) {
	k.Helper()
	if e := k.get(store, key); string(e.Value) != value {
		k.Errorf("%s is %q, want %q", key, e.Value, value)
	}
}

// count returns how many entries a store has.
func (k *kit) count(store Store) (n int) {
	k.Helper()
	snapshot := store.Snapshot()
	defer snapshot.Close()
	for _, err := range snapshot.Scan(k.Context(), "") {
		if err != nil {
			k.Fatal(err)
		}
		n++
	}
	return n
}

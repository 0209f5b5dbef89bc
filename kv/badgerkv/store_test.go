package badgerkv_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// newDir returns a path for a store that does not exist yet, in memory where
// there is such a place: what the disk adds is not what most tests are about.
func newDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "badgerkv-*")
	if err != nil {
		return filepath.Join(t.TempDir(), "store")
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "store")
}

func open(t testing.TB, dir string, options ...badgerkv.Option) *badgerkv.Store {
	t.Helper()
	store, err := badgerkv.Open(dir, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func mustClose(t testing.TB, store kv.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// batch returns a synced batch that depends on nothing; every second argument
// is the value of the key before it.
func batch(keysAndValues ...string) *kv.Batch {
	b := &kv.Batch{ID: kv.NewCommitID(0), Sync: true}
	for i := 0; i < len(keysAndValues); i += 2 {
		b.Writes = append(b.Writes, kv.Write{Key: keysAndValues[i], Value: []byte(keysAndValues[i+1])})
	}
	return b
}

func commit(t testing.TB, store kv.Store, b *kv.Batch) kv.Version {
	t.Helper()
	version, err := store.Commit(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func put(t testing.TB, store kv.Store, key, value string) kv.Version {
	t.Helper()
	return commit(t, store, batch(key, value))
}

func get(t testing.TB, store kv.Store, key string) kv.Entry {
	t.Helper()
	snapshot := store.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}

// content returns all entries of a store.
func content(t testing.TB, store kv.Store) map[string]string {
	t.Helper()
	snapshot := store.Snapshot()
	defer snapshot.Close()
	all := make(map[string]string)
	for entry, err := range snapshot.Scan(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Key] = string(entry.Value)
	}
	return all
}

var seedFlag = flag.Uint64("badgerkv.seed", 0, "of everything random; 0 is another each time")

// seeded returns the randomness of a test, and says how to have it again.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-badgerkv.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

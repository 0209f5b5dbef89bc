package sqlitekv

import (
	"context"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

func openStore(t testing.TB, path string, options ...Option) *Store {
	t.Helper()
	s, err := Open(path, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func getOne(t testing.TB, s kv.Store, key string) kv.Entry {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	entries, err := snap.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}

// putOne commits one key.
func putOne(s kv.Store, key, value string, sync bool) (kv.Version, error) {
	snap := s.Snapshot()
	began, err := snap.Version(context.Background())
	snap.Close()
	if err != nil {
		return 0, err
	}
	return s.Commit(context.Background(), &kv.Batch{
		ID: kv.NewCommitID(began), Sync: sync, Writes: []kv.Write{{Key: key, Value: []byte(value)}},
	})
}

func mustPut(t testing.TB, s *Store, key, value string) kv.Version {
	t.Helper()
	version, err := putOne(s, key, value, true)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

package kvtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// env is what a check works with. Its methods fail the test, in the goroutine
// of the test, when the store does not do as it should.
type env struct {
	testing.TB
	settings
	open   Open
	reopen Reopen
	ctx    context.Context // ends with the patience of the whole check
}

// checkPatience is how many times the patience for a call a check may take.
const checkPatience = 3

func newEnv(t testing.TB, prototype *env, options []Option) *env {
	e := *prototype
	e.TB = t
	e.settings = settings{patience: 30 * time.Second, txns: 60, newDir: testing.TB.TempDir}
	for _, option := range options {
		option(&e.settings)
	}
	ctx, cancel := context.WithTimeout(t.Context(), checkPatience*e.patience)
	t.Cleanup(cancel)
	e.ctx = ctx
	return &e
}

// dir returns a place that no store was in.
func (e *env) dir() string { return e.newDir(e.TB) }

// store opens an empty store.
func (e *env) store() kv.Store {
	e.Helper()
	return e.closing(e.open(e.TB))
}

// stored opens the store in dir.
func (e *env) stored(dir string) kv.Store {
	e.Helper()
	return e.closing(e.reopen(e.TB, dir))
}

func (e *env) closing(s kv.Store) kv.Store {
	e.Cleanup(func() {
		if err := s.Close(); err != nil {
			e.Errorf("closing the store: %v", err)
		}
	})
	return s
}

func put(key, value string) kv.Write { return kv.Write{Key: key, Value: []byte(value)} }

func del(key string) kv.Write { return kv.Write{Key: key, Delete: true} }

// batch returns a synced batch with a new ID that began at a version.
func batch(began kv.Version, writes ...kv.Write) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(began), Writes: writes, Sync: true}
}

// commit makes a commit that must succeed.
func (e *env) commit(s kv.Store, b *kv.Batch) kv.Version {
	e.Helper()
	version, err := s.Commit(e.ctx, b)
	if err != nil {
		e.Fatalf("commit: %v, want success", err)
	}
	if version > kv.MaxVersion {
		e.Fatalf("commit: version %d, at most %d", version, kv.MaxVersion)
	}
	return version
}

// write commits writes that depend on nothing.
func (e *env) write(s kv.Store, writes ...kv.Write) kv.Version {
	e.Helper()
	return e.commit(s, batch(e.head(s), writes...))
}

// fill commits writes that depend on nothing, in as many commits as they take,
// and returns the last one's version.
func (e *env) fill(s kv.Store, writes ...kv.Write) (last kv.Version) {
	e.Helper()
	limits := s.Limits()
	for len(writes) > 0 {
		n := 1
		for size := 0; n < min(len(writes), limits.Writes); n++ {
			if size += len(writes[n].Key) + len(writes[n].Value); size > limits.Bytes/2 {
				break
			}
		}
		last = e.write(s, writes[:n]...)
		writes = writes[n:]
	}
	return last
}

// kept is how many commit IDs the store keeps at least.
func (e *env) kept(s kv.Store) int {
	if e.commitIDs > 0 {
		return e.commitIDs
	}
	return s.Limits().CommitIDs
}

func (e *env) head(s kv.Store) kv.Version {
	e.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	version, err := snap.Version(e.ctx)
	if err != nil {
		e.Fatalf("version of a snapshot: %v", err)
	}
	return version
}

// latest is head for other goroutines than the test's: 0 if it cannot be told.
func (e *env) latest(s kv.Store) kv.Version {
	snap := s.Snapshot()
	defer snap.Close()
	version, err := snap.Version(e.ctx)
	if err != nil {
		return 0
	}
	return version
}

// get reads one key from a new snapshot.
func (e *env) get(s kv.Store, key string) kv.Entry {
	e.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	return e.read(snap, key)[0]
}

// read returns as many entries as there are keys.
func (e *env) read(snap kv.Snapshot, keys ...string) []kv.Entry {
	e.Helper()
	entries, err := snap.Get(e.ctx, keys...)
	if err != nil {
		e.Fatalf("get %q: %v", keys, err)
	}
	if len(entries) != len(keys) {
		e.Fatalf("get %q: %d entries for %d keys", keys, len(entries), len(keys))
	}
	for i, entry := range entries {
		if entry.Key != keys[i] {
			e.Fatalf("get %q: entry %d has key %q", keys, i, entry.Key)
		}
		if !entry.Exists() && entry.Value != nil {
			e.Fatalf("get %q: an absent entry with a value", keys)
		}
	}
	return entries
}

// scan returns everything with the prefix.
func (e *env) scan(snap kv.Snapshot, prefix string) []kv.Entry {
	e.Helper()
	var entries []kv.Entry
	for entry, err := range snap.Scan(e.ctx, prefix) {
		if err != nil {
			e.Fatalf("scan %q: %v", prefix, err)
		}
		entries = append(entries, entry)
	}
	return entries
}

// content returns all entries of the store.
func (e *env) content(s kv.Store) []kv.Entry {
	e.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	return e.scan(snap, "")
}

// wantValue compares a key's value, and its version with that of the commit
// which wrote it.
func (e *env) wantValue(s kv.Store, key, value string, version kv.Version) {
	e.Helper()
	got := e.get(s, key)
	if string(got.Value) != value || got.Version != version {
		e.Errorf("key %q: %s at version %d, want %s at version %d",
			key, shorten(string(got.Value)), got.Version, shorten(value), version)
	}
}

// wantAbsent checks that a key has no entry.
func (e *env) wantAbsent(s kv.Store, key string) {
	e.Helper()
	if got := e.get(s, key); got.Exists() {
		e.Errorf("key %q: exists at version %d, want it absent", key, got.Version)
	}
}

// wantError checks the outcome of a call.
func (e *env) wantError(what string, got, want error) {
	e.Helper()
	if !errors.Is(got, want) {
		e.Errorf("%s: %v, want: %v", what, got, want)
	}
}

// wantConflict checks that err names some of the keys and nothing else.
func (e *env) wantConflict(what string, err error, names ...string) {
	e.Helper()
	e.wantError(what, err, kv.ErrConflict)
	if err := checkNames(err, names); err != nil {
		e.Errorf("%s: %v", what, err)
	}
}

func shorten(value string) string {
	if len(value) > 20 {
		value = value[:20] + "..."
	}
	return "\"" + value + "\""
}

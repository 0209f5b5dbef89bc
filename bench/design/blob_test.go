package design

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

func entries(t *testing.T, store kv.Store, prefix string) []kv.Entry {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	var found []kv.Entry
	for e, err := range snap.Scan(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, e)
	}
	return found
}

func commit(t *testing.T, store kv.Store, b *kv.Batch) kv.Version {
	t.Helper()
	v, err := store.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func putting(keys ...string) *kv.Batch {
	b := &kv.Batch{ID: kv.NewCommitID(0)}
	for _, key := range keys {
		b.Writes = append(b.Writes, kv.Write{Key: key, Value: []byte("value of " + key)})
	}
	return b
}

// conflict returns the keys and prefixes that a commit lost on.
func conflict(t *testing.T, store kv.Store, b *kv.Batch) *kv.ConflictError {
	t.Helper()
	_, err := store.Commit(t.Context(), b)
	var c *kv.ConflictError
	if !errors.As(err, &c) {
		t.Fatalf("Commit = %v, want a conflict", err)
	}
	return c
}

// TestBlobIsOneEntry: an account is one entry of the store, whatever is in it,
// and another Blob reads from it what was put in.
func TestBlobIsOneEntry(t *testing.T) {
	engine := memkv.New()
	store := NewBlob(engine)
	commit(t, store, putting("bob/a", "bob/b/c", "carol/a"))
	commit(t, store, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "bob/a", Delete: true}, {Key: "bob/d", Value: []byte{}}}})
	var keys []string
	for _, e := range entries(t, engine, "") {
		keys = append(keys, e.Key)
	}
	if want := []string{"blob/bob", "blob/carol"}; !slices.Equal(keys, want) {
		t.Errorf("the store has %q, want %q", keys, want)
	}
	got := entries(t, NewBlob(engine), "")
	want := []kv.Entry{
		{Key: "bob/b/c", Value: []byte("value of bob/b/c"), Version: 2},
		{Key: "bob/d", Value: []byte{}, Version: 2},
		{Key: "carol/a", Value: []byte("value of carol/a"), Version: 1},
	}
	same := func(a, b kv.Entry) bool {
		return a.Key == b.Key && a.Version == b.Version && bytes.Equal(a.Value, b.Value)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("the entries are %v, want %v", got, want)
	}
	if got := entries(t, store, "bob/b"); len(got) != 1 || got[0].Key != "bob/b/c" {
		t.Errorf("with the prefix there are %v", got)
	}
}

// TestBlobConflicts: whatever is written to an account, what was read of it
// holds no more; what was absent still may.
func TestBlobConflicts(t *testing.T) {
	engine := memkv.New()
	store, other := NewBlob(engine), NewBlob(engine)
	v := commit(t, store, putting("bob/a"))
	reading := putting("bob/x")
	reading.Reads = []kv.Read{{Key: "bob/a", Version: v}}
	absent := putting("bob/y")
	absent.Reads = []kv.Read{{Key: "bob/y"}, {Key: "carol/y"}}
	elsewhere := putting("carol/x")

	commit(t, other, putting("bob/b"))
	if c := conflict(t, store, reading); !slices.Equal(c.Keys, []string{"bob/a"}) {
		t.Errorf("the conflict is on %q, want bob/a", c.Keys)
	}
	commit(t, store, absent)
	commit(t, store, elsewhere)
	again := putting("bob/z")
	again.Reads = absent.Reads
	if c := conflict(t, store, again); !slices.Equal(c.Keys, []string{"bob/y"}) {
		t.Errorf("the conflict is on %q, want bob/y", c.Keys)
	}
	if got := len(entries(t, other, "")); got != 4 {
		t.Errorf("there are %d entries, want a, b, y and carol's", got)
	}
}

// TestBlobScans: a key that came since is a conflict, also in an account that
// was not there.
func TestBlobScans(t *testing.T) {
	engine := memkv.New()
	store, other := NewBlob(engine), NewBlob(engine)
	v := commit(t, store, putting("bob/a/1"))
	scanning := func(prefix string, entries ...kv.Read) *kv.Batch {
		b := putting("bob/seen")
		b.Scans = []kv.ScanRead{{Prefix: prefix, Entries: entries}}
		return b
	}
	v = commit(t, store, scanning("bob/a/", kv.Read{Key: "bob/a/1", Version: v}))
	held := []kv.Read{{Key: "bob/a/1", Version: v}, {Key: "bob/seen", Version: v}}
	commit(t, other, putting("carol/1"))
	if c := conflict(t, store, scanning("", held...)); !slices.Equal(c.Prefixes, []string{""}) {
		t.Errorf("the conflict is on prefixes %q, want all", c.Prefixes)
	}
	commit(t, store, scanning("bob/", held...))
}

// TestBlobResolves: a batch that was applied is not applied again, also by
// another process, though its reads hold no more.
func TestBlobResolves(t *testing.T) {
	engine := memkv.New()
	b := putting("bob/a")
	b.Reads = []kv.Read{{Key: "bob/a"}}
	v := commit(t, NewBlob(engine), b)
	later := commit(t, NewBlob(engine), putting("bob/b"))
	if got := commit(t, NewBlob(engine), b); got != v || later == v {
		t.Errorf("the second time the version is %d, want %d", got, v)
	}
	b.ID = kv.NewCommitID(0)
	conflict(t, NewBlob(engine), b)
}

// TestBlobGrows: an account that does not fit into a batch is refused, and
// stays as it was.
func TestBlobGrows(t *testing.T) {
	store := NewBlob(memkv.New())
	big := func(key string) *kv.Batch {
		return &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: make([]byte, kv.EmbeddedBytes*2/3)}}}
	}
	commit(t, store, big("bob/1"))
	if _, err := store.Commit(t.Context(), big("bob/2")); !errors.Is(err, kv.ErrTooLarge) {
		t.Errorf("Commit = %v, want %v", err, kv.ErrTooLarge)
	}
	commit(t, store, big("carol/1"))
	if got := len(entries(t, store, "bob/")); got != 1 {
		t.Errorf("bob has %d entries, want 1", got)
	}
}

// TestBlobDamage: a blob that ends early is corrupt.
func TestBlobDamage(t *testing.T) {
	engine := memkv.New()
	commit(t, NewBlob(engine), putting("bob/a"))
	whole := entries(t, engine, "")[0].Value
	for n := 1; n < len(whole); n++ {
		if _, err := decodeBlob(kv.Entry{Value: whole[:n]}); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v, want %v", n, len(whole), err, kv.ErrCorrupt)
		}
	}
}

// TestBlobWatch: a watcher is told to look again.
func TestBlobWatch(t *testing.T) {
	store := NewBlob(memkv.New())
	v := commit(t, store, putting("bob/a"))
	for change, err := range store.Watch(t.Context(), "bob/", 0) {
		if err != nil || !change.Resync || change.Head != v {
			t.Errorf("the change is %+v, %v, want a resync at %d", change, err, v)
		}
		break
	}
}

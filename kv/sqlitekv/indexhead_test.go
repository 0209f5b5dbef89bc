package sqlitekv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// readsOf returns the version of a key's entry, and whether SQLite was asked for it.
func readsOf(t *testing.T, s *Store, key string) (version kv.Version, asked bool) {
	t.Helper()
	before := s.pool.readers.count
	snap := s.Snapshot()
	defer snap.Close()
	entries, err := snap.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0].Version, s.pool.readers.count != before
}

func wantRead(t *testing.T, when string, s *Store, want kv.Version, wantAsked bool) {
	t.Helper()
	if version, asked := readsOf(t, s, "a"); version != want || asked != wantAsked {
		t.Errorf("%s: version %d, SQLite was asked: %v; want %d, %v", when, version, asked, want, wantAsked)
	}
}

// TestReadsWithoutSQLite: what a process knows it reads again without SQLite as long as
// nobody commits, and no longer.
func TestReadsWithoutSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, other := openStore(t, path), openStore(t, path)
	wantRead(t, "before any commit", s, 0, true)
	wantRead(t, "again, and nothing has proved that the index shows commits", s, 0, true)
	commitTo(t, s, "a")
	wantRead(t, "after a commit of its own", s, 1, false)
	commitTo(t, other, "a")
	wantRead(t, "after one of another", s, 2, true)
	wantRead(t, "again", s, 2, false)
	commitTo(t, other, "b")
	wantRead(t, "after another of the other", s, 2, true)
	commitTo(t, other, "a")
	commitTo(t, s, "b") // which finds more than its own
	wantRead(t, "after commits of both", s, 4, true)
	wantRead(t, "and again", s, 4, false)
	commitTo(t, s, "a")
	wantRead(t, "after the last of its own", s, 6, false)

	x := &s.pool.index
	before := x.before(6)
	commitTo(t, other, "b")
	commitTo(t, other, "b")
	if x.committed(before, 7); x.look().known { // as if only one of them were there
		t.Error("a commit is taken for the newest, and another came meanwhile")
	}
	wantRead(t, "after them", s, 6, true)
}

// TestViewsWithoutSQLite: a view that began before a commit moves on as far as it may.
func TestViewsWithoutSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, other := openStore(t, path), openStore(t, path)
	commitTo(t, s, "a")
	readsOf(t, s, "a")
	readsOf(t, s, "b")
	snap := s.Snapshot()
	defer snap.Close()
	if version, err := snap.Version(t.Context()); version != 1 || err != nil {
		t.Fatalf("version %d, %v", version, err)
	}
	if entries, err := snap.Get(t.Context(), "a"); entries[0].Version != 1 || err != nil {
		t.Fatalf("%v, %v", entries, err)
	}
	commitTo(t, s, "b") // whose state is known, and another than the view's
	if entries, err := snap.Get(t.Context(), "b", "a"); entries[0].Version != 2 || entries[1].Version != 1 || err != nil {
		t.Errorf("%v, %v", entries, err)
	}
	commitTo(t, other, "a")
	if entries, err := snap.Get(t.Context(), "b"); err == nil {
		t.Errorf("a view that returned what was replaced went on: %v", entries)
	}
}

// TestIndexThatShowsNothing: where the file is not what SQLite has mapped it is not
// believed.
func TestIndexThatShowsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, other := openStore(t, path), openStore(t, path)
	still, err := os.ReadFile(path + indexSuffix)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "index")
	if err := os.WriteFile(elsewhere, still, 0o600); err != nil {
		t.Fatal(err)
	}
	x := &s.pool.index
	x.file.Close()
	if x.file, err = os.Open(elsewhere); err != nil {
		t.Fatal(err)
	}
	wantRead(t, "first", s, 0, true)
	commitTo(t, s, "a")
	if x.file != nil {
		t.Error("an index that did not show a commit is looked at")
	}
	wantRead(t, "after a commit", s, 1, true)
	commitTo(t, other, "a")
	wantRead(t, "after one of another", s, 2, true)
}

// TestIndexOfALastProcess: the file goes with the last who has the store open, and
// whoever comes back looks at the next.
func TestIndexOfALastProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	readsOf(t, s, "a")
	commitTo(t, s, "a")
	wantRead(t, "before a pause", s, 1, false)
	if err := s.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + indexSuffix); err == nil || s.pool.index.file != nil {
		t.Fatalf("the index is there after a pause: %v", err)
	}
	other := openStore(t, path)
	commitTo(t, other, "a")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	wantRead(t, "after the pause", s, 2, true)
	commitTo(t, s, "a")
	wantRead(t, "after a commit", s, 3, false)
}

package sqlitekv

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestRenamedWhileOpen: a store that is open is not opened under a new name, since
// what was committed may be in the log beside the old one. Once it is closed it is.
func TestRenamedWhileOpen(t *testing.T) {
	if !seesLocks {
		return
	}
	dir := t.TempDir()
	path, renamed := filepath.Join(dir, "store.db"), filepath.Join(dir, "renamed.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	if err := os.Rename(path, renamed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(renamed); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("under its new name: %v, want %v", err, kv.ErrUnusable)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, renamed)
	if got := string(getOne(t, s, "k").Value); got != "v" {
		t.Errorf("k is %q, want v", got)
	}
}

// TestLinkedWhileOpen: a name that the file had while it was open, and has alone
// now, is a new name too.
func TestLinkedWhileOpen(t *testing.T) {
	if !seesLocks {
		return
	}
	dir := t.TempDir()
	path, other := filepath.Join(dir, "store.db"), filepath.Join(dir, "other.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	if err := errors.Join(os.Link(path, other), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("under its other name: %v, want %v", err, kv.ErrUnusable)
	}
	if _, err := putOne(s, "k", "w", true); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("a commit under the first: %v, want %v", err, kv.ErrUnusable)
	}
}

// TestReplacedWhileOpen: what connects later does not read another store that is
// in the place of the first.
func TestReplacedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "store.db"), filepath.Join(dir, "other.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "first")
	o := openStore(t, other)
	mustPut(t, o, "k", "second")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Logf("files that were open are kept here: %v", err)
		return
	}
	if e, err := s.Snapshot().Get(t.Context(), "k"); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("reads %v, %v, want %v", e, err, kv.ErrUnusable)
	}
	if _, err := putOne(s, "k", "w", true); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("commits: %v, want %v", err, kv.ErrUnusable)
	}
}

// TestSpellings: two spellings of one name are one where the system says so.
func TestSpellings(t *testing.T) {
	if nameHash("1 2", "Store.db") != nameHash("1 2", "sTORE.DB") {
		t.Error("upper and lower case are two names")
	}
	for _, other := range [][2]string{{"1 3", "store.db"}, {"2 2", "store.db"}, {"1 2", "store2.db"}} {
		if nameHash("1 2", "store.db") == nameHash(other[0], other[1]) {
			t.Errorf("%q is taken for another name", other)
		}
	}
}

// TestLinkReplacedWhileOpen: a store stays where its name led when it was opened.
func TestLinkReplacedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	one, two, link := filepath.Join(dir, "one.db"), filepath.Join(dir, "two.db"), filepath.Join(dir, "link.db")
	if err := os.Symlink("one.db", link); err != nil {
		t.Logf("no links here: %v", err)
		return
	}
	mustPut(t, openStore(t, two), "k", "two")
	openStore(t, one)
	s := openStore(t, link)
	mustPut(t, s, "k", "one")
	if err := errors.Join(os.Remove(link), os.Symlink("two.db", link)); err != nil {
		t.Fatal(err)
	}
	if err := s.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "other", "one")
	for path, want := range map[string]string{one: "one", link: "two", two: "two"} {
		if got := string(getOne(t, openStore(t, path), "k").Value); got != want {
			t.Errorf("in %s k is %q, want %q", filepath.Base(path), got, want)
		}
	}
}

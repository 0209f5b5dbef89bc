package badgerkv_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestCopiedByHardLinks: a directory whose files are another's too is refused, and
// so is that one, whether a process has it open or not: both would write in the
// same manifest and logs.
func TestCopiedByHardLinks(t *testing.T) {
	dir := newDir(t)
	copied := dir + "-copied"
	store := open(t, dir)
	put(t, store, "k", "v")
	link := func() {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err == nil {
			err = os.Mkdir(copied, 0o700)
		}
		for _, e := range entries {
			if e.Type().IsRegular() {
				err = errors.Join(err, os.Link(filepath.Join(dir, e.Name()), filepath.Join(copied, e.Name())))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(path string) {
		t.Helper()
		if store, err := badgerkv.Open(path); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("%s: %v, %v; want %v", filepath.Base(path), store, err, kv.ErrUnusable)
		}
	}
	link()
	refused(copied)
	if got := get(t, store, "k"); string(got.Value) != "v" {
		t.Errorf("k is %q, want v", got.Value)
	}
	mustClose(t, store)
	refused(dir)
	if err := os.RemoveAll(copied); err != nil {
		t.Fatal(err)
	}
	mustClose(t, open(t, dir))
	link()
	if err := os.Remove(filepath.Join(copied, "pawl.lock")); err != nil { // a copy that leaves it out
		t.Fatal(err)
	}
	refused(dir)
	refused(copied)
	if err := os.RemoveAll(copied); err != nil {
		t.Fatal(err)
	}
	if got := get(t, open(t, dir), "k"); string(got.Value) != "v" {
		t.Errorf("k is %q after all that, want v", got.Value)
	}
}

// TestLinkReplaced: a store is where its name led when it was opened, and all
// names of a directory lead to one store with one witness.
func TestLinkReplaced(t *testing.T) {
	one := newDir(t)
	two, link := one+"-two", one+"-link"
	t.Cleanup(func() { os.RemoveAll(two) })
	put(t, open(t, two), "k", "two")
	first := open(t, one)
	put(t, first, "k", "zero")
	if err := os.Symlink(one, link); err != nil {
		t.Logf("no links here: %v", err)
		return
	}
	s := open(t, link)
	put(t, s, "k", "one")
	if err := errors.Join(os.Remove(link), os.Symlink(two, link)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, first)
	put(t, s, "other", "one") // whoever owns it now
	for path, want := range map[string]string{one: "one", link: "two", two: "two"} {
		if got := string(get(t, open(t, path), "k").Value); got != want {
			t.Errorf("in %s k is %q, want %q", filepath.Base(path), got, want)
		}
	}
	for path, to := range map[string]string{one + "-gone": one + "-none", one + "-self": one + "-self"} {
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		if store, err := badgerkv.Open(path); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("%s: %v, %v; want %v", filepath.Base(path), store, err, kv.ErrUnusable)
		}
	}
	if _, err := os.Stat(one + "-none"); err == nil {
		t.Error("where a link leads nowhere a store was made")
	}
}

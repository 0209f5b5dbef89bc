package idbkv

import (
	"context"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestSuperseded: another program changes the object stores, or deletes the database.
func TestSuperseded(t *testing.T) {
	for _, c := range []struct {
		what string
		by   func(t *testing.T, name string)
		want error
	}{
		{"a newer program", func(t *testing.T, name string) { bare(t, name, layout+1) }, kv.ErrSuperseded},
		{"deletion", func(t *testing.T, name string) { indexedDB.Call("deleteDatabase", name) }, kv.ErrDeleted},
	} {
		name := newName()
		s := openAs(t, name)
		commits(t, s, puts("k", "1"))
		watched := make(chan error, 1)
		go func() {
			for _, err := range s.Watch(context.Background(), "", 0) {
				if err != nil {
					watched <- err
				}
			}
		}()
		let := later(t, "complete")
		running := inBackground(t.Context(), s, puts("k", "2"))
		arrived(t)
		c.by(t, name)
		let()
		if err := <-running; err != nil {
			t.Errorf("%s: the commit under way: %v, want it to end as it would", c.what, err)
		}
		if err := <-watched; !errors.Is(err, c.want) {
			t.Errorf("%s: a watch: %v, want %v", c.what, err, c.want)
		}
		if _, err := s.Commit(t.Context(), puts("k", "3")); !errors.Is(err, c.want) || !errors.Is(err, kv.ErrClosed) {
			t.Errorf("%s: a commit after it: %v, want %v", c.what, err, c.want)
		}
		if _, err := s.Turn(t.Context(), "k"); !errors.Is(err, c.want) {
			t.Errorf("%s: a turn after it: %v, want %v", c.what, err, c.want)
		}
	}
}

// TestBlockedOpen: another tab does not let go of the database. The open ends at its
// deadline; granted later, it changes nothing.
func TestBlockedOpen(t *testing.T) {
	name := newName()
	s := openAs(t, name)
	commits(t, s, puts("k", "1"))
	s.Close()
	other := bare(t, name)
	newer := func(set *settings) { set.layout = layout + 1 }
	if _, err := Open(t.Context(), name, newer, WithWait(short)); !errors.Is(err, kv.ErrInUse) {
		t.Errorf("a blocked open: %v, want %v", err, kv.ErrInUse)
	}
	other.Call("close")
	if version := bare(t, name).Get("version").Int(); version != layout {
		t.Errorf("the database has version %d, want %d", version, layout)
	}
	if got := valueOf(t, openAs(t, name), "k"); got != "1" {
		t.Errorf("k is %q, want 1", got)
	}
}

// TestForeign: what is no store, or one of a newer program, is left as it is.
func TestForeign(t *testing.T) {
	name := newName()
	bare(t, name).Call("close") // version 1, and empty
	if _, err := Open(t.Context(), name); !errors.Is(err, kv.ErrForeign) {
		t.Errorf("a database of somebody else: %v, want %v", err, kv.ErrForeign)
	}
	name = newName()
	bare(t, name, 7).Call("close")
	if _, err := Open(t.Context(), name); !errors.Is(err, kv.ErrForeign) {
		t.Errorf("one of a higher version: %v, want %v", err, kv.ErrForeign)
	}
	name = newName()
	openAs(t, name).Close()
	bare(t, name, layout+1).Call("close")
	if _, err := Open(t.Context(), name); !errors.Is(err, kv.ErrNewer) {
		t.Errorf("a store of a newer program: %v, want %v", err, kv.ErrNewer)
	}
}

// TestFormats: a newer program works in the older format while an older one has the store
// open, in whichever order they come; then the older one is refused.
func TestFormats(t *testing.T) {
	const newest = kv.NewestFormat + 1
	newer := func(set *settings) { set.format = newest }
	for _, first := range []string{"older", "newer"} {
		name := newName()
		var old, young *Store
		if first == "older" {
			old = openAs(t, name)
			young = openAs(t, name, newer)
		} else {
			young = openAs(t, name, newer)
			old = openAs(t, name)
		}
		if format, err := young.Raise(t.Context()); err != nil || format != kv.NewestFormat {
			t.Errorf("%s first: raised to %d, %v, while both are open", first, format, err)
		}
		commits(t, young, puts("young", "1"))
		commits(t, old, puts("old", "1"))
		old.Close()
		if format, err := young.Raise(t.Context()); err != nil || format != newest {
			t.Errorf("%s first: raised to %d, %v, want %d", first, format, err, newest)
		}
		if _, err := Open(t.Context(), name); !errors.Is(err, kv.ErrNewer) {
			t.Errorf("%s first: the older program opens it: %v, want %v", first, err, kv.ErrNewer)
		}
		if got := valueOf(t, young, "old"); got != "1" {
			t.Errorf("%s first: old is %q, want 1", first, got)
		}
	}
}

package etcdtest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

// TestNames: stores are listed, get other names with all that is in them and its versions,
// and are removed; others stay as they are, and so do keys of others.
func TestNames(t *testing.T) {
	EachInFull(t, func(t *testing.T, server Server) {
		c, ctx := Start(t, server, 1), t.Context()
		db, client := open(t, c), c.Connect(t)
		for _, key := range []string{"a", "ab\x00", "b\x00x"} {
			if _, err := client.Put(ctx, key, "another's"); err != nil {
				t.Fatal(err)
			}
		}
		first := storeOf(t, db, "a.copying-1")
		version := mustPut(t, first, "k", "1")
		mustPut(t, storeOf(t, db, "a.other"), "k", "other")
		wantNames(t, db, "a", "a.copying-1", "a.other")
		for _, to := range []string{"a.moved-1", "a.last"} {
			from := "a.copying-1"
			if to == "a.last" {
				from = "a.moved-1"
			}
			if err := db.Rename(ctx, from, to); err != nil {
				t.Fatal(err)
			}
			var want error // only the name that it was made under is not free
			if from == "a.copying-1" {
				want = kv.ErrInvalid
			}
			if there, err := db.Exists(ctx, from); there || !errors.Is(err, want) {
				t.Errorf("%s, which is %s now, exists: %v, %v", from, to, there, err)
			}
			wantNames(t, db, "a.", slices.Sorted(slices.Values([]string{"a.other", to}))...)
			s := storeOf(t, open(t, c), to)
			if e := get(t, s, "k"); string(e.Value) != "1" || e.Version != version {
				t.Errorf("%s holds %q of version %d, want 1 of %d", to, e.Value, e.Version, version)
			}
		}
		mustPut(t, storeOf(t, db, "a.last"), "l", "2")
		if e := get(t, first, "l"); string(e.Value) != "2" {
			t.Errorf("who had it open before it was renamed reads %q", e.Value)
		}
		if there, err := db.Exists(ctx, "ab"); there || !errors.Is(err, kv.ErrForeign) {
			t.Errorf("a place with a key of others: %v, %v", there, err)
		}
		if _, err := db.Store(ctx, "a.copying-1"); !errors.Is(err, kv.ErrInvalid) {
			t.Errorf("opening by the name that it was made under: %v, want %v", err, kv.ErrInvalid)
		}
		for to, from := range map[string]string{
			"a.last": "a.other", "a.copying-1": "a.last", "ab": "a.last", "none": "a.moved-1", "": "a.last", "x": "\x00",
		} {
			if err := db.Rename(ctx, from, to); !errors.Is(err, kv.ErrInvalid) {
				t.Errorf("renaming %q to %q: %v, want %v", from, to, err, kv.ErrInvalid)
			}
		}
		if err := db.Remove(ctx, "a.last"); err != nil {
			t.Fatal(err)
		}
		if err := db.Remove(ctx, "a.last"); err != nil {
			t.Errorf("removing it again: %v", err)
		}
		wantNames(t, db, "", "a.other")
		left, err := client.Get(ctx, "a", clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range left.Kvs {
			if key := string(one.Key); key != "a" && key != "ab\x00" && !strings.HasPrefix(key, "a.other\x00") {
				t.Errorf("the key %q is left", key)
			}
		}
		if e := get(t, storeOf(t, db, "a.copying-1"), "k"); e.Exists() {
			t.Errorf("a removed store holds %q", e.Value)
		}
	})
}

func wantNames(t *testing.T, db *etcdkv.Database, prefix string, want ...string) {
	t.Helper()
	if got, err := db.Names(t.Context(), prefix); err != nil || !slices.Equal(got, want) {
		t.Errorf("stores with %q: %q, %v; want %q", prefix, got, err, want)
	}
}

// TestExisting: a database without a store can be left without one; a name that leads
// nowhere is damage.
func TestExisting(t *testing.T) {
	c := Start(t, Newest(), 1)
	db, client := open(t, c, etcdkv.WithExisting()), c.Connect(t)
	if _, err := db.Store(t.Context(), "a"); !errors.Is(err, etcdkv.ErrNoStore) {
		t.Errorf("open: %v, want %v", err, etcdkv.ErrNoStore)
	}
	wantNames(t, db, "")
	for _, to := range []string{"b", "a\x00"} {
		if _, err := client.Put(t.Context(), "a\x00n", to); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Store(t.Context(), "a"); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("a name that leads to %q: %v, want %v", to, err, kv.ErrCorrupt)
		}
	}
}

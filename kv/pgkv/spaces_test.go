//go:build linux || darwin

package pgkv_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// TestSpaces: spaces are listed, get other names with all that is in them, and are
// removed; others stay as they are.
func TestSpaces(t *testing.T) {
	ctx, db := t.Context(), openDB(t, pgkv.WithSchema("spaces"))
	for _, name := range []string{"b", "a%_", "a%_1", "ab"} {
		mustCommit(t, db.Store(name), put(0, "k", name))
	}
	if got, err := db.Spaces(ctx, "a%_"); err != nil || !slices.Equal(got, []string{"a%_", "a%_1"}) {
		t.Errorf("spaces %q, %v", got, err)
	}
	if _, err := db.Store("empty").Turn(ctx, "k"); err != nil { // makes the row
		t.Fatal(err)
	}
	if err := db.Rename(ctx, "b", "empty"); err != nil {
		t.Errorf("the name of a space that holds nothing: %v", err)
	}
	if e := read(t, db.Store("empty"), "k"); string(e.Value) != "b" {
		t.Errorf("the renamed space holds %q", e.Value)
	}
	for to, from := range map[string]string{"ab": "empty", "c": "none", "": "ab"} {
		if err := db.Rename(ctx, from, to); !errors.Is(err, kv.ErrInvalid) {
			t.Errorf("renaming %q to %q: %v, want %v", from, to, err, kv.ErrInvalid)
		}
	}
	if err := db.Remove(ctx, "a%_"); err != nil {
		t.Fatal(err)
	}
	if e := read(t, db.Store("a%_"), "k"); e.Exists() {
		t.Errorf("a removed space holds %q", e.Value)
	}
	if got, err := db.Spaces(ctx, ""); err != nil || !slices.Equal(got, []string{"a%_1", "ab", "empty"}) {
		t.Errorf("spaces %q, %v", got, err)
	}
}

// TestExistingSchema: a database without a schema can be left without one.
func TestExistingSchema(t *testing.T) {
	s := server.Get(t)
	pool := openPool(t, s.URL(pgtest.Superuser, "postgres"), nil)
	if _, err := pgkv.Open(t.Context(), pool, pgkv.WithSchema("not_there"), pgkv.WithExisting()); !errors.Is(err, pgkv.ErrNoSchema) {
		t.Errorf("open: %v, want %v", err, pgkv.ErrNoSchema)
	}
	s.Await(t, "SELECT to_regnamespace('not_there') IS NULL")
}

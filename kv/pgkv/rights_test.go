//go:build linux || darwin

package pgkv_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
)

// grants are the rights that docs/postgresql.md lists, for one who uses a schema that
// somebody else has made.
func grants(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/postgresql.md")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^GRANT [^;]*;$`).FindAllString(string(page), -1)
	if len(all) == 0 {
		t.Fatal("docs/postgresql.md lists no rights")
	}
	return all
}

// TestLeastRights: the rights that the document lists are enough for all that a store
// does, and without any one of them something fails, with that for a reason.
func TestLeastRights(t *testing.T) {
	s := server.Get(t)
	openDB(t) // makes the schema
	list := grants(t)
	s.SQL(t, "CREATE ROLE app LOGIN")
	s.SQL(t, list...)
	db, err := pgkv.Open(t.Context(), openPool(t, s.URL("app", "postgres"), nil), pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := everything(t, db); err != nil {
		t.Fatalf("with all rights: %v", err)
	}
	if _, err := pgkv.Open(t.Context(), openPool(t, s.URL("app", "postgres"), nil), pgkv.WithSchema("another")); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("making a schema without the right to: %v, want %v", err, kv.ErrUnusable)
	}
	for _, grant := range list {
		revoke := strings.Replace(strings.Replace(grant, "GRANT", "REVOKE", 1), " TO ", " FROM ", 1)
		s.SQL(t, revoke)
		db, err := pgkv.Open(t.Context(), openPool(t, s.URL("app", "postgres"), nil), pgkv.WithWitnesses(""))
		if err == nil {
			err = everything(t, db)
			_ = db.Close()
		}
		if !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("after %s: %v, want %v", revoke, err, kv.ErrUnusable)
		}
		s.SQL(t, grant)
	}
}

// everything does all that needs rights.
func everything(t *testing.T, db *pgkv.DB) error {
	t.Helper()
	store := db.Store(aSpace(t))
	defer store.Close()
	ctx := t.Context()
	turn, err := store.Turn(ctx, "k")
	if err != nil {
		return err
	}
	b := put(0, "k", "1")
	b.Turn = turn.ID
	version, err := store.Commit(ctx, b)
	if err != nil {
		return err
	}
	turn.Release()
	gone := put(version, "k", "")
	gone.Writes[0].Delete = true
	if _, err := store.Commit(ctx, gone); err != nil {
		return err
	}
	if _, err := store.Commit(ctx, &kv.Batch{Reads: []kv.Read{{Key: "k"}}}); err != nil {
		return err
	}
	for change, err := range store.Watch(ctx, "k", 0) {
		if err != nil {
			return err
		}
		if change.Version == 0 {
			break
		}
	}
	for _, err := range store.Snapshot().Scan(ctx, "") {
		if err != nil {
			return err
		}
	}
	if err := db.Trim(ctx, store); err != nil {
		return err
	}
	store.Close()
	space, to := aSpace(t), aSpace(t)
	if _, err := db.Store(space).Commit(ctx, put(0, "k", "1")); err != nil {
		return err
	}
	return errors.Join(db.Rename(ctx, space, to), db.Remove(ctx, to))
}

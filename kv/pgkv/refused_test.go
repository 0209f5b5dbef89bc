//go:build linux || darwin

package pgkv_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// TestNotLetIn: a server that does not let somebody in, or that is not there, says so at
// opening, in words that name no password.
func TestNotLetIn(t *testing.T) {
	s := server.Get(t)
	for url, want := range map[string]error{
		s.URL("nobody_at_all", "postgres"):                          kv.ErrUnusable,    // 28000
		s.URL(pgtest.Superuser, "no_such_database"):                 kv.ErrUnusable,    // 3D000
		"postgres://u:s3cret@/d?host=" + s.Dir() + "/not_there":     kv.ErrUnavailable, // no socket
		"postgres://u:s3cret@/d?host=" + s.Dir() + "&port=1":        kv.ErrUnavailable, // another
		"postgres://nobody_at_all:s3cret@/postgres?host=" + s.Dir(): kv.ErrUnusable,
	} {
		_, err := pgkv.Open(t.Context(), openPool(t, url, nil))
		if !errors.Is(err, want) || bytes.Contains([]byte(err.Error()), []byte("s3cret")) {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
}

// TestNoAnswer: a server that does not answer in time leaves a commit unknown.
func TestNoAnswer(t *testing.T) {
	space := aSpace(t)
	patient := openDB(t).Store(space)
	first := mustCommit(t, patient, put(0, "k", "1"))
	store := openDB(t, pgkv.WithWait(300*time.Millisecond)).Store(space)
	for err := kv.ErrUnavailable; err != nil; { // until it is connected: a machine may be busy for so long
		if _, err = store.Commit(t.Context(), &kv.Batch{Reads: []kv.Read{{Key: "k", Version: first}}}); err != nil && !errors.Is(err, kv.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	tx, err := server.Get(t).Connect(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM pawl.spaces WHERE name = $1 FOR NO KEY UPDATE`, space); err != nil {
		t.Fatal(err)
	}
	b := put(first, "k", "2")
	_, err = store.Commit(t.Context(), b)
	wantOutcome(t, "a commit without an answer", err, kv.Unknown, "after the statement was sent")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Again = true
	if version := mustCommit(t, patient, b); version != first+1 {
		t.Errorf("the identical batch: version %d, want %d", version, first+1)
	}
}

// TestSchemaGone: what is missing of the schema is told, and nothing is applied.
func TestSchemaGone(t *testing.T) {
	s := server.Get(t)
	store := openDB(t, pgkv.WithSchema("gone")).Store("s")
	mustCommit(t, store, put(0, "k", "1"))
	for _, c := range []struct{ drop, says string }{
		{"ALTER FUNCTION gone.commit RENAME TO other", "42883"},
		{"ALTER FUNCTION gone.other RENAME TO commit; DROP TABLE gone.ids", "42P01"},
		{"DROP SCHEMA gone CASCADE", "3F000"},
	} {
		s.SQL(t, strings.Split(c.drop, "; ")...)
		_, err := store.Commit(t.Context(), put(1, "k", "2"))
		wantOutcome(t, c.drop, err, kv.NotApplied, c.says)
		if !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("%s: %v, want %v", c.drop, err, kv.ErrUnusable)
		}
	}
}

// TestDamagedPage: where the server finds that what it stores is damaged, reads and
// commits that meet it say so, and others go on.
func TestDamagedPage(t *testing.T) {
	s := pgtest.Start(t)
	db := openOn(t, s)
	store := db.Store("s")
	first := mustCommit(t, store, put(0, "k", "1"))
	conn, file := s.Connect(t), ""
	if err := conn.QueryRow(t.Context(), "SELECT pg_relation_filepath('pawl.entries')").Scan(&file); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(context.Background())
	s.Stop(syscall.SIGINT)
	path := filepath.Join(s.Dir(), "data", file)
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(bytes.Repeat([]byte{0x5a}, 8192), page[8192:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Begin(t)
	var got error
	for { // connections from before the stop end first
		snapshot := store.Snapshot()
		_, got = snapshot.Get(t.Context(), "k")
		snapshot.Close()
		if !errors.Is(got, kv.ErrUnavailable) {
			break
		}
	}
	if !errors.Is(got, kv.ErrCorrupt) {
		t.Errorf("a read of a damaged page: %v, want %v", got, kv.ErrCorrupt)
	}
	_, err = store.Commit(t.Context(), put(first, "l", "2", kv.Read{Key: "k", Version: first}))
	wantOutcome(t, "a commit that checks what is damaged", err, kv.NotApplied, "XX001")
	if !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a commit that checks what is damaged: %v, want %v", err, kv.ErrCorrupt)
	}
	if head, err := store.Snapshot().Version(t.Context()); err != nil || head != first {
		t.Errorf("the version of the space: %d, %v, want %d", head, err, first)
	}
}

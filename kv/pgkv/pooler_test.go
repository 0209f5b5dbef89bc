//go:build linux || darwin

package pgkv_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// TestPooler: a pooler that gives each transaction another session changes nothing: all
// that several stores of one space promise each other holds, with fewer sessions at the
// server than there are clients.
func TestPooler(t *testing.T) {
	pooler := server.Get(t).Pool(t, 3)
	t.Log(pooler.Version())
	direct, err := pgx.ParseConfig(server.Get(t).URL(pgtest.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(t testing.TB, dir string) kv.Store {
		db, err := pgkv.Open(t.Context(), openPool(t, pooler.URL(), nil), pgkv.WithWitnesses(""),
			pgkv.WithSchema("few_ids"), pgkv.WithCommitIDs(fewIDs), pgkv.WithListener(direct))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db.Store(spaceIn(dir))
	}
	kvtest.RunShared(t, open, kvtest.CommitIDs(fewIDs))
	kvtest.RunReopen(t, open, kvtest.CommitIDs(fewIDs))
}

// TestPoolerRestarted: a pooler that is killed while commits are on their way leaves
// them unknown, and each is applied once in the end; without a connection of its own for
// notifications who watches looks by himself.
func TestPoolerRestarted(t *testing.T) {
	pooler := server.Get(t).Pool(t, 2)
	db, err := pgkv.Open(t.Context(), openPool(t, pooler.URL(), nil), pgkv.WithWitnesses(""), pgkv.WithPoll(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	space := aSpace(t)
	store := db.Store(space)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	version := mustCommit(t, store, put(0, "k", "0"))
	told := watching(ctx, openDB(t, pgkv.WithPoll(20*time.Millisecond)).Store(space), 0)
	for range 3 {
		holder, look := server.Get(t).Connect(t), server.Get(t).Connect(t)
		tx, err := holder.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, `SELECT FROM pawl.spaces WHERE name = $1 FOR NO KEY UPDATE`, space); err != nil {
			t.Fatal(err)
		}
		b := put(version, "k", "1", kv.Read{Key: "k", Version: version})
		done := begin(ctx, store, b)
		awaitLocked(t, look, "commit")
		pooler.Stop()
		wantOutcome(t, "a commit through a pooler that was killed", (<-done).err, kv.Unknown, "")
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		pooler.Begin(t)
		b.Again = true
		if next := mustCommit(t, store, b); next != version+1 {
			t.Errorf("the identical batch: version %d, want %d", next, version+1)
		}
		version++
		wantTold(t, told, "k", version)
	}
}

// TestPoolerCrashes: a pooler that ends by itself is replaced in tests, and who was served
// by it is served again.
func TestPoolerCrashes(t *testing.T) {
	pooler := server.Get(t).Pool(t, 2)
	db, err := pgkv.Open(t.Context(), openPool(t, pooler.URL(), nil), pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store(aSpace(t))
	version := mustCommit(t, store, put(0, "k", "1"))
	pooler.Crash(t)
	view := store.Snapshot()
	defer view.Close()
	for {
		entries, err := view.Get(t.Context(), "k")
		if errors.Is(err, kv.ErrUnavailable) {
			continue // connections of the pooler that is gone
		}
		if err != nil || entries[0].Version != version {
			t.Fatalf("a read through another pooler: %v, %v; want version %d", entries, err, version)
		}
		return
	}
}

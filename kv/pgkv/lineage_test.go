//go:build linux || darwin

package pgkv_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
	"github.com/pawlkv/pawl/kv/witness"
)

// address is a place to which clients connect, whichever server is there: what a
// failover moves.
type address struct{ server atomic.Pointer[pgtest.Server] }

// pool returns connections to the server that is at the address now.
func (a *address) pool(t *testing.T) *pgxpool.Pool {
	return openPool(t, a.server.Load().URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(a.server.Load().Dir(), ".s.PGSQL.5432"))
		}
	})
}

func (a *address) open(t *testing.T, pool *pgxpool.Pool, options ...pgkv.Option) *pgkv.DB {
	t.Helper()
	db, err := pgkv.Open(t.Context(), pool, append([]pgkv.Option{pgkv.WithWitnesses("")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// mark is that of a store in its first generation.
func mark(generation uint64, head kv.Version) witness.Mark {
	return witness.Mark{Store: witness.StoreID{1}, Generation: generation, Head: head}
}

// TestPromotedTimeline: a standby that was promoted is another server. Stores that were
// open do not commit to it, and one that is opened is told so by its witness; once that
// was accepted all goes on.
func TestPromotedTimeline(t *testing.T) {
	primary := pgtest.Start(t)
	var at address
	at.server.Store(primary)
	pool := at.pool(t)
	db := at.open(t, pool)
	running := db.Store("s")
	mustCommit(t, running, put(0, "k", "1"))
	if _, err := running.Witness().Load(t.Context()); !errors.Is(err, witness.ErrNone) {
		t.Fatalf("the mark of a new space: %v, want %v", err, witness.ErrNone)
	}
	if err := running.Witness().Save(t.Context(), mark(1, 1)); err != nil {
		t.Fatal(err)
	}
	standby := primary.Standby(t)
	standby.Await(t, "SELECT EXISTS (SELECT FROM pawl.spaces WHERE mark_generation = 1)")
	primary.Stop(syscall.SIGINT)
	standby.Promote(t)
	at.server.Store(standby)
	pool.Reset()

	_, err := running.Commit(t.Context(), put(1, "k", "2"))
	wantOutcome(t, "a commit of a store that was open", err, kv.NotApplied, "promoted")
	if e := read(t, running, "k"); string(e.Value) != "1" {
		t.Errorf("reading does not go on: %q", e.Value)
	}
	opened := db.Store("s")
	_, err = opened.Commit(t.Context(), put(1, "k", "2"))
	wantOutcome(t, "a commit of a store whose witness was not asked", err, kv.NotApplied, "promoted")
	m, err := opened.Witness().Load(t.Context())
	if !errors.Is(err, witness.ErrCopied) || m.Generation != 1 || m.Store != (witness.StoreID{1}) {
		t.Errorf("the mark on the promoted server: %+v, %v, want that of before, copied", m, err)
	}
	mustCommit(t, opened, put(1, "k", "2"))
	if err := opened.Witness().Save(t.Context(), mark(2, 2)); err != nil {
		t.Fatal(err)
	}
	later := db.Store("s")
	if m, err := later.Witness().Load(t.Context()); err != nil || m.Generation != 2 {
		t.Errorf("the mark once it was accepted: %+v, %v", m, err)
	}
	mustCommit(t, later, put(2, "k", "3"))
	_, err = running.Commit(t.Context(), put(2, "k", "4"))
	wantOutcome(t, "a commit of the store from before, after all that", err, kv.NotApplied, "promoted")
}

// TestSynchronousSpace: a space in synchronous mode is committed to while the server
// waits for standbys, and goes on where one of those was promoted.
func TestSynchronousSpace(t *testing.T) {
	primary := pgtest.Start(t)
	var at address
	at.server.Store(primary)
	pool := at.pool(t)
	db := at.open(t, pool, pgkv.WithMode(pgkv.Synchronous))
	store := db.Store("s")
	_, err := store.Commit(t.Context(), put(0, "k", "1"))
	wantOutcome(t, "a commit to a server without standbys", err, kv.NotApplied, "does not wait for standbys")
	asynchronous := at.open(t, pool).Store("other")
	mustCommit(t, asynchronous, put(0, "k", "1"))
	err = asynchronous.SetMode(t.Context(), pgkv.Synchronous)
	wantOutcome(t, "the other mode on a server without standbys", err, kv.NotApplied, "does not wait for standbys")

	standby := primary.Standby(t)
	primary.SQL(t, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	primary.Await(t, "SELECT current_setting('synchronous_standby_names') = '*'")
	mustCommit(t, store, put(0, "k", "1"))
	if err := store.Witness().Save(t.Context(), mark(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := asynchronous.SetMode(t.Context(), pgkv.Synchronous); err != nil {
		t.Fatal(err)
	}
	primary.Stop(syscall.SIGQUIT)
	standby.Promote(t)
	standby.SQL(t, "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
	standby.Await(t, "SELECT current_setting('synchronous_standby_names') = ''")
	at.server.Store(standby)
	pool.Reset()
	if e := read(t, store, "k"); string(e.Value) != "1" {
		t.Errorf("what was acknowledged is lost: %q", e.Value)
	}
	if m, err := db.Store("s").Witness().Load(t.Context()); err != nil || m.Generation != 1 {
		t.Errorf("the mark on the promoted standby: %+v, %v", m, err)
	}
	_, err = store.Commit(t.Context(), put(1, "k", "2"))
	wantOutcome(t, "a commit to the promoted server, which waits for none", err, kv.NotApplied, "does not wait for standbys")
}

// TestRestoredDump: a dump that was restored is a store that went back in time: it is
// read, and nothing is sent from it before it was recovered.
func TestRestoredDump(t *testing.T) {
	primary := pgtest.Start(t)
	var at address
	at.server.Store(primary)
	pool := at.pool(t)
	db := at.open(t, pool)
	key := pawl.WithKey([32]byte{1})
	store, err := pawl.Open(t.Context(), db.Store("alice"), key)
	if err != nil {
		t.Fatal(err)
	}
	alice, err := store.OpenOrCreate(t.Context(), "@alice:example.org", "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	dump := primary.Dump(t)
	if _, err := alice.KeysForUpload(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	another := pgtest.Start(t)
	another.Restore(t, dump)
	at.server.Store(another)
	pool.Reset()
	if _, err := alice.KeysForUpload(t.Context(), 5); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("keys from a store that was open: %v, want %v", err, kv.ErrUnusable)
	}
	store, err = pawl.Open(t.Context(), db.Store("alice"), key)
	if err != nil {
		t.Fatal(err)
	}
	alice, err = store.OpenOrCreate(t.Context(), "@alice:example.org", "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.KeysForUpload(t.Context(), 5); !errors.Is(err, pawl.ErrNeedsRecovery) {
		t.Errorf("keys from a restored dump: %v, want %v", err, pawl.ErrNeedsRecovery)
	}
}

// TestStandbyThatWasBehind: where the server lost commits that this process, or this
// machine, has seen, the witness says so, also without another timeline.
func TestStandbyThatWasBehind(t *testing.T) {
	space, dir := aSpace(t), t.TempDir()
	for name, next := range map[string]func(*pgkv.DB) *pgkv.DB{
		"the process's memory": func(same *pgkv.DB) *pgkv.DB { return same },
		"the machine's file":   func(*pgkv.DB) *pgkv.DB { return openDB(t, pgkv.WithWitnesses(dir)) },
	} {
		db := openDB(t, pgkv.WithWitnesses(dir))
		store := db.Store(space)
		mustCommit(t, store, put(0, "k", "1"))
		for _, m := range []witness.Mark{mark(1, 1), mark(1, 17)} {
			if err := store.Witness().Save(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := next(db).Store(space).Witness().Load(t.Context()); err != nil || m != mark(1, 17) {
			t.Errorf("%s: mark %+v, %v, want the newest head that was seen", name, m, err)
		}
	}
}

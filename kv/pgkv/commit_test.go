//go:build linux || darwin

package pgkv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// outcome is what a commit came to.
type outcome struct {
	version kv.Version
	err     error
}

// begin makes a commit in a goroutine of its own.
func begin(ctx context.Context, s kv.Store, b *kv.Batch) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		version, err := s.Commit(ctx, b)
		done <- outcome{version, err}
	}()
	return done
}

// awaitLocked returns when a statement of a function waits for a lock.
func awaitLocked(t *testing.T, conn *pgx.Conn, function string) {
	t.Helper()
	waits := false
	for late := time.Now().Add(time.Minute); !waits; {
		if time.Now().After(late) {
			t.Fatalf("no call of %s waits for a lock", function)
		}
		err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1)",
			"%"+function+"%").Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestChecksAfterTheLock: a commit that has waited for another one checks the state that
// this one has left, and not that from before the wait.
func TestChecksAfterTheLock(t *testing.T) {
	space := aSpace(t)
	s := openDB(t).Store(space)
	first := mustCommit(t, s, put(0, "k", "1"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	other, look := server.Get(t).Connect(t), server.Get(t).Connect(t)
	tx, err := other.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) {
		t.Helper()
		if _, err := tx.Exec(ctx, statement, space); err != nil {
			t.Fatal(err)
		}
	}
	exec(`SELECT FROM pawl.spaces WHERE name = $1 FOR NO KEY UPDATE`)
	done := begin(ctx, s, put(first, "l", "late", kv.Read{Key: "k", Version: first}))
	awaitLocked(t, look, "commit")
	exec(`UPDATE pawl.entries e SET version = 2, value = '2' FROM pawl.spaces s WHERE s.name = $1 AND e.space = s.id`)
	exec(`INSERT INTO pawl.changes SELECT s.id, 2, ARRAY['k'::bytea], '{}' FROM pawl.spaces s WHERE s.name = $1`)
	exec(`UPDATE pawl.spaces SET head = 2 WHERE name = $1`)
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	stale, ok := errors.AsType[*kv.ConflictError]((<-done).err)
	if !ok || len(stale.Keys) != 1 || stale.Keys[0] != "k" {
		t.Errorf("a commit whose read was changed while it waited: %v, want a conflict of k", stale)
	}
	if e := read(t, s, "l"); e.Exists() {
		t.Errorf("the refused commit has written %+v", e)
	}
}

// stopping is a connection whose next commit goes out in part, and the rest when it is
// told to go on: a process that is stopped between two writes.
type stopping struct {
	net.Conn
	gate *gate
}

type gate struct {
	mu      sync.Mutex
	part    func(size int) int // of the next commit; nil: all of it
	stopped chan int           // how much has gone out
	goOn    chan struct{}
}

// Write implements net.Conn.
func (c stopping) Write(b []byte) (int, error) {
	c.gate.mu.Lock()
	part := c.gate.part
	if part == nil || !bytes.Contains(b, []byte(".commit(")) {
		c.gate.mu.Unlock()
		return c.Conn.Write(b)
	}
	c.gate.part = nil
	c.gate.mu.Unlock()
	n, err := c.Conn.Write(b[:part(len(b))])
	if err != nil {
		return n, err
	}
	c.gate.stopped <- n
	<-c.gate.goOn
	rest, err := c.Conn.Write(b[n:])
	return n + rest, err
}

// TestStoppedClient: wherever a client is stopped in the bytes of a commit, others
// commit in the same space, and it goes on when it does.
func TestStoppedClient(t *testing.T) {
	g := &gate{stopped: make(chan int), goOn: make(chan struct{})}
	pool := openPool(t, server.Get(t).URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) {
		c.MaxConns = 1
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return stopping{conn, g}, err
		}
	})
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	space := aSpace(t)
	frozen, others := db.Store(space), openDB(t).Store(space)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	mustCommit(t, frozen, put(0, "k", "0"))
	for i, part := range []func(int) int{
		func(int) int { return 1 },
		func(int) int { return 5 },
		func(size int) int { return size / 2 },
		func(size int) int { return size - 6 },
		func(size int) int { return size - 5 },
		func(size int) int { return size - 1 },
	} {
		g.mu.Lock()
		g.part = part
		g.mu.Unlock()
		done := begin(ctx, frozen, put(0, "k", fmt.Sprint("frozen", i)))
		sent := <-g.stopped
		version, err := others.Commit(ctx, put(0, "k", "other"))
		if err != nil {
			t.Fatalf("a commit while another client is stopped after %d bytes: %v", sent, err)
		}
		g.goOn <- struct{}{}
		if late := <-done; late.err != nil || late.version != version+1 {
			t.Errorf("the commit of the client that goes on: version %d, %v, want %d", late.version, late.err, version+1)
		}
	}
}

// TestLeavingIsUnknown: who gives up while a commit is on its way does not know what
// becomes of it, and the identical batch finds out.
func TestLeavingIsUnknown(t *testing.T) {
	space := aSpace(t)
	s := openDB(t).Store(space)
	first := mustCommit(t, s, put(0, "k", "1"))
	holder, look := server.Get(t).Connect(t), server.Get(t).Connect(t)
	tx, err := holder.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM pawl.spaces WHERE name = $1 FOR NO KEY UPDATE`, space); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b := put(first, "k", "2", kv.Read{Key: "k", Version: first})
	done := begin(ctx, s, b)
	awaitLocked(t, look, "commit")
	waiting := begin(ctx, s, put(first, "l", "2"))
	cancel()
	if got := <-done; !errors.Is(got.err, kv.ErrUnknown) || !errors.Is(got.err, context.Canceled) {
		t.Errorf("a commit that was left on its way: %v, want that it is unknown since the context was cancelled", got.err)
	}
	if got := <-waiting; !errors.Is(got.err, context.Canceled) || errors.Is(got.err, kv.ErrUnknown) {
		t.Errorf("a commit that was left before it was sent: %v, want the context's error alone", got.err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Again = true
	if version := mustCommit(t, s, b); version != first+1 {
		t.Errorf("the identical batch: version %d, want %d", version, first+1)
	}
	if e := read(t, s, "l"); e.Exists() {
		t.Errorf("the commit that was not sent has written %+v", e)
	}
}

// TestSchemaMadeOnce: of many who open a database that has no schema yet one makes it,
// and the schema says how many commit IDs are kept.
func TestSchemaMadeOnce(t *testing.T) {
	pool := openPool(t, server.Get(t).URL(pgtest.Superuser, "postgres"), nil)
	results := make(chan error, 8)
	for i := range cap(results) {
		go func() {
			db, err := pgkv.Open(t.Context(), pool, pgkv.WithSchema("made_once"), pgkv.WithCommitIDs(2000+i))
			if err == nil {
				err = db.Close()
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	a := openDB(t, pgkv.WithSchema("made_once"), pgkv.WithCommitIDs(7)).Store("s").Limits().CommitIDs
	if a < 2000 || a > 2007 {
		t.Errorf("%d commit IDs are kept, want as many as who made the schema has said", a)
	}
}

// TestOpenRefuses: what is no schema of ours, or a newer one, is left alone, and
// a pool that would not tell of warnings is not used.
func TestOpenRefuses(t *testing.T) {
	s := server.Get(t)
	openDB(t, pgkv.WithSchema("newer"))
	s.SQL(t, `CREATE SCHEMA foreign_one`, `CREATE TABLE foreign_one.entries (a int)`, `UPDATE newer.meta SET version = version + 1`)
	pool := openPool(t, s.URL(pgtest.Superuser, "postgres"), nil)
	for schema, want := range map[string]error{
		"foreign_one": kv.ErrForeign, "newer": kv.ErrNewer, "": kv.ErrInvalid, `a"b`: kv.ErrInvalid, "Large": kv.ErrInvalid,
	} {
		if _, err := pgkv.Open(t.Context(), pool, pgkv.WithSchema(schema)); !errors.Is(err, want) {
			t.Errorf("schema %q: %v, want %v", schema, err, want)
		}
	}
	plain, err := pgxpool.New(t.Context(), s.URL(pgtest.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := pgkv.Open(t.Context(), plain); !errors.Is(err, kv.ErrInvalid) {
		t.Errorf("a pool that was not prepared: %v, want %v", err, kv.ErrInvalid)
	}
	for _, space := range []string{"", "\x00", "\xff", string(bytes.Repeat([]byte("s"), 201))} {
		if _, err := openDB(t).Store(space).Commit(t.Context(), put(0, "k", "")); !errors.Is(err, kv.ErrInvalid) {
			t.Errorf("a space called %q: %v, want %v", space, err, kv.ErrInvalid)
		}
	}
}

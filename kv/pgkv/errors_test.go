//go:build linux || darwin

package pgkv_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// wantOutcome checks what a commit came to, and that the text says why.
func wantOutcome(t *testing.T, what string, err error, want kv.Outcome, says string) {
	t.Helper()
	if kv.OutcomeOf(err) != want || !strings.Contains(fmt.Sprint(err), says) {
		t.Errorf("%s: %v (%v), want one that is %v and says %q", what, err, kv.OutcomeOf(err), want, says)
	}
}

// withSettings opens a database by connections that begin with settings.
func withSettings(t *testing.T, s *pgtest.Server, settings map[string]string) *pgkv.DB {
	t.Helper()
	pool := openPool(t, s.URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) {
		for name, value := range settings {
			c.ConnConfig.RuntimeParams[name] = value
		}
	})
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestServerErrors: what the server answers instead of committing is final, and says
// what to do.
func TestServerErrors(t *testing.T) {
	s := server.Get(t)
	openDB(t)
	for _, c := range []struct {
		name     string
		settings map[string]string
		want     kv.Outcome
		says     string
	}{
		{"another isolation", map[string]string{"default_transaction_isolation": "repeatable read"}, kv.NotApplied, "read committed"},
		{"serializable", map[string]string{"default_transaction_isolation": "serializable"}, kv.NotApplied, "read committed"},
		{"read-only", map[string]string{"default_transaction_read_only": "on"}, kv.Unsent, "25006"},
		{"bytes in another form", map[string]string{"bytea_output": "escape"}, kv.Applied, ""},
		{"errors alone are told", map[string]string{"client_min_messages": "error"}, kv.Applied, ""},
		{"commits are not waited for", map[string]string{"synchronous_commit": "off"}, kv.Applied, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := withSettings(t, s, c.settings).Store(aSpace(t))
			_, err := store.Commit(t.Context(), put(0, "k", "1"))
			wantOutcome(t, "a commit", err, c.want, c.says)
			if c.want == kv.Applied {
				_, err := store.Commit(t.Context(), put(0, "k", "2", kv.Read{Key: "k", Version: 7}))
				wantOutcome(t, "a commit that read something else", err, kv.Conflict, `"k"`)
			}
		})
	}
}

// TestLockTimeout: a space that somebody holds for too long, and a statement that takes
// too long, are certainly not committed.
func TestLockTimeout(t *testing.T) {
	s := server.Get(t)
	for name, says := range map[string]string{"lock_timeout": "55P03", "statement_timeout": "57014"} {
		space := aSpace(t)
		store := withSettings(t, s, map[string]string{name: "100"}).Store(space)
		mustCommit(t, store, put(0, "k", "1"))
		tx, err := s.Connect(t).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT FROM pawl.spaces WHERE name = $1 FOR NO KEY UPDATE`, space); err != nil {
			t.Fatal(err)
		}
		_, err = store.Commit(t.Context(), put(1, "k", "2"))
		wantOutcome(t, name, err, kv.Unsent, says)
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := read(t, store, "k"); string(e.Value) != "1" {
			t.Errorf("%s: the refused commit has written %q", name, e.Value)
		}
	}
}

// TestTooManyConnections: a server that takes no more connections has done nothing.
func TestTooManyConnections(t *testing.T) {
	s := pgtest.Start(t, "max_connections=5", "superuser_reserved_connections=1")
	openOn(t, s)
	s.SQL(t, "CREATE ROLE app LOGIN")
	s.SQL(t, grants(t)...)
	pool := openPool(t, s.URL("app", "postgres"), nil)
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store("s")
	version := mustCommit(t, store, put(0, "k", "1"))
	for { // until none is left for us: those that we had end after a while
		pool.Reset()
		taken := takeAll(t, s)
		next, err := store.Commit(t.Context(), put(version, "k", "2"))
		for _, release := range taken {
			release()
		}
		if err != nil {
			wantOutcome(t, "a commit without a connection", err, kv.Unsent, "53300")
			return
		}
		version = next
	}
}

// takeAll takes all connections that a server gives to a plain role.
func takeAll(t *testing.T, s *pgtest.Server) (taken []func()) {
	t.Helper()
	for {
		pool := openPool(t, s.URL("app", "postgres"), func(c *pgxpool.Config) { c.MaxConns = 1 })
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			return taken
		}
		taken = append(taken, func() { conn.Release(); pool.Close() })
	}
}

// TestShutdownDuringCommit: a server that is shut down while a commit waits for its lock
// leaves it unknown, and the identical batch is applied once when it is back.
func TestShutdownDuringCommit(t *testing.T) {
	s := pgtest.Start(t, "max_prepared_transactions=1")
	store := openOn(t, s).Store("s")
	first := mustCommit(t, store, put(0, "k", "1"))
	for round, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		// A prepared transaction holds the lock: one of a connection would let go of
		// it in the shutdown, perhaps before the commit is told to end.
		s.SQL(t, `BEGIN`, `SELECT FROM pawl.spaces WHERE name = 's' FOR NO KEY UPDATE`, `PREPARE TRANSACTION 'held'`)
		look := s.Connect(t)
		b := put(first, fmt.Sprint("round", round), "2")
		done := begin(t.Context(), store, b)
		awaitLocked(t, look, "commit")
		s.Stop(how)
		wantOutcome(t, "a commit during "+how.String(), (<-done).err, kv.Unknown, "")
		_, err := store.Commit(t.Context(), put(first, "k", "none"))
		if o := kv.OutcomeOf(err); o != kv.Unsent && o != kv.Unknown { // a connection of before may take it
			t.Errorf("a commit without a server: %v", err)
		}
		_, err = store.Snapshot().Get(t.Context(), "k")
		if !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("a read without a server: %v, want %v", err, kv.ErrUnavailable)
		}
		s.Begin(t)
		s.SQL(t, `ROLLBACK PREPARED 'held'`)
		b.Again = true
		if version := mustCommit(t, store, b); version != first+1 {
			t.Errorf("the identical batch: version %d, want %d", version, first+1)
		}
		first++
	}
}

// cutting is a connection that is lost at the next commit: before the server has it, or
// when it has.
type cutting struct {
	net.Conn
	cut *cut
}

type cut struct {
	mu     sync.Mutex
	before func(net.Conn, []byte) error // what becomes of the next commit; nil: it is sent
	after  bool                         // the answer to the next commit is lost
	lost   bool
}

// Write implements net.Conn.
func (c cutting) Write(b []byte) (int, error) {
	c.cut.mu.Lock()
	defer c.cut.mu.Unlock()
	if !strings.Contains(string(b), ".commit(") {
		return c.Conn.Write(b)
	}
	if before := c.cut.before; before != nil {
		c.cut.before = nil
		_ = c.Conn.Close()
		return 0, before(c.Conn, b)
	}
	c.cut.lost, c.cut.after = c.cut.after, false
	return c.Conn.Write(b)
}

// Read implements net.Conn.
func (c cutting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.cut.mu.Lock()
	defer c.cut.mu.Unlock()
	if c.cut.lost && n > 0 {
		c.cut.lost = false
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestLostConnection: before anything of a commit was sent it is certain that it was not
// applied; after it nothing is, and the identical batch has the version of the
// first time.
func TestLostConnection(t *testing.T) {
	c := new(cut)
	pool := openPool(t, server.Get(t).URL(pgtest.Superuser, "postgres"), func(config *pgxpool.Config) {
		config.MaxConns = 1
		dial := config.ConnConfig.DialFunc
		config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return cutting{conn, c}, err
		}
	})
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store(aSpace(t))
	first := mustCommit(t, store, put(0, "k", "1"))

	c.mu.Lock()
	c.before = func(net.Conn, []byte) error { return net.ErrClosed }
	c.mu.Unlock()
	_, err = store.Commit(t.Context(), put(first, "k", "2"))
	wantOutcome(t, "a connection that is lost before the send", err, kv.Unsent, "before anything was sent")
	if e := read(t, store, "k"); e.Version != first {
		t.Errorf("a commit that was not sent was applied: version %d", e.Version)
	}

	c.mu.Lock()
	c.after = true
	c.mu.Unlock()
	b := put(first, "k", "3", kv.Read{Key: "k", Version: first})
	_, err = store.Commit(t.Context(), b)
	wantOutcome(t, "a connection that is lost after the send", err, kv.Unknown, "after the statement was sent")
	b.Again = true
	if version := mustCommit(t, store, b); version != first+1 {
		t.Errorf("the identical batch: version %d, want %d", version, first+1)
	}
}

// TestStandby: a standby is neither read nor written.
func TestStandby(t *testing.T) {
	primary := pgtest.Start(t)
	openOn(t, primary)
	standby := primary.Standby(t)
	pool := openPool(t, standby.URL(pgtest.Superuser, "postgres"), nil)
	standby.Await(t, "SELECT to_regclass('pawl.meta') IS NOT NULL")
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store("s")
	_, err = store.Commit(t.Context(), put(0, "k", "1"))
	wantOutcome(t, "a commit to a standby", err, kv.Unsent, "standby")
	_, err = store.Snapshot().Get(t.Context(), "k")
	wantOutcome(t, "a read of a standby", err, kv.Unsent, "standby")
	_, err = store.Commit(t.Context(), &kv.Batch{})
	wantOutcome(t, "a validation by a standby", err, kv.Unsent, "standby")
	for _, err := range store.Watch(t.Context(), "", 0) {
		wantOutcome(t, "a watch of a standby", err, kv.Unsent, "standby")
	}
}

// TestReplicationWaitCancelled: a commit that is on the primary alone, since somebody
// has cancelled the wait for the standby, is unknown; and the identical batch, which
// finds it, waits for the standby again.
func TestReplicationWaitCancelled(t *testing.T) {
	s := pgtest.Start(t)
	store := openOn(t, s).Store("s")
	first := mustCommit(t, store, put(0, "k", "1"))
	s.SQL(t, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
	look := s.Connect(t)
	defer look.Close(context.Background())
	b := put(first, "k", "2")
	for round := range 2 {
		done := begin(t.Context(), store, b)
		for pid := 0; pid == 0; {
			row := look.QueryRow(t.Context(), "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%commit%'")
			if err := row.Scan(&pid); err != nil {
				t.Fatal(err)
			}
			if pid != 0 {
				if _, err := look.Exec(t.Context(), "SELECT pg_cancel_backend($1)", pid); err != nil {
					t.Fatal(err)
				}
			}
		}
		wantOutcome(t, fmt.Sprintf("round %d: a wait that was cancelled", round), (<-done).err, kv.Unknown, "wait for standbys")
		b.Again = true
	}
	if _, err := look.Exec(t.Context(), "ALTER SYSTEM RESET synchronous_standby_names"); err != nil {
		t.Fatal(err)
	}
	if _, err := look.Exec(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	if version := mustCommit(t, store, b); version != first+1 {
		t.Errorf("the identical batch: version %d, want %d", version, first+1)
	}
}

// TestDiskFull: where the server has no room for the data, commits that fit go on to be
// refused as such, and reading goes on.
func TestDiskFull(t *testing.T) {
	s := server.Get(t)
	if os.Getuid() != 0 {
		t.Skip("needs the right to mount a file system of a size")
	}
	space := filepath.Join(s.Dir(), "small")
	if err := os.Mkdir(space, 0o777); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", space).CombinedOutput(); err != nil {
		t.Skipf("no file system of a size can be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", space).Run() })
	if err := os.Mkdir(filepath.Join(space, "data"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.Own(filepath.Join(space, "data")); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, pgkv.WithSchema("full_disk"))
	s.SQL(t, "CREATE TABLESPACE small LOCATION '"+filepath.Join(space, "data")+"'", "ALTER TABLE full_disk.entries SET TABLESPACE small")
	defer s.SQL(t, "DROP SCHEMA full_disk CASCADE", "DROP TABLESPACE small")
	store := db.Store(aSpace(t))
	value := strings.Repeat("v", 500_000)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	written := 0
	for ; err == nil && ctx.Err() == nil; written++ {
		_, err = store.Commit(ctx, put(0, fmt.Sprint("k", written), value))
	}
	wantOutcome(t, "a commit without room", err, kv.NotApplied, "53100")
	if !errors.Is(err, kv.ErrDiskFull) {
		t.Errorf("a commit without room: %v, want %v", err, kv.ErrDiskFull)
	}
	if e := read(t, store, "k0"); string(e.Value) != value {
		t.Errorf("reading does not go on: %d bytes", len(e.Value))
	}
	if e := read(t, store, fmt.Sprint("k", written-1)); e.Exists() {
		t.Error("the refused commit was applied")
	}
}

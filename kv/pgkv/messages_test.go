//go:build linux || darwin

package pgkv_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// counted is a connection whose messages are counted, but for those that nobody waits
// for.
type counted struct {
	net.Conn
	count *messages
}

type messages struct {
	mu sync.Mutex
	n  int
}

// Write implements net.Conn.
func (c counted) Write(b []byte) (int, error) {
	background := slices.ContainsFunc([]string{".tell(", ".trim("}, func(f string) bool { return bytes.Contains(b, []byte(f)) })
	if !background {
		c.count.mu.Lock()
		c.count.n++
		c.count.mu.Unlock()
	}
	return c.Conn.Write(b)
}

func (m *messages) take() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.n
	m.n = 0
	return n
}

// TestOneMessageEach: a read of any number of keys, a scan, a commit and a validation
// are one round trip each, and commits that wait go together.
func TestOneMessageEach(t *testing.T) {
	var sent messages
	pool := openPool(t, server.Get(t).URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) {
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // after a rest
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return counted{conn, &sent}, err
		}
	})
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store(aSpace(t))
	var conns []*pgxpool.Conn
	for range pool.Config().MaxConns { // so that none is made while we count
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		conn.Release()
	}
	version := mustCommit(t, store, put(0, "k", "1"))
	sent.take()

	view := store.Snapshot()
	defer view.Close()
	keys := []string{"k"}
	for i := range 200 {
		keys = append(keys, fmt.Sprint("none", i))
	}
	expect := func(what string, err error, want int) {
		t.Helper()
		if n := sent.take(); n != want || err != nil {
			t.Errorf("%s: %d messages, %v, want %d", what, n, err, want)
		}
	}
	_, err = view.Get(t.Context(), keys...)
	expect("a read of 201 keys", err, 1)
	_, err = view.Version(t.Context())
	expect("its version", err, 0)
	for _, err = range view.Scan(t.Context(), "k") {
		if err != nil {
			break
		}
	}
	expect("a scan", err, 1)
	_, err = store.Commit(t.Context(), put(version, "k", "2", kv.Read{Key: "k", Version: version}))
	expect("a commit", err, 1)
	_, err = store.Commit(t.Context(), &kv.Batch{Reads: []kv.Read{{Key: "k", Version: version + 1}}})
	expect("a validation", err, 1)

	const many = 128
	var all errgroup.Group
	for i := range many {
		all.Go(func() error {
			_, err := store.Commit(t.Context(), put(version, fmt.Sprint("many", i), "1"))
			return err
		})
	}
	err = all.Wait()
	n := sent.take()
	t.Logf("%d commits at once: %d messages", many, n)
	if err != nil || n > many/4 {
		t.Errorf("%d commits at once: %d messages, %v, want that they go together", many, n, err)
	}
}

// TestManyRecords: a store of 100,000 records is copied and compared.
func TestManyRecords(t *testing.T) {
	many := 100_000
	if testing.Short() {
		many = 2000
	}
	from, began := memkv.New(), time.Now()
	var writes []kv.Write
	for i := range many {
		writes = append(writes, kv.Write{Key: fmt.Sprintf("record/%07d", i), Value: make([]byte, 300)})
	}
	for part := range slices.Chunk(writes, 4000) {
		mustCommit(t, from, &kv.Batch{ID: kv.NewCommitID(0), Writes: part})
	}
	to := openDB(t).Store(aSpace(t))
	view := from.Snapshot()
	defer view.Close()
	whole := func(string) bool { return true }
	steps := 0
	step := func() { steps++ }
	if err := copykv.Bring(t.Context(), view, to, whole, step); err != nil {
		t.Fatal(err)
	}
	copied := time.Since(began)
	if err := copykv.Verify(t.Context(), view, to, whole, step); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records are copied in %v and compared in %v", many, copied.Round(time.Millisecond), (time.Since(began) - copied).Round(time.Millisecond))
	if steps != 2*many {
		t.Errorf("%d steps, want %d", steps, 2*many)
	}
}

//go:build linux || darwin

package pgkv_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// road leads connections to the server, and may lose what they carry without an end, as a
// network does, and a pooler that has no session to give.
type road struct {
	listener net.Listener
	socket   string

	mu    sync.Mutex
	mute  bool          // connections that come now are silent for good
	blank chan struct{} // closed when those that there are become so
}

func newRoad(t *testing.T, s *pgtest.Server) *road {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{listener: listener, socket: filepath.Join(s.Dir(), ".s.PGSQL.5432"), blank: make(chan struct{})}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = client.Close() })
			r.lead(client)
		}
	}()
	return r
}

// lead connects a client, unless the road is mute.
func (r *road) lead(client net.Conn) {
	r.mu.Lock()
	mute, blank := r.mute, r.blank
	r.mu.Unlock()
	if mute {
		return
	}
	server, err := net.Dial("unix", r.socket)
	if err != nil {
		_ = client.Close()
		return
	}
	carry := func(to, from net.Conn) {
		defer server.Close()
		for piece := make([]byte, 32<<10); ; {
			n, err := from.Read(piece)
			select {
			case <-blank: // and the client's end stays open
				return
			default:
			}
			if _, failed := to.Write(piece[:n]); err != nil || failed != nil {
				_ = client.Close()
				return
			}
		}
	}
	go carry(server, client)
	go carry(client, server)
}

// silence makes those connections silent that come from now on, or lets them through.
func (r *road) silence(mute bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = mute
}

// lose makes those connections silent that there are.
func (r *road) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.blank)
	r.blank = make(chan struct{})
}

func (r *road) url() string {
	return fmt.Sprintf("postgres://%s@%s/postgres?sslmode=disable", pgtest.Superuser, r.listener.Addr())
}

// patience is far more than what a call may have to wait for, and less than what pgx
// gives a connection that is being made by itself.
const patience = time.Minute

// TestPlacesAreGivenBack: connections that nobody answers, while they are made and later,
// take all places of a pool, and give them back: who comes when the way is open again is
// served.
func TestPlacesAreGivenBack(t *testing.T) {
	t.Parallel()
	r := newRoad(t, server.Get(t))
	const places = 3
	pool := openPool(t, r.url(), func(c *pgxpool.Config) { c.MaxConns = places })
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""), pgkv.WithWait(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store(aSpace(t))
	mustCommit(t, store, put(0, "k", "1"))
	look := func(ctx context.Context) error {
		view := store.Snapshot()
		defer view.Close()
		_, err := view.Get(ctx, "k")
		return err
	}
	for name, lost := range map[string]func(){
		"while they are made": func() { r.silence(true); pool.Reset() },
		"when they are there": func() { r.silence(true); r.lose() },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		lost()
		for pool.Stat().ConstructingConns() < places {
			if err := look(ctx); !errors.Is(err, kv.ErrUnavailable) {
				t.Fatalf("connections lost %s: a read: %v, want %v", name, err, kv.ErrUnavailable)
			}
		}
		r.silence(false)
		for err := look(ctx); err != nil; err = look(ctx) {
			if !errors.Is(err, kv.ErrUnavailable) {
				t.Fatalf("connections lost %s: %v", name, err)
			}
		}
	}
}

// TestEndingIsBounded: a connection whose call has not waited for its answer gives its place
// back while nobody answers: neither it nor the request to cancel, for which pgx gives
// 15 s by itself.
func TestEndingIsBounded(t *testing.T) {
	t.Parallel()
	r := newRoad(t, server.Get(t))
	pool := openPool(t, r.url(), func(c *pgxpool.Config) { c.MaxConns = 1 })
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""), pgkv.WithWait(300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store(aSpace(t))
	version := mustCommit(t, store, put(0, "k", "1"))
	before := pool.Stat().NewConnsCount()
	r.silence(true)
	r.lose()
	began := time.Now()
	_, err = store.Commit(t.Context(), put(version, "k", "2", kv.Read{Key: "k", Version: version}))
	if !errors.Is(err, kv.ErrUnknown) && !errors.Is(err, kv.ErrUnavailable) {
		t.Fatalf("a commit that nobody answers: %v, want %v or %v", err, kv.ErrUnknown, kv.ErrUnavailable)
	}
	// Nothing else is made while the one place is taken.
	for pool.Stat().NewConnsCount() == before && pool.Stat().ConstructingConns() == 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if conn, err := pool.Acquire(ctx); err == nil {
			conn.Release()
		}
		cancel()
	}
	took := time.Since(began)
	t.Logf("the place was given back after %v", took)
	if took > 12*time.Second {
		t.Errorf("the place was given back after %v; want 2 s to cancel and 2 s to end", took)
	}
}

// TestSilentListener: a connection that listens, and of which the network has lost the end,
// is noticed: who watches looks by himself.
func TestSilentListener(t *testing.T) {
	t.Parallel()
	r := newRoad(t, server.Get(t))
	config, err := pgx.ParseConfig(r.url())
	if err != nil {
		t.Fatal(err)
	}
	space := aSpace(t)
	writer := openDB(t).Store(space)
	first := mustCommit(t, writer, put(0, "k", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := watching(ctx, openDB(t, pgkv.WithPoll(never), pgkv.WithListener(config), pgkv.WithWait(300*time.Millisecond)).Store(space), 0)
	wantTold(t, told, "k", first)
	second := mustCommit(t, writer, put(first, "k", "2"))
	wantTold(t, told, "k", second) // it listens
	r.lose()
	wantTold(t, told, "k", mustCommit(t, writer, put(second, "k", "3")))
}

// TestListenerIsKnown: the connection that listens asks again whether anybody is there, and
// the server shows it as the one that listens all the same.
func TestListenerIsKnown(t *testing.T) {
	t.Parallel()
	s := server.Get(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	db := openDB(t, pgkv.WithSchema("known"), pgkv.WithPoll(never), pgkv.WithWait(100*time.Millisecond))
	watching(ctx, db.Store(aSpace(t)), 0)
	conn := s.Connect(t)
	defer conn.Close(context.Background())
	const asked = `SELECT pid, query_start FROM pg_stat_activity WHERE query = 'LISTEN "known"' AND query_start > $1`
	var first, again int
	var since, then time.Time
	find := func(pid *int, at *time.Time) {
		t.Helper()
		err := pgx.ErrNoRows
		for errors.Is(err, pgx.ErrNoRows) {
			err = conn.QueryRow(ctx, asked, since).Scan(pid, at)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	find(&first, &then)
	since = then
	find(&again, &then)
	if again != first {
		t.Errorf("%d has asked, and then %d: want one connection that goes on", first, again)
	}
}

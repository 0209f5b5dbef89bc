package wire_test

import (
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// forever is a timer that never rings.
func forever(time.Duration, func()) func() bool { return func() bool { return true } }

// TestVersions: the newest that both speak, or a clear refusal.
func TestVersions(t *testing.T) {
	for _, test := range []struct {
		server, client wire.Versions
		want           uint64
	}{
		{wire.Versions{Oldest: 1, Newest: 1}, wire.Versions{Oldest: 1, Newest: 1}, 1},
		{wire.Versions{Oldest: 1, Newest: 2}, wire.Versions{Oldest: 1, Newest: 1}, 1}, // an older extension beside a new app
		{wire.Versions{Oldest: 1, Newest: 1}, wire.Versions{Oldest: 1, Newest: 2}, 1},
		{wire.Versions{Oldest: 1, Newest: 2}, wire.Versions{Oldest: 2, Newest: 3}, 2},
		{wire.Versions{Oldest: 2, Newest: 3}, wire.Versions{Oldest: 1, Newest: 1}, 0},
		{wire.Versions{Oldest: 1, Newest: 1}, wire.Versions{Oldest: 2, Newest: 3}, 0},
	} {
		f := serve(t, wire.Service{Store: memkv.New(), Versions: test.server, Term: 7, ID: wire.ID{1}, PID: 42})
		c, err := wire.Connect(t.Context(), f.dial(t), wire.Settings{Versions: test.client})
		if test.want == 0 {
			if !errors.Is(err, wire.ErrVersion) || errors.Is(err, kv.ErrUnavailable) {
				t.Errorf("%v with %v: %v, want wire.ErrVersion", test.server, test.client, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := (wire.Welcome{Version: test.want, Store: wire.ID{1}, Term: 7, PID: 42}); c.Welcome != want {
			t.Errorf("%v with %v: %+v, want %+v", test.server, test.client, c.Welcome, want)
		}
		if n, version := f.server.Clients(); n != 1 || version != test.want {
			t.Errorf("%d clients that all speak %d, want 1 and %d", n, version, test.want)
		}
		if _, err := c.Commit(t.Context(), batch("k", "1")); err != nil {
			t.Error(err)
		}
		c.Close()
	}
}

// counted is a store that counts the snapshots that are open.
type counted struct {
	kv.Store
	open atomic.Int64
}

type countedSnapshot struct {
	kv.Snapshot
	of *counted
}

func (s *counted) Snapshot() kv.Snapshot {
	s.open.Add(1)
	return countedSnapshot{s.Store.Snapshot(), s}
}

func (s countedSnapshot) Close() {
	s.Snapshot.Close()
	s.of.open.Add(-1)
}

// TestConnectionsEnd: everything that a client held is released when its
// connection ends, whatever it was doing.
func TestConnectionsEnd(t *testing.T) {
	store := &counted{Store: memkv.New(memkv.WithTimer(forever))}
	f := serve(t, wire.Service{Store: store})
	network := f.dial(t)
	c, err := wire.Connect(t.Context(), network, wire.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.Snapshot().Get(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Turn(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 3)
	go func() { _, err := c.Commit(background, batch("k", "late")); ended <- err }()
	go func() { _, err := c.Turn(background, "k"); ended <- err }()
	go func() {
		for _, err := range c.Watch(background, "", 0) {
			ended <- err
		}
	}()
	for start := time.Now(); time.Since(start) < short; { // they are on their way
		runtime.Gosched()
	}
	network.Close()
	for range 3 {
		if err := in(t, "a call whose connection ended", ended); !errors.Is(err, wire.ErrGone) {
			t.Errorf("%v, want wire.ErrGone", err)
		}
	}
	turn, err := store.Turn(t.Context(), "k") // would wait for ever
	if err != nil {
		t.Fatal(err)
	}
	turn.Release()
	f.server.Close()
	if n := store.open.Load(); n != 0 {
		t.Errorf("%d snapshots are still open", n)
	}
	entries, err := store.Snapshot().Get(t.Context(), "k")
	if err != nil || entries[0].Exists() {
		t.Errorf("what waited when the connection ended was applied: %v, %v", entries, err)
	}
}

// TestReconnectFences: once a client is connected again, nothing that it sent
// before can be applied any more.
func TestReconnectFences(t *testing.T) {
	store := memkv.New(memkv.WithTimer(forever))
	f := serve(t, wire.Service{Store: store})
	settings := wire.Settings{Client: wire.ID{9}}
	turn, err := store.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	first := f.client(t, settings)
	b := batch("k", "1")
	done := make(chan error, 1)
	go func() { _, err := first.Commit(background, b); done <- err }()
	for start := time.Now(); time.Since(start) < short; { // it waits for the turn
		runtime.Gosched()
	}
	second := f.client(t, settings)
	if err := in(t, "the commit of the first connection", done); !errors.Is(err, kv.ErrUnknown) || !errors.Is(err, wire.ErrGone) {
		t.Errorf("%v, want kv.ErrUnknown with wire.ErrGone", err)
	}
	turn.Release()
	view := second.Snapshot()
	defer view.Close()
	if entries, err := view.Get(t.Context(), "k"); err != nil || entries[0].Exists() {
		t.Errorf("%v, %v: the earlier copy was applied", entries, err)
	}
	if version, err := second.Commit(t.Context(), b); err != nil || version != 1 {
		t.Errorf("the identical batch: version %d, %v", version, err)
	}
	if n, _ := f.server.Clients(); n != 1 {
		t.Errorf("%d clients, want 1", n)
	}
	other := f.client(t, wire.Settings{Client: wire.ID{8}})
	if _, err := second.Commit(t.Context(), batch("k", "2")); err != nil {
		t.Errorf("another client ended this one's connection: %v", err)
	}
	other.Close()
}

// TestServerCloses: what the store refuses because it closes has had no effect,
// and the client knows.
func TestServerCloses(t *testing.T) {
	store := memkv.New(memkv.WithTimer(forever))
	f := serve(t, wire.Service{Store: store})
	c := f.client(t, wire.Settings{})
	if _, err := c.Turn(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := c.Commit(background, batch("k", "1")); done <- err }()
	for start := time.Now(); time.Since(start) < short; {
		runtime.Gosched()
	}
	store.Close()
	f.server.Close()
	if err := in(t, "a commit at the end", done); !errors.Is(err, wire.ErrGone) || !errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown) {
		t.Errorf("%v, want wire.ErrGone with kv.ErrUnavailable", err)
	}
	in(t, "the end of the connection", c.Over())
}

// TestStrangers: what is no frame, or too large, ends its own connection and
// nothing else.
func TestStrangers(t *testing.T) {
	f := serve(t, wire.Service{Store: memkv.New(), Patience: short})
	c := f.client(t, wire.Settings{})
	for name, bytes := range map[string]string{
		"nothing":     "",
		"http":        "GET / HTTP/1.1\r\n\r\n",
		"too large":   "\xff\xff\xff\xff",
		"empty":       "\x00\x00\x00\x00",
		"not msgpack": "\x00\x00\x00\x02\xc1\xc1",
		"not hello":   "\x00\x00\x00\x01\x90",
	} {
		network := f.dial(t)
		if _, err := network.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
		if err := network.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		if n, err := network.Read(make([]byte, 1)); n != 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: read %d bytes, %v, want the connection to end", name, n, err)
		}
	}
	if _, err := c.Commit(t.Context(), batch("k", "1")); err != nil {
		t.Errorf("another connection: %v", err)
	}
}

// TestFlattenWithout: a store that cannot says so.
func TestFlattenWithout(t *testing.T) {
	c := serve(t, wire.Service{Store: memkv.New()}).client(t, wire.Settings{})
	if err := c.Flatten(t.Context()); !errors.Is(err, kv.ErrInvalid) {
		t.Errorf("%v, want kv.ErrInvalid", err)
	}
}

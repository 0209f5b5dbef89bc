package wire_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// gate is a store that shows every commit that reaches it, and lets it go on
// when told how it ends.
type gate struct {
	kv.Store
	arrived chan *kv.Batch
	ends    chan error      // nil: the store decides
	over    <-chan struct{} // closed with the test
}

func newGate(t *testing.T) *gate {
	g := &gate{Store: memkv.New(), arrived: make(chan *kv.Batch, 100), ends: make(chan error), over: t.Context().Done()}
	t.Cleanup(func() { g.Store.Close() })
	return g
}

func (g *gate) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	g.arrived <- b
	select {
	case err := <-g.ends:
		if err != nil {
			return 0, err
		}
	case <-g.over:
	}
	return g.Store.Commit(ctx, b)
}

// asVersion1 is how a program speaks that knows nothing newer.
var asVersion1 = wire.Versions{Oldest: 1, Newest: 1}

// TestTriesInOrder: the tries of one commit that are on their way over one
// connection reach the store one after the other, in the order in which they
// were sent. Otherwise a later one could be refused before an earlier one is
// applied.
func TestTriesInOrder(t *testing.T) {
	store := newGate(t)
	client := serve(t, wire.Service{Store: store}).client(t, wire.Settings{})
	const tries = 20
	b := batch("k", "v")
	for n := range tries {
		try := *b
		try.Turn = kv.TurnID(n + 1) // tells one from the other, and is nobody's
		if err := client.Send(background, &try); err != nil {
			t.Fatal(err)
		}
	}
	for n := range tries {
		if got := in(t, "a try", store.arrived); got.Turn != kv.TurnID(n+1) {
			t.Fatalf("try %d comes after %d others", got.Turn, n)
		}
		select {
		case got := <-store.arrived:
			t.Fatalf("try %d comes beside the one before", got.Turn)
		default:
		}
		store.ends <- kv.ErrUnavailable
	}
}

// TestAgainOfVersion1: a client of version 1 cannot say that it tries again. The
// server says it, over whichever connection the earlier try has come.
func TestAgainOfVersion1(t *testing.T) {
	for _, versions := range []wire.Versions{asVersion1, wire.Spoken} {
		store := newGate(t)
		f := serve(t, wire.Service{Store: store})
		client := f.client(t, wire.Settings{Versions: versions})
		counts := versions == asVersion1
		b := batch("k", "")
		try := func(what string, end error, want bool) {
			t.Helper()
			ended := make(chan error, 1)
			go func() { _, err := client.Commit(background, b); ended <- err }()
			if got := in(t, what, store.arrived); got.Again != want {
				t.Errorf("version %d: %s: again %v, want %v", versions.Newest, what, got.Again, want)
			}
			store.ends <- end
			if err := in(t, what, ended); !errors.Is(err, end) {
				t.Errorf("version %d: %s: %v, want %v", versions.Newest, what, err, end)
			}
		}
		try("the first try", kv.ErrUnknown, false)
		try("the second", kv.ErrUnknown, counts)
		client = f.client(t, wire.Settings{Versions: versions})
		try("the third, over another connection", kv.ErrConflict, counts)
		try("one when the outcome was known", kv.ErrConflict, false)
	}
}

// TestAgainIsSaid: what the caller says arrives in version 2, and nothing else.
func TestAgainIsSaid(t *testing.T) {
	store := newGate(t)
	client := serve(t, wire.Service{Store: store}).client(t, wire.Settings{})
	for _, again := range []bool{true, false} {
		b := batch("k", "")
		b.Again = again
		ended := make(chan error, 1)
		go func() { _, err := client.Commit(background, b); ended <- err }()
		if got := in(t, "a commit", store.arrived); got.Again != again {
			t.Errorf("again %v, want %v", got.Again, again)
		}
		store.ends <- kv.ErrRefused
		if err := in(t, "its outcome", ended); !errors.Is(err, kv.ErrRefused) || !errors.Is(err, kv.ErrConflict) {
			t.Errorf("%v, want kv.ErrRefused, which is a conflict", err)
		}
	}
}

// TestUnansweredByVersion1: a server of version 1 would not know the next try for
// one, so it goes over another connection, before which this one has ended.
func TestUnansweredByVersion1(t *testing.T) {
	for _, versions := range []wire.Versions{asVersion1, wire.Spoken} {
		store := newGate(t)
		client := serve(t, wire.Service{Store: store, Versions: versions}).client(t, wire.Settings{Grace: short})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := client.Commit(ctx, batch("k", "")); ended <- err }()
		in(t, "the commit", store.arrived)
		cancel()
		if err := in(t, "the outcome of a commit without an answer", ended); !errors.Is(err, kv.ErrUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want kv.ErrUnknown and context.Canceled", err)
		}
		over := false
		select {
		case <-client.Over():
			over = true
		default:
		}
		if want := versions == asVersion1; over != want {
			t.Errorf("version %d: the connection has ended: %v, want %v", versions.Newest, over, want)
		}
		store.ends <- kv.ErrConflict
	}
}

// TestReconnectWaits: a client is connected again only when what it sent before
// has ended, also where the store goes on with what nobody waits for any more.
func TestReconnectWaits(t *testing.T) {
	store := newGate(t)
	ends := new(counter)
	f := serve(t, wire.Service{Store: store, Logger: slog.New(ends)})
	settings := wire.Settings{Client: wire.ID{9}}
	first := f.client(t, settings)
	if err := first.Send(background, batch("k", "1")); err != nil {
		t.Fatal(err)
	}
	in(t, "the commit", store.arrived)
	connected := make(chan error, 1)
	network := f.dial(t)
	go func() { _, err := wire.Connect(background, network, settings); connected <- err }()
	in(t, "the end of the first connection", first.Over())
	select {
	case err := <-connected:
		t.Fatalf("connected again (%v) while a commit of before is under way", err)
	case <-time.After(short):
	}
	store.ends <- kv.ErrConflict
	if err := in(t, "the second connection", connected); err != nil {
		t.Error(err)
	}
	if n := ends.again.Load(); n != 1 {
		t.Errorf("the earlier connection was ended %d times, want once: it is waited for, not asked for again and again", n)
	}
}

// counter is a log that counts the connections that end for another.
type counter struct{ again atomic.Int64 }

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *counter) WithGroup(string) slog.Handler            { return c }
func (c *counter) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "connected again") {
		c.again.Add(1)
	}
	return nil
}

package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// line is a connection that can be frozen: then it takes everything and brings
// nothing, as one to a process that is stopped.
type line struct {
	near   net.Conn
	far    net.Conn
	holds  chan struct{} // has a token when it began to hold something back
	mu     sync.Mutex
	frozen bool
	thaw   *sync.Cond
}

// newLine puts a line between a client and a server.
func newLine(t testing.TB, f *far) *line {
	l := &line{far: f.dial(t), holds: make(chan struct{}, 1)}
	l.thaw = sync.NewCond(&l.mu)
	var inner net.Conn
	l.near, inner = net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { l.carry(l.far, inner) })
	wg.Go(func() { l.carry(inner, l.far) })
	t.Cleanup(func() {
		l.freeze(false)
		l.far.Close()
		inner.Close()
		wg.Wait()
	})
	return l
}

func (l *line) carry(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		if l.frozen {
			select {
			case l.holds <- struct{}{}:
			default:
			}
		}
		for l.frozen {
			l.thaw.Wait()
		}
		l.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *line) freeze(frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = frozen
	l.thaw.Broadcast()
}

const short = 200 * time.Millisecond

// over connects to a store over a line.
func over(t *testing.T, store kv.Store, settings wire.Settings) (*line, *wire.Client) {
	l := newLine(t, serve(t, wire.Service{Store: store}))
	c, err := wire.Connect(t.Context(), l.near, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return l, c
}

// TestSilence: what waits for a server that says nothing ends with the
// patience, and what it may have done is told from what it cannot have done.
func TestSilence(t *testing.T) {
	for name, test := range map[string]struct {
		call func(c *wire.Client, view kv.Snapshot) error
		want error
	}{
		"commit":          {func(c *wire.Client, _ kv.Snapshot) error { _, err := c.Commit(background, batch("k", "2")); return err }, kv.ErrUnknown},
		"validate":        {func(c *wire.Client, _ kv.Snapshot) error { _, err := c.Commit(background, &kv.Batch{}); return err }, kv.ErrUnavailable},
		"turn":            {func(c *wire.Client, _ kv.Snapshot) error { _, err := c.Turn(background, "k"); return err }, kv.ErrUnavailable},
		"new view":        {func(c *wire.Client, _ kv.Snapshot) error { _, err := c.Snapshot().Get(background, "k"); return err }, kv.ErrUnavailable},
		"view":            {func(_ *wire.Client, view kv.Snapshot) error { _, err := view.Get(background, "k"); return err }, kv.ErrUnavailable},
		"flatten":         {func(c *wire.Client, _ kv.Snapshot) error { return c.Flatten(background) }, kv.ErrUnavailable},
		"version of view": {func(c *wire.Client, _ kv.Snapshot) error { _, err := c.Snapshot().Version(background); return err }, kv.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			store := memkv.New()
			l, c := over(t, store, wire.Settings{Patience: short, Grace: short})
			view := c.Snapshot()
			if _, err := view.Get(background, "k"); err != nil {
				t.Fatal(err)
			}
			l.freeze(true)
			began := time.Now()
			err := test.call(c, view)
			if took := time.Since(began); took < short || took > 10*short {
				t.Errorf("took %v with a patience of %v", took, short)
			}
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if !errors.Is(err, wire.ErrGone) || !errors.Is(err, wire.ErrSilent) {
				t.Errorf("%v, want wire.ErrGone because of wire.ErrSilent", err)
			}
			if _, err := c.Commit(background, batch("k", "3")); !errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown) {
				t.Errorf("a commit after it: %v, want kv.ErrUnavailable", err)
			}
		})
	}
}

// TestSilentAtHello: a connection that nobody welcomes is not one.
func TestSilentAtHello(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	go func() { _, _ = io.Copy(io.Discard, far) }()
	began := time.Now()
	_, err := wire.Connect(t.Context(), near, wire.Settings{Patience: short})
	if took := time.Since(began); !errors.Is(err, kv.ErrUnavailable) || took > 10*short {
		t.Errorf("%v after %v", err, took)
	}
}

// TestWaitingIsNotSilence: a commit that waits for somebody's turn waits longer
// than the patience when the server is there.
func TestWaitingIsNotSilence(t *testing.T) {
	never := func(time.Duration, func()) func() bool { return func() bool { return true } }
	store := memkv.New(memkv.WithTimer(never))
	_, c := over(t, store, wire.Settings{Patience: short, Grace: short})
	turn, err := store.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(4*short, turn.Release)
	began := time.Now()
	if _, err := c.Commit(t.Context(), batch("k", "1")); err != nil || time.Since(began) < 3*short {
		t.Errorf("%v after %v, want success after %v", err, time.Since(began), 4*short)
	}
}

// TestCancelWithoutAnAnswer: a commit whose context ends is over soon, and
// unknown.
func TestCancelWithoutAnAnswer(t *testing.T) {
	l, c := over(t, memkv.New(), wire.Settings{Grace: short})
	l.freeze(true)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	b := batch("k", "1")
	if _, err := c.Commit(ctx, b); !errors.Is(err, kv.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want kv.ErrUnknown with the context's error", err)
	}
	l.freeze(false)
	version, err := c.Commit(t.Context(), b)
	if err != nil || version != 1 {
		t.Errorf("the identical batch: version %d, %v, want 1", version, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestCloseWithoutAnAnswer: Close does not wait for a server that says nothing,
// and what was sent is unknown because the connection ended: whoever can connect
// again may ask what became of it.
func TestCloseWithoutAnAnswer(t *testing.T) {
	l, c := over(t, memkv.New(), wire.Settings{Grace: short})
	l.freeze(true)
	ended := make(chan error, 1)
	go func() { _, err := c.Commit(background, batch("k", "1")); ended <- err }()
	in(t, "the commit on its way", l.holds)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := in(t, "the commit", ended); !errors.Is(err, kv.ErrUnknown) || !errors.Is(err, wire.ErrGone) {
		t.Errorf("%v, want kv.ErrUnknown because of wire.ErrGone", err)
	}
}

package events_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/events"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// waiting begins to wait, and returns where the answer comes.
func waiting(t *testing.T, b *events.Bells, m events.Missing) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	go func() {
		defer cancel()
		done <- b.Wait(ctx, m)
	}()
	return done
}

// TestWaitForRoomKey: any number wait with one watch, and all wake when another
// process stores what they wait for: a key, or a notice of the event's sender or of
// the own user. With the last of them the watch ends.
func TestWaitForRoomKey(t *testing.T) {
	store := &watched{Store: memkv.New()}
	here, there := newProcess(t, store), newProcess(t, store)
	bells := events.NewBells(here.account)
	k, mine, theirs := key(t, 3), key(t, 0).ID(), key(t, 0).ID()
	const many = 1000
	var woken, withheld atomic.Int64
	for i := range many {
		m := events.Missing{Room: room, Session: [...]group.SessionID{k.ID(), mine, theirs}[i%3], Sender: bob}
		go func() {
			var notice *group.WithheldError
			switch err := bells.Wait(t.Context(), m); {
			case err == nil && m.Session == k.ID():
				woken.Add(1)
			case errors.As(err, &notice) && errors.Is(err, group.ErrNoKey) && m.Session != k.ID():
				withheld.Add(1)
			case t.Context().Err() == nil:
				t.Errorf("%v", err)
			}
		}()
	}
	eventually(t, "watched", func() bool { return store.now.Load() == 1 })
	began := time.Now()
	there.putKey(room, k)
	there.withhold(room, mine, alice)
	there.withhold(room, theirs, bob)
	eventually(t, "all awake", func() bool { return woken.Load()+withheld.Load() == many })
	t.Logf("%d are awake after %v", many, time.Since(began))
	eventually(t, "at rest", func() bool { return store.now.Load() == 0 })
	if n := store.ever.Load(); n < 1 || n > many {
		t.Errorf("there were %d watches", n)
	}
}

// TestWaitersLookOnce: however many wait for a key, the store is read for it as often
// as for one; who gives up ends nobody else's wait, and the last ends the looking.
func TestWaitersLookOnce(t *testing.T) {
	store := &counted{watched: &watched{Store: memkv.New()}}
	here, there := newProcess(t, store), newProcess(t, store.Store)
	bells := events.NewBells(here.account)
	k := key(t, 3)
	m := events.Missing{Room: room, Session: k.ID(), Sender: bob}
	first, quit := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- bells.Wait(first, m) }() // who looks for all
	eventually(t, "watched", func() bool { return store.now.Load() == 1 })
	var waiters []<-chan error
	for range 1000 {
		waiters = append(waiters, waiting(t, bells, m))
	}
	eventually(t, "all there", func() bool { return bells.Callers(m) == 1001 })
	quit()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	eventually(t, "one gone", func() bool { return bells.Callers(m) == 1000 })
	before := store.reads.Load()
	there.putKey(room, k)
	for _, w := range waiters {
		must(t, <-w)
	}
	// A watch may say more than once that something has changed.
	if n := store.reads.Load() - before; n < 1 || n > 10 {
		t.Errorf("the store was read %d times", n)
	}
	eventually(t, "at rest", func() bool { return store.now.Load() == 0 })
	last, quit := context.WithCancel(t.Context())
	other := events.Missing{Room: room, Session: key(t, 0).ID()}
	go func() { gone <- bells.Wait(last, other) }()
	eventually(t, "watched", func() bool { return store.now.Load() == 1 })
	quit()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	eventually(t, "at rest", func() bool { return store.now.Load() == 0 })
}

// counted is a store that counts views that something is read in.
type counted struct {
	*watched
	reads atomic.Int64
}

func (c *counted) Snapshot() kv.Snapshot { return &countedView{c.watched.Snapshot(), &c.reads} }

type countedView struct {
	kv.Snapshot
	reads *atomic.Int64
}

func (v *countedView) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	v.reads.Add(1)
	return v.Snapshot.Get(ctx, keys...)
}

// TestWaitForNothing: the key of another room, another session, a key that was
// forgotten, and what strangers say do not end the waiting; a context does.
func TestWaitForNothing(t *testing.T) {
	store := &watched{Store: memkv.New()}
	p := newProcess(t, store)
	bells := events.NewBells(p.account)
	k := key(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- bells.Wait(ctx, events.Missing{Room: room, Session: k.ID(), Sender: bob}) }()
	eventually(t, "watched", func() bool { return store.now.Load() == 1 })
	p.putKey("!other:example.org", k)
	p.putKey(room, key(t, 0))
	p.do(func(tx *txn.Tx) error {
		in, _, err := records.GroupIns.Get(tx, k.ID())
		if err != nil {
			return err
		}
		return records.GroupIns.Put(tx, in.Forget(group.Whole))
	})
	p.withhold(room, k.ID(), "@eve:example.org")
	p.withhold("!other:example.org", k.ID(), bob)
	select {
	case err := <-done:
		t.Fatalf("awake: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// What is there already is told at once.
	p.withhold(room, k.ID(), bob)
	if err := <-waiting(t, bells, events.Missing{Room: room, Session: k.ID(), Sender: bob}); !errors.As(err, new(*group.WithheldError)) {
		t.Errorf("with a notice: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := bells.Wait(ctx, events.Missing{Room: room, Session: k.ID(), Sender: "@carol:example.org"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with somebody else's notice: %v", err)
	}
}

// losing is a store that loses its first watches.
type losing struct {
	*watched
	left atomic.Int64
}

func (l *losing) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	if l.left.Add(-1) < 0 {
		return l.watched.Watch(ctx, prefix, after)
	}
	return func(yield func(kv.Change, error) bool) { yield(kv.Change{}, kv.ErrUnavailable) }
}

// TestWaitThroughLosses: a watch that is lost is taken again; a store that is closed
// ends the waiting.
func TestWaitThroughLosses(t *testing.T) {
	store := &losing{watched: &watched{Store: memkv.New()}}
	store.left.Store(2)
	p := newProcess(t, store)
	bells := events.NewBells(p.account)
	k := key(t, 0)
	done := waiting(t, bells, events.Missing{Room: room, Session: k.ID()})
	eventually(t, "watched", func() bool { return store.now.Load() == 1 })
	p.putKey(room, k)
	must(t, <-done)
	done = waiting(t, bells, events.Missing{Room: room, Session: key(t, 0).ID()})
	eventually(t, "watched", func() bool { return store.now.Load() == 1 })
	must(t, store.Close())
	if err := <-done; !errors.Is(err, kv.ErrClosed) {
		t.Errorf("of a closed store: %v", err)
	}
}

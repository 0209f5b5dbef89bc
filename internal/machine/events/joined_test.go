package events_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/events"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// halting is a store that answers one thing that it is asked for late: it has looked,
// and says what it saw when it is let.
type halting struct {
	*watched
	left  atomic.Int64  // looks until then; negative: it is not late
	saw   chan struct{} // closed when it has looked
	speak chan struct{} // closed for it to answer
}

func newHalting() *halting {
	h := &halting{watched: &watched{Store: memkv.New()}, saw: make(chan struct{}), speak: make(chan struct{})}
	h.left.Store(-1)
	return h
}

// looked counts a look, and halts in one of them.
func (h *halting) looked(ctx context.Context) {
	if h.left.Add(-1) != 0 {
		return
	}
	close(h.saw)
	select {
	case <-h.speak:
	case <-ctx.Done():
	}
}

func (h *halting) Snapshot() kv.Snapshot { return &haltingView{h.watched.Snapshot(), h} }

func (h *halting) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	defer h.looked(ctx)
	return h.watched.Commit(ctx, b)
}

type haltingView struct {
	kv.Snapshot
	of *halting
}

func (v *haltingView) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	defer v.of.looked(ctx)
	return v.Snapshot.Get(ctx, keys...)
}

// TestWhoJoinsALook: who begins to wait when the key is there is not told that it is
// withheld, as somebody else's look had it who waits for the same: whatever that look
// has read and not heard yet, to the last.
func TestWhoJoinsALook(t *testing.T) {
	joined := 0
	for n := int64(1); ; n++ {
		store := newHalting()
		here, there := newProcess(t, store), newProcess(t, store.Store)
		bells := events.NewBells(here.account)
		k := key(t, 0)
		m := events.Missing{Room: room, Session: k.ID(), Sender: bob}
		there.withhold(room, k.ID(), bob)
		store.left.Store(n)
		first := waiting(t, bells, m)
		select {
		case <-store.saw:
		case err := <-first: // in fewer looks
			if !errors.As(err, new(*group.WithheldError)) || joined < 3 || n < 4 {
				t.Errorf("withheld: %v, after %d looks; in %d of them somebody joined", err, n-1, joined)
			}
			return
		}
		there.putKey(room, k)
		second := waiting(t, bells, m)
		var err error
		answered := false
		eventually(t, "waiting, or answered", func() bool {
			select {
			case err = <-second:
				answered = true
			default:
			}
			return answered || bells.Callers(m) == 2
		})
		if !answered {
			joined++
		}
		close(store.speak)
		if !answered {
			err = <-second
		}
		if err != nil {
			t.Errorf("look %d was late: who came when the key was there is told: %v", n, err)
		}
		if err := <-first; err != nil && !errors.As(err, new(*group.WithheldError)) {
			t.Errorf("look %d was late: who came before is told: %v", n, err)
		}
	}
}

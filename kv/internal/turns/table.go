package turns

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// After calls f once, in any goroutine, when d has passed; stop prevents that
// and reports whether it came in time.
type After func(d time.Duration, f func()) (stop func() bool)

// RealTime is the After of the system's clock.
func RealTime(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// Table holds the turns of one store. Its methods may be called from any
// number of goroutines.
type Table struct {
	life   time.Duration
	after  After
	closed chan struct{}
	size   atomic.Int64 // len(turns), for commits that find nobody to wait for

	mu     sync.Mutex
	turns  map[kv.TurnID]*turn // asked for and not over
	queues map[string][]*turn  // of each key, in the order asked for
	last   kv.TurnID
}

// turn is one that was asked for. Its fields change under Table.mu.
type turn struct {
	id      kv.TurnID
	keys    []string
	holds   bool
	granted chan struct{} // closed when it is first in every queue
	over    chan struct{} // closed when it is released, expired or withdrawn
	stop    func() bool   // stops the expiry; nil before it is granted
}

// New returns an empty table of turns that last for life. A nil after means
// RealTime.
func New(life time.Duration, after After) *Table {
	if after == nil {
		after = RealTime
	}
	return &Table{
		life:   life,
		after:  after,
		closed: make(chan struct{}),
		turns:  make(map[kv.TurnID]*turn),
		queues: make(map[string][]*turn),
	}
}

// Take waits for the turn on all of the keys. A key named twice counts once;
// no keys at all are granted at once. Errors: kv.ErrInvalid, kv.ErrClosed, the
// context's, and then the queues are as if it had never been asked for.
func (t *Table) Take(ctx context.Context, keys ...string) (kv.Turn, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return kv.Turn{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return kv.Turn{}, err
	}
	asked, err := t.ask(keys)
	if err != nil {
		return kv.Turn{}, err
	}
	if err := t.await(ctx, asked.granted); err != nil {
		t.end(asked)
		return kv.Turn{}, err
	}
	return kv.Turn{ID: asked.id, Release: func() { t.end(asked) }}, nil
}

// Wait returns when no turn stands before b: see the package documentation. A
// turn in b.Turn that is over or was never granted counts for nothing. Errors:
// kv.ErrClosed, the context's.
func (t *Table) Wait(ctx context.Context, b *kv.Batch) error {
	if t.size.Load() == 0 {
		return nil
	}
	for _, over := range t.before(b) {
		if err := t.await(ctx, over); err != nil {
			return err
		}
	}
	return nil
}

// Close ends every Take and Wait, those to come too, with kv.ErrClosed. Closing
// twice is harmless.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed() {
		return
	}
	close(t.closed)
	for _, asked := range t.turns {
		t.remove(asked)
	}
}

func (t *Table) isClosed() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

// await waits for done. Of several reasons to stop, closing comes first.
func (t *Table) await(ctx context.Context, done <-chan struct{}) error {
	var err error
	select {
	case <-done:
	case <-t.closed:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if t.isClosed() {
		return kv.ErrClosed
	}
	return err
}

// ask puts a turn into the queues of its keys.
func (t *Table) ask(keys []string) (*turn, error) {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	asked := &turn{keys: slices.Compact(keys), granted: make(chan struct{}), over: make(chan struct{})}

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed() {
		return nil, kv.ErrClosed
	}
	t.last++
	asked.id = t.last
	t.turns[asked.id] = asked
	t.size.Add(1)
	for _, key := range asked.keys {
		t.queues[key] = append(t.queues[key], asked)
	}
	t.grant(asked)
	return asked, nil
}

// grant gives the turn if it is first in every queue. Callers hold t.mu.
func (t *Table) grant(asked *turn) {
	for _, key := range asked.keys {
		if t.queues[key][0] != asked {
			return
		}
	}
	if asked.holds {
		return
	}
	asked.holds = true
	asked.stop = t.after(t.life, func() { t.end(asked) })
	close(asked.granted)
}

// end takes the turn out of its queues, and grants those that stood behind it.
// Ending twice is harmless.
func (t *Table) end(asked *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turns[asked.id] == nil {
		return
	}
	t.remove(asked)
	for _, key := range asked.keys {
		if queue := t.queues[key]; len(queue) > 0 {
			t.grant(queue[0])
		}
	}
}

// remove forgets the turn. Callers hold t.mu.
func (t *Table) remove(asked *turn) {
	delete(t.turns, asked.id)
	t.size.Add(-1)
	for _, key := range asked.keys {
		queue := t.queues[key]
		i := slices.Index(queue, asked)
		if queue = slices.Delete(queue, i, i+1); len(queue) == 0 {
			delete(t.queues, key)
			continue
		}
		t.queues[key] = queue
	}
	if asked.stop != nil {
		asked.stop()
	}
	close(asked.over)
}

// before returns the ends of the turns that b has to wait for.
func (t *Table) before(b *kv.Batch) []<-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.turns[b.Turn]
	holder := own != nil && own.holds
	seen := make(map[kv.TurnID]struct{})
	var ends []<-chan struct{}
	for _, w := range b.Writes {
		for _, other := range t.queues[w.Key] {
			if _, twice := seen[other.id]; twice || other == own || holder && !other.holds {
				continue
			}
			seen[other.id] = struct{}{}
			ends = append(ends, other.over)
		}
	}
	return ends
}

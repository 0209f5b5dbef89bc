package turns

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// After calls f once, in any goroutine, when d has passed; stop prevents that
// and reports whether it came in time.
type After func(d time.Duration, f func()) (stop func() bool)

// RealTime is the After of the system's clock.
func RealTime(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// Table holds the turns of one store, and knows the commits that are on their
// way. Its methods may be called from any number of goroutines.
type Table struct {
	life   time.Duration
	after  After
	closed chan struct{}

	mu      sync.Mutex
	turns   map[kv.TurnID]*turn // asked for and not over
	queues  map[string][]*turn  // of each key, in the order asked for
	whole   []*turn             // on the whole store, in the order asked for
	last    kv.TurnID
	commits map[uint64]struct{} // come and not over, by number
	came    uint64              // number of the last
}

// turn is one that was asked for. Its fields change under Table.mu.
type turn struct {
	id      kv.TurnID
	keys    []string            // none: the whole store
	ahead   map[uint64]struct{} // commits that a turn on the whole store waits for
	holds   bool
	granted chan struct{} // closed when it is its turn
	over    chan struct{} // closed when it is released, expired or withdrawn
	stop    func() bool   // stops the alarm; nil before there is one
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

		commits: make(map[uint64]struct{}),
	}
}

// Take waits for the turn on all of the keys, on the whole store without any. A
// key named twice counts once. Errors: kv.ErrInvalid, kv.ErrClosed, the
// context's, and then the queues are as if it had never been asked for.
func (t *Table) Take(ctx context.Context, keys ...string) (kv.Turn, error) {
	asked, err := t.join(ctx, keys)
	if err != nil {
		return kv.Turn{}, err
	}
	if err := t.await(ctx, asked.granted); err != nil {
		t.end(asked)
		return kv.Turn{}, err
	}
	return kv.Turn{ID: asked.id, Release: func() { t.end(asked) }}, nil
}

// join checks the keys of a turn, and asks for it.
func (t *Table) join(ctx context.Context, keys []string) (*turn, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return t.ask(keys)
}

// Close ends every Take and Enter, those to come too, with kv.ErrClosed. Closing
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
	for _, key := range asked.keys {
		t.queues[key] = append(t.queues[key], asked)
	}
	if asked.isWhole() {
		t.whole = append(t.whole, asked)
		asked.ahead = maps.Clone(t.commits)
	}
	t.grant(asked)
	return asked, nil
}

func (t *turn) isWhole() bool { return len(t.keys) == 0 }

// grant gives the turn if nothing stands before it. Callers hold t.mu.
func (t *Table) grant(asked *turn) {
	if asked.holds || !t.isFirst(asked) {
		return
	}
	if len(asked.ahead) > 0 {
		if asked.stop == nil { // a commit that hangs holds it up for as long as a turn does
			asked.stop = t.after(t.life, func() { t.force(asked) })
		}
		return
	}
	if asked.stop != nil {
		asked.stop()
	}
	asked.holds = true
	asked.stop = t.after(t.life, func() { t.end(asked) })
	close(asked.granted)
}

// isFirst reports whether no turn stands before this one. Callers hold t.mu.
func (t *Table) isFirst(asked *turn) bool {
	if asked.isWhole() {
		for id := range t.turns {
			if id < asked.id {
				return false
			}
		}
		return true
	}
	for _, key := range asked.keys {
		if t.queues[key][0] != asked {
			return false
		}
	}
	return len(t.whole) == 0 || t.whole[0].id > asked.id
}

// force grants a turn although commits stand before it.
func (t *Table) force(asked *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turns[asked.id] != nil {
		asked.ahead = nil
		t.grant(asked)
	}
}

// end takes the turn out of its queues, and grants those that stood behind it.
// Ending twice is harmless.
func (t *Table) end(asked *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turns[asked.id] != nil {
		t.over(asked)
	}
}

// over is end for those who hold t.mu, of a turn that is not over.
func (t *Table) over(asked *turn) {
	t.remove(asked)
	if asked.isWhole() {
		for _, queue := range t.queues {
			t.grant(queue[0])
		}
	}
	for _, key := range asked.keys {
		if queue := t.queues[key]; len(queue) > 0 {
			t.grant(queue[0])
		}
	}
	t.grantWhole()
}

// grantWhole grants the first turn on the whole store, if it may be. Callers
// hold t.mu.
func (t *Table) grantWhole() {
	if len(t.whole) > 0 {
		t.grant(t.whole[0])
	}
}

// remove forgets the turn. Callers hold t.mu.
func (t *Table) remove(asked *turn) {
	delete(t.turns, asked.id)
	t.whole = without(t.whole, asked)
	for _, key := range asked.keys {
		if queue := without(t.queues[key], asked); len(queue) > 0 {
			t.queues[key] = queue
		} else {
			delete(t.queues, key)
		}
	}
	if asked.stop != nil {
		asked.stop()
	}
	close(asked.over)
}

func without(queue []*turn, gone *turn) []*turn {
	return slices.DeleteFunc(queue, func(t *turn) bool { return t == gone })
}

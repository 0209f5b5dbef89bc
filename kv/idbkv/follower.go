//go:build js

package idbkv

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// followEvery is how often a store that is watched looks whether others have committed
// whose ring it has missed.
const followEvery = time.Second

// follower reads from the log what was committed, in whichever tab, and tells a hub.
type follower struct {
	store   *Store
	rung    chan struct{} // has room for one: somebody has committed
	reading chan struct{} // has a token while somebody reads the log

	mu       sync.Mutex // held for no longer than it takes to look at what is below
	watchers int
	stop     chan struct{} // of the goroutine that looks, while somebody watches
	hub      *watch.Hub
	head     kv.Version // that the hub was told of
	failure  error      // why the hub was given up
}

func newFollower(s *Store) *follower {
	return &follower{store: s, rung: make(chan struct{}, 1), reading: make(chan struct{}, 1)}
}

// Watch is kv.Store.Watch.
func (f *follower) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		f.enter()
		defer f.leave()
		watch.Follow(ctx, prefix, after, f.current, f.over)(yield)
	}
}

// ended returns why nobody watches any more, nil if watches go on.
func (f *follower) ended() error {
	select {
	case <-f.store.conn.gone:
		return f.store.conn.cause
	default:
		return nil
	}
}

// enter begins to look if nobody has watched.
func (f *follower) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers++; f.watchers == 1 && f.ended() == nil {
		f.stop = make(chan struct{})
		go f.look(f.stop)
	}
}

func (f *follower) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers--; f.watchers == 0 {
		f.rest()
	}
}

// rest gives up what is there for watching. Callers hold f.mu.
func (f *follower) rest() {
	if f.stop != nil {
		close(f.stop)
		f.stop = nil
	}
	f.drop(nil)
}

// drop gives the hub up. Callers hold f.mu.
func (f *follower) drop(why error) {
	f.failure = why
	if f.hub != nil {
		f.hub.Close()
		f.hub = nil
	}
}

// look catches up whenever somebody has committed.
func (f *follower) look(stop <-chan struct{}) {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-f.store.conn.gone:
			f.mu.Lock()
			f.drop(f.store.conn.cause)
			f.mu.Unlock()
			return
		case <-f.rung:
		case <-ticker.C:
		}
		if err := f.catchUp(context.Background(), false); err != nil {
			f.mu.Lock()
			f.drop(err)
			f.mu.Unlock()
		}
	}
}

// nudge tells that somebody has committed.
func (f *follower) nudge() {
	select {
	case f.rung <- struct{}{}:
	default:
	}
}

// current returns a hub that knows of all that was committed before.
func (f *follower) current(ctx context.Context) (*watch.Hub, error) {
	if err := f.ended(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.catchUp(ctx, true); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = nil
	if f.hub == nil { // the store was closed meanwhile, or reading has failed since
		if err := f.ended(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: the log of changes could not be read", kv.ErrUnavailable)
	}
	return f.hub, nil
}

// over returns why no hub takes the place of one that was closed, nil if one does.
func (f *follower) over(hub *watch.Hub) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ended(); err != nil {
		return err
	}
	if f.hub == hub {
		return nil
	}
	return f.failure
}

// catchUp tells the hub of what was committed since; with anew it makes one if there is
// none.
func (f *follower) catchUp(ctx context.Context, anew bool) error {
	select {
	case f.reading <- struct{}{}:
		defer func() { <-f.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for more := true; more; {
		after, follows := f.told()
		if !follows && !anew {
			return nil
		}
		oldest, rows, err := f.log(ctx, after)
		if err != nil {
			return err
		}
		f.publish(oldest, rows)
		more = len(rows) == logPage
	}
	return nil
}

// told returns the version that the hub was told of, and whether there is one.
func (f *follower) told() (kv.Version, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hub == nil {
		return 0, false
	}
	return f.head, true
}

// log reads rows of the log after a version, and which is the oldest, 0 if there is none.
func (f *follower) log(ctx context.Context, after kv.Version) (oldest kv.Version, rows []logRow, err error) {
	err = f.store.read(ctx, []any{changesStore}, func(t *tx) error {
		changes := t.store(changesStore)
		within := keyRange.Call("lowerBound", float64(after+1))
		first := t.ask(changes.Call("getKey", keyRange.Call("lowerBound", 0)))
		versions := t.ask(changes.Call("getAllKeys", within, logPage))
		written := t.ask(changes.Call("getAll", within, logPage))
		return t.then(func() (err error) {
			oldest = numberOf(first.Get("result"))
			if rows, err = logRows(versions, written); err == nil {
				t.answer()
			}
			return err
		})
	})
	return oldest, rows, err
}

// publish tells the hub of rows. If some that it was not told of are no longer kept,
// another hub takes its place, and its watchers have to resync.
func (f *follower) publish(oldest kv.Version, rows []logRow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hub != nil && oldest > f.head+1 {
		f.hub.Close()
		f.hub = nil
	}
	if f.hub == nil {
		f.head = max(oldest, 1) - 1
		f.hub = watch.New(f.head, 0)
	}
	for _, row := range rows {
		f.hub.Publish(row.version, row.writes)
		f.head = row.version
	}
}

// close ends every watch.
func (f *follower) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest()
}

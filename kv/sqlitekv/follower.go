package sqlitekv

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// followEvery is how often a process that watches looks whether others have
// committed, which takes some microseconds. One that does not watch does not
// look.
const followEvery = 20 * time.Millisecond

// follower reads from the table of changes what was committed, by whichever
// process, and tells a hub.
type follower struct {
	path    string
	set     *settings
	readers *readers
	closed  chan struct{}
	nudge   chan struct{} // has room for one: this process has committed

	mu       sync.Mutex
	watchers int
	stop     chan struct{} // of the goroutine that looks, while somebody watches
	conn     *conn
	hub      *watch.Hub
	head     kv.Version // that the hub was told of
	data     kv.Version // SQLite's counter of others' commits
	failure  error      // why the hub was given up
}

func newFollower(path string, set *settings, r *readers) *follower {
	return &follower{path: path, set: set, readers: r, closed: make(chan struct{}), nudge: make(chan struct{}, 1)}
}

// Watch is kv.Store.Watch.
func (f *follower) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		f.enter()
		defer f.leave()
		watch.Follow(ctx, prefix, after, f.current, f.over)(yield)
	}
}

func (f *follower) isClosed() bool {
	select {
	case <-f.closed:
		return true
	default:
		return false
	}
}

// enter begins to look if nobody has watched.
func (f *follower) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers++; f.watchers == 1 && !f.isClosed() {
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
	if f.hub != nil {
		f.hub.Close()
		f.hub = nil
	}
	if f.conn != nil {
		f.conn.close()
		f.conn = nil
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
		case <-f.nudge:
		case <-ticker.C:
		}
		f.mu.Lock()
		if f.hub != nil {
			if err := f.catchUp(context.Background()); err != nil {
				f.failure = err
				f.hub.Close()
				f.hub = nil
			}
		}
		f.mu.Unlock()
	}
}

// committed tells that this process has committed.
func (f *follower) committed() {
	select {
	case f.nudge <- struct{}{}:
	default:
	}
}

// current returns a hub that knows of all that was committed before.
func (f *follower) current(ctx context.Context) (*watch.Hub, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isClosed() {
		return nil, kv.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.failure = nil
	err := f.catchUp(ctx)
	return f.hub, err
}

// over returns why no hub takes the place of one that was closed, nil if one does.
func (f *follower) over(hub *watch.Hub) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isClosed():
		return kv.ErrClosed
	case f.hub == hub:
		return nil
	}
	return f.failure
}

// catchUp tells the hub of what was committed since. Callers hold f.mu.
func (f *follower) catchUp(ctx context.Context) (err error) {
	defer guard(&err)
	f.readers.begin()
	defer f.readers.end()
	if f.conn == nil {
		if f.conn, err = openConn(f.path, f.set); err != nil {
			return err
		}
		f.data = 0
	}
	f.conn.wait(ctx, f.set.wait)
	data, err := f.conn.number(qDataVersion)
	if err != nil || data == f.data && f.hub != nil {
		return err
	}
	if err := f.conn.run(qBegin); err != nil {
		return err
	}
	err = errors.Join(f.publish(), f.conn.rollback())
	if err == nil {
		f.data = data
	}
	return err
}

// publish reads the changes. If some that the hub was not told of are no longer
// kept, another hub takes its place, and its watchers have to resync.
func (f *follower) publish() error {
	oldest, err := f.conn.number(qOldestChange)
	if err != nil {
		return err
	}
	if f.hub != nil && oldest > f.head+1 {
		f.hub.Close()
		f.hub = nil
	}
	if f.hub == nil {
		f.head = max(oldest, 1) - 1
		f.hub = watch.New(f.head, 0)
	}
	return f.conn.rows(qChanges, func(row *sqlite3.Stmt) (bool, error) {
		version := kv.Version(row.ColumnInt64(0))
		writes, err := watch.DecodeChanges(row.ColumnRawBlob(1))
		if err != nil {
			return false, err
		}
		f.hub.Publish(version, writes)
		f.head = version
		return true, nil
	}, f.head)
}

// close ends every watch.
func (f *follower) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isClosed() {
		close(f.closed)
	}
	f.rest()
}

// pause closes the connection until it is needed again.
func (f *follower) pause() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn != nil {
		f.conn.close()
		f.conn = nil
	}
}

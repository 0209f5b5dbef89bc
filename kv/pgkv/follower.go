package pgkv

import (
	"context"
	"iter"
	"log/slog"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// follower reads the changes of a space, whoever made them, and tells a hub, as long as
// somebody watches.
type follower struct {
	store *Store
	nudge chan struct{} // has room for one: something was committed

	mu       sync.Mutex
	closed   bool
	watchers int
	rest     context.CancelFunc // ends the goroutine that looks, while somebody watches

	reading sync.Mutex
	hub     *watch.Hub
	head    kv.Version // that the hub was told of
}

func newFollower(s *Store) *follower {
	return &follower{store: s, nudge: make(chan struct{}, 1)}
}

// Watch is kv.Store.Watch.
func (f *follower) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		f.enter()
		defer f.leave()
		watch.Follow(ctx, prefix, after, f.current, f.over)(yield)
	}
}

// over returns why no hub takes the place of one that was closed, nil if one does.
func (f *follower) over(*watch.Hub) error {
	if f.store.life.Err() != nil {
		return kv.ErrClosed
	}
	return nil
}

// enter begins to look if nobody has watched.
func (f *follower) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers++; f.watchers > 1 || f.closed {
		return
	}
	ctx, cancel := context.WithCancel(f.store.life)
	leave := f.store.db.bells.join(f.store.space, func(of byte, _ int64) {
		if of == ofCommits || of == ofAny {
			f.committed()
		}
	})
	f.rest = func() { cancel(); leave() }
	go f.look(ctx)
}

func (f *follower) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers--; f.watchers == 0 && f.rest != nil {
		f.rest()
		f.rest = nil
	}
}

// look catches up whenever something was committed. A server that cannot be reached now
// is asked again when the next bell rings.
func (f *follower) look(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.nudge:
		}
		if _, err := f.current(ctx); err != nil && ctx.Err() == nil {
			f.store.db.set.logger.Warn("changes cannot be read for those who watch", slog.Any("error", err))
		}
	}
}

// committed tells that there is something to read.
func (f *follower) committed() {
	select {
	case f.nudge <- struct{}{}:
	default:
	}
}

// current returns a hub that knows of all that was committed before.
func (f *follower) current(ctx context.Context) (*watch.Hub, error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	if err := f.store.usable(ctx); err != nil {
		return nil, err
	}
	rows, err := f.store.read(ctx, newCall("changes_after", f.store.space).number(int64(f.head)))
	if err != nil {
		return nil, err
	}
	f.publish(rows)
	return f.hub, nil
}

// publish tells the hub of changes. If some that it was not told of are no longer kept,
// or the space is not what it was, another hub takes its place, and its watchers have to
// resync.
func (f *follower) publish(rows []row) {
	var writes []kv.Write
	for _, r := range rows {
		version := kv.Version(r.binary(1))
		switch r.binary(0) {
		case 0:
			if version < f.head {
				f.replace(version)
			}
			if f.hub == nil {
				f.replace(0)
			}
		case -2:
			f.replace(version - 1)
		case 1, 2:
			writes = append(writes, kv.Write{Key: string(r[2]), Delete: r.binary(0) == 2})
		case 3:
			f.hub.Publish(version, writes)
			f.head, writes = version, nil
		}
	}
}

// replace makes a hub that knows nothing of what was before a version.
func (f *follower) replace(head kv.Version) {
	if f.hub != nil {
		f.hub.Close()
	}
	f.hub, f.head = watch.New(head, 0), head
}

// close ends every watch.
func (f *follower) close() {
	f.mu.Lock()
	f.closed = true
	if f.rest != nil {
		f.rest()
		f.rest = nil
	}
	f.mu.Unlock()
	f.reading.Lock()
	defer f.reading.Unlock()
	if f.hub != nil {
		f.hub.Close()
	}
}

package sharekv

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
	"github.com/pawlkv/pawl/kv/internal/watch"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// owner is the store in the process that has the engine open, which answers the
// others over the transport.
type owner struct {
	settings
	place  *Place
	engine LocalEngine
	turns  *turns.Table
	hub    *watch.Hub
	number uint64 // of the term, unlike any other
	began  time.Time

	raising sync.Mutex

	// showing is held while a version is made visible and told, and by who begins
	// to watch.
	showing sync.RWMutex

	listener net.Listener // nil where there is none
	server   *wire.Server
	accepts  sync.WaitGroup

	gone   chan struct{} // closed when it owns the store no more, or will soon
	going  sync.Once
	ending sync.Once
	err    error // of ending
}

var _ access = (*owner)(nil)

// own makes this process the owner. It returns ErrHeld if another one is. known
// is the store that must be there, nil before the first time.
func own(path string, opener Opener, known *ID, set settings) (*owner, error) {
	place, err := lockPlace(path, set.name, opener, known)
	if err != nil {
		return nil, err
	}
	o := &owner{settings: set, place: place, number: rand.Uint64(), began: time.Now(), gone: make(chan struct{})}
	// Those who look for the owner may wait at the listener from now on.
	if o.listener, err = set.transport.Listen(place); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		set.logger.Warn("other processes cannot reach the store: it stays with this one", slog.Any("error", err))
	}
	if err := o.open(opener); err != nil {
		return nil, errors.Join(err, o.unlisten(), place.unlock())
	}
	o.server = wire.NewServer(wire.Service{
		Store: served{o}, ID: wire.ID(o.engine.ID()), Term: o.number, PID: os.Getpid(),
		Versions: set.versions, Patience: set.patience, Logger: set.logger,
	})
	if f, can := o.engine.(Formatted); can && f.Format() == kv.NewestFormat {
		o.server.BarFormat1()
	}
	if o.listener != nil {
		o.accepts.Go(o.accept)
	}
	return o, nil
}

// open opens the engine and what is ours beside it.
func (o *owner) open(opener Opener) (err error) {
	o.place.owner = o
	if o.engine, err = opener.Open(o.place); err != nil {
		return err
	}
	newest := o.engine.Snapshot()
	defer newest.Close()
	head, err := newest.Version(context.Background())
	if err != nil {
		return errors.Join(fmt.Errorf("sharekv: open %s: %w", o.name, err), o.engine.Close())
	}
	o.hub = watch.New(head, o.watchLog)
	o.turns = turns.New(o.limits.TurnLife, o.timer)
	return nil
}

// acceptPause is how long the owner waits when the system gives it no more
// connections.
const acceptPause = 50 * time.Millisecond

// accept serves connections until the listener is closed.
func (o *owner) accept() {
	for {
		conn, err := o.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, ErrStranger):
			o.logger.Warn("a process was refused", slog.Any("error", err))
		case err != nil:
			o.logger.Warn("a process could not be connected", slog.Any("error", err))
			select {
			case <-time.After(acceptPause):
			case <-o.gone:
			}
		case !o.place.Held():
			conn.Close()
		default:
			o.accepts.Go(func() { o.server.Serve(conn) })
		}
	}
}

// depose ends an owner whose place is not ours any more, or whose engine failed.
func (o *owner) depose() {
	o.leave()
	go func() {
		if err := o.end(); err != nil {
			o.logger.Warn("closing a store that was taken away", slog.Any("error", err))
		}
	}()
}

// leave says that this is no longer the owner to go to.
func (o *owner) leave() { o.going.Do(func() { close(o.gone) }) }

func (o *owner) over() <-chan struct{} { return o.gone }

// end hands the store over: no more calls, answers to those that were applied,
// then the engine and the lock. Ending twice returns what the first time did.
func (o *owner) end() error {
	o.leave()
	o.ending.Do(func() {
		failure := o.unlisten()
		o.turns.Close()
		o.hub.Close()
		o.engine.Stop()
		o.server.Close()
		o.accepts.Wait()
		o.err = errors.Join(failure, o.engine.Close(), o.place.unlock())
	})
	return o.err
}

func (o *owner) unlisten() error {
	if o.listener == nil {
		return nil
	}
	return o.listener.Close()
}

func (o *owner) status() Status {
	clients, _ := o.server.Clients()
	return Status{Owner: true, PID: os.Getpid(), Term: o.number, Clients: clients}
}

// Snapshot implements kv.Store.
func (o *owner) Snapshot() kv.Snapshot { return o.engine.Snapshot() }

// Commit implements kv.Store, for a batch that was checked.
func (o *owner) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	leave, err := o.turns.Enter(ctx, b)
	if err != nil {
		return 0, err
	}
	defer leave()
	return o.engine.Commit(ctx, b)
}

// served is the owner as guests reach it: what they send may be anything.
type served struct{ *owner }

// Commit implements kv.Store.
func (s served) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.limits); err != nil {
		return 0, err
	}
	return s.owner.Commit(ctx, b)
}

// Limits implements kv.Store.
func (o *owner) Limits() kv.Limits { return o.limits }

// Turn implements kv.Store.
func (o *owner) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	return o.turns.Take(ctx, keys...)
}

// Watch implements kv.Store.
func (o *owner) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		o.awaitTold()
		o.hub.Watch(ctx, prefix, after)(yield)
	}
}

// awaitTold returns when the watchers were told of all that the caller can have
// seen.
func (o *owner) awaitTold() {
	o.showing.RLock()
	defer o.showing.RUnlock()
}

// Flatten implements wire.Store.
func (o *owner) Flatten(ctx context.Context) error { return o.engine.Flatten(ctx) }

// settled is how long it takes at most, from the beginning of a term, until a
// process has come back that was at work with the owner before.
const settled = 500 * time.Millisecond

// Raise implements wire.Store: the versions of the protocol that are spoken here
// tell which programs have the store open.
func (o *owner) Raise(ctx context.Context) (kv.Format, error) {
	engine, can := o.engine.(Formatted)
	if !can {
		return kv.NewestFormat, nil
	}
	if format := engine.Format(); format == kv.NewestFormat {
		return format, nil
	}
	timer := time.NewTimer(time.Until(o.began.Add(settled)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-o.gone:
		return 0, kv.ErrClosed
	}
	return o.raise(engine)
}

func (o *owner) raise(engine Formatted) (kv.Format, error) {
	o.raising.Lock()
	defer o.raising.Unlock()
	if engine.Format() == kv.NewestFormat || !o.server.BarFormat1() {
		return engine.Format(), nil
	}
	if err := engine.Raise(); err != nil {
		o.server.AdmitFormat1()
		return 0, err
	}
	o.logger.Info("the store has a new format: older programs do not open it any more", slog.Int("format", int(engine.Format())))
	return engine.Format(), nil
}

// Close implements kv.Store.
func (o *owner) Close() error { return o.end() }

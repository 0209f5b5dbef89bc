package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
	"github.com/pawlkv/pawl/kv/internal/watch"
	"github.com/pawlkv/pawl/kv/internal/wire"
)

// owner is the store in the process that has Badger open, which answers the
// others over a socket.
type owner struct {
	engine *engine
	turns  *turns.Table
	hub    *watch.Hub
	epoch  uint64

	listener *net.UnixListener // nil where there is none
	server   *wire.Server
	accepts  sync.WaitGroup

	gone   chan struct{} // closed when it owns the store no more, or will soon
	going  sync.Once
	ending sync.Once
	err    error // of ending
}

var _ session = (*owner)(nil)

// own makes this process the owner. It returns errHeld if another one is.
// known is the store that must be there, nil before the first time.
func own(path string, known *wire.ID, set settings) (*owner, error) {
	dir, err := openDirectory(path, known)
	if errors.Is(err, ErrForeign) {
		err = fmt.Errorf("%w: %s", err, set.name)
	}
	if err != nil {
		return nil, err
	}
	if set.hooks.lock != nil {
		set.hooks.lock()
	}
	o := &owner{turns: turns.New(kv.EmbeddedTurnLife, set.timer), epoch: rand.Uint64(), gone: make(chan struct{})}
	// Those who look for the owner may wait at the socket from now on.
	if o.listener, err = listen(path); err != nil && sharing {
		set.logger.Warn("other processes cannot reach the store: it stays with this one", zap.Error(err))
	}
	if o.engine, err = openEngine(dir, set); err != nil {
		o.turns.Close()
		return nil, errors.Join(err, o.unlisten(dir), dir.close())
	}
	o.hub = watch.New(o.engine.views.head, set.watchLog)
	o.engine.start(o.hub.Publish, o.depose)
	o.server = wire.NewServer(wire.Service{
		Store: o, ID: dir.id, Epoch: o.epoch, PID: os.Getpid(),
		Versions: set.versions, Patience: set.patience, Logger: set.logger,
	})
	if o.listener != nil {
		o.accepts.Go(o.accept)
	}
	return o, nil
}

// acceptPause is how long the owner waits when the system gives it no more
// connections.
const acceptPause = 50 * time.Millisecond

// accept serves connections until the listener is closed.
func (o *owner) accept() {
	log := o.server.Logger
	for {
		conn, err := o.listener.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			log.Warn("a process could not be connected", zap.Error(err))
			select {
			case <-time.After(acceptPause):
			case <-o.gone:
			}
			continue
		}
		if !o.engine.dir.holds() {
			conn.Close()
			o.depose()
			continue
		}
		if err := checkPeer(conn); err != nil {
			log.Warn("a process was refused", zap.Error(err))
			conn.Close()
			continue
		}
		o.accepts.Go(func() { o.server.Serve(conn) })
	}
}

// depose ends an owner whose lock is not the store's any more.
func (o *owner) depose() {
	o.leave()
	go func() {
		if err := o.end(); err != nil {
			o.server.Logger.Warn("closing a store that was taken away", zap.Error(err))
		}
	}()
}

// leave says that this is no longer the owner to go to.
func (o *owner) leave() { o.going.Do(func() { close(o.gone) }) }

func (o *owner) over() <-chan struct{} { return o.gone }

// end hands the store over: no more calls, answers to those that were applied,
// then Badger and the lock. Ending twice returns what the first time did.
func (o *owner) end() error {
	o.leave()
	o.ending.Do(func() {
		dir := o.engine.dir
		failure := o.unlisten(dir)
		o.turns.Close()
		o.hub.Close()
		o.engine.stop()
		o.server.Close()
		o.accepts.Wait()
		o.err = errors.Join(failure, o.engine.close())
	})
	return o.err
}

// unlisten closes the socket, and removes it as long as it is ours.
func (o *owner) unlisten(dir *directory) error {
	if o.listener == nil {
		return nil
	}
	err := o.listener.Close()
	if dir.holds() {
		if e := os.Remove(dir.file(sockName)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (o *owner) status() Status {
	clients, _ := o.server.Clients()
	return Status{Owner: true, PID: os.Getpid(), Epoch: o.epoch, Clients: clients}
}

// Snapshot implements kv.Store.
func (o *owner) Snapshot() kv.Snapshot { return &snapshot{engine: o.engine} }

// Commit implements kv.Store.
func (o *owner) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(o.Limits()); err != nil {
		return 0, err
	}
	if err := o.engine.checkOpen(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(b.Writes) == 0 {
		return o.engine.validate(b)
	}
	if err := o.turns.Wait(ctx, b); err != nil {
		return 0, err
	}
	return o.engine.commit(ctx, b)
}

// Limits implements kv.Store.
func (o *owner) Limits() kv.Limits { return o.engine.settings.limits() }

// Turn implements kv.Store.
func (o *owner) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	return o.turns.Take(ctx, keys...)
}

// Watch implements kv.Store.
func (o *owner) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return o.hub.Watch(ctx, prefix, after)
}

// Flatten implements wire.Store.
func (o *owner) Flatten(ctx context.Context) error { return o.engine.flatten(ctx) }

// Close implements kv.Store.
func (o *owner) Close() error { return o.end() }

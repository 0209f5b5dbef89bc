package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// A page of a scan or a part of a long answer ends after so many entries or
// bytes.
const (
	pageEntries = 512
	pageBytes   = 256 << 10
)

// note does what takes no time.
func (c *conn) note(r *request) {
	switch r.op {
	case opClose:
		c.close(c.held.closeSnapshot(r.on))
	case opRelease:
		c.held.releaseTurn(kv.TurnID(r.on))
	case opMore:
		c.held.more(r.on)
	case opCancel:
		c.mu.Lock()
		cancel := c.cancels[r.on]
		c.mu.Unlock()
		if cancel != nil {
			cancel()
		}
	case opPing:
		c.send(answer(r.number, answered, 0))
	}
}

// close closes a snapshot, if it is not nil. A read of it may be under way, and
// closing waits for that.
func (c *conn) close(snapshot kv.Snapshot) {
	if snapshot == nil {
		return
	}
	c.mu.Lock()
	idle := len(c.cancels) == 0
	c.mu.Unlock()
	if idle {
		snapshot.Close()
	} else {
		c.running.Go(snapshot.Close)
	}
}

// handler returns what answers the request. What depends on the order of
// requests is done before it returns.
func (c *conn) handler(r *request) func(ctx context.Context) {
	switch r.op {
	case opGet:
		snapshot := c.held.snapshot(c.server.Store, r.on)
		return func(ctx context.Context) { c.get(ctx, r, snapshot) }
	case opScan:
		snapshot := c.held.snapshot(c.server.Store, r.on)
		return c.stream(r, func(ctx context.Context, s *stream) error { return s.scan(ctx, snapshot, r.prefix) })
	case opWatch:
		return c.stream(r, func(ctx context.Context, s *stream) error {
			return s.watch(c.server.Store.Watch(ctx, r.prefix, r.after))
		})
	case opCommit:
		if len(r.batch.Writes) == 0 {
			return func(ctx context.Context) { c.validate(ctx, r) }
		}
		this, earlier := c.held.begin(r.batch.ID, r.number)
		return func(ctx context.Context) { c.commit(ctx, r, this, earlier) }
	}
	if r.op == opRaise {
		return func(ctx context.Context) { c.raise(ctx, r) }
	}
	return func(ctx context.Context) { c.flatten(ctx, r) }
}

func (c *conn) get(ctx context.Context, r *request, snapshot kv.Snapshot) {
	entries, err := snapshot.Get(ctx, r.keys...)
	version := kv.Version(0)
	if err == nil {
		version, err = snapshot.Version(ctx)
	}
	if err != nil {
		c.sendError(r.number, err)
		return
	}
	for {
		n := pageOf(entries)
		s := partial
		if n == len(entries) {
			s = answered
		}
		o := answer(r.number, s, 2)
		o.version(version)
		each(o, entries[:n], o.entry)
		c.send(o)
		if entries = entries[n:]; s == answered {
			return
		}
	}
}

// pageOf returns how many of the entries go into one frame.
func pageOf(entries []kv.Entry) int {
	size := 0
	for i, e := range entries {
		if size += len(e.Value); size > pageBytes {
			return i + 1
		}
	}
	return len(entries)
}

// commit commits after the earlier try, if there was one. A client of version 1
// cannot say that it tries again, so the server does that has seen it.
func (c *conn) commit(ctx context.Context, r *request, this, earlier try) {
	if earlier.over != nil {
		<-earlier.over
	}
	if c.version < versionAgain && earlier.over != nil {
		r.batch.Again = true
	}
	version, err := c.server.Store.Commit(ctx, r.batch)
	c.held.end(r.batch.ID, this, ctx.Err() == nil && !errors.Is(err, kv.ErrUnknown))
	c.sendOutcome(r.number, version, err)
}

// validate checks a batch without writes, of which it does not matter how often
// and in which order it comes.
func (c *conn) validate(ctx context.Context, r *request) {
	version, err := c.server.Store.Commit(ctx, r.batch)
	c.sendOutcome(r.number, version, err)
}

func (c *conn) flatten(ctx context.Context, r *request) {
	store, can := c.server.Store.(Store)
	err := fmt.Errorf("%w: this store cannot be flattened", kv.ErrInvalid)
	if can {
		err = store.Flatten(ctx)
	}
	if err != nil {
		c.sendError(r.number, err)
		return
	}
	c.send(answer(r.number, answered, 0))
}

func (c *conn) raise(ctx context.Context, r *request) {
	format, err := kv.Raise(ctx, c.server.Store)
	if err != nil {
		c.sendError(r.number, err)
		return
	}
	o := answer(r.number, answered, 1)
	o.uint(uint64(format))
	c.send(o)
}

// inOrder asks for a turn, and returns when it stands in the queue or is
// answered: turns are granted in the order asked for.
func (c *conn) inOrder(r *request) {
	queued := make(chan struct{})
	c.start(r, func(ctx context.Context) {
		asking := &asking{Context: ctx, queued: queued}
		defer asking.enter()
		c.turn(asking, r)
	})
	<-queued
}

func (c *conn) turn(ctx context.Context, r *request) {
	turn, err := c.server.Store.Turn(ctx, r.keys...)
	if err != nil {
		c.sendError(r.number, err)
		return
	}
	c.held.addTurn(turn)
	if ctx.Err() != nil { // nobody waits for it any more
		c.held.releaseTurn(turn.ID)
	}
	o := answer(r.number, answered, 1)
	o.uint(uint64(turn.ID))
	c.send(o)
}

// asking tells when the call that it is given to begins to wait: that is when
// it looks for what would end its waiting.
type asking struct {
	context.Context
	once   sync.Once
	queued chan struct{}
}

func (a *asking) enter() { a.once.Do(func() { close(a.queued) }) }

func (a *asking) Done() <-chan struct{} {
	a.enter()
	return a.Context.Done()
}

package sqlitekv

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// turnQueue grants turns: first among the callers of this process, then among
// processes.
type turnQueue struct {
	table *turns.Table // of this process; its turns do not expire by themselves
	after turns.After
	board *board
	gate  *gate // to look whether another process commits; the committer has its own

	mu      sync.Mutex
	tickets map[kv.TurnID]uint64 // on the board, of turns that are granted
	looking sync.Mutex           // held by who waits for gate
}

func newTurnQueue(b *board, g *gate, after turns.After) *turnQueue {
	return &turnQueue{
		table: turns.New(kv.EmbeddedTurnLife, turns.Never), after: after,
		board: b, gate: g, tickets: make(map[kv.TurnID]uint64),
	}
}

// take is kv.Store.Turn. A turn lasts from when it is granted among processes.
func (q *turnQueue) take(ctx context.Context, keys []string) (kv.Turn, error) {
	var ticket uint64
	turn, err := q.table.TakeAmong(ctx, keys, func(kv.TurnID) (err error) {
		ticket, err = q.queue(ctx, keys)
		return err
	})
	if err != nil {
		return kv.Turn{}, err
	}
	q.mu.Lock()
	q.tickets[turn.ID] = ticket
	q.mu.Unlock()
	end := sync.OnceFunc(func() {
		q.mu.Lock()
		delete(q.tickets, turn.ID)
		q.mu.Unlock()
		q.board.leave(ticket)
		turn.Release()
	})
	stop := q.after(kv.EmbeddedTurnLife, end)
	granted := kv.Turn{ID: turn.ID, Release: func() { stop(); end() }}
	if len(keys) == 0 {
		if err := q.lookThrough(ctx); err != nil {
			granted.Release()
			return kv.Turn{}, err
		}
	}
	return granted, nil
}

// lookThrough returns when a commit of another process is over that had the gate
// when a turn on the whole store was granted; those that come after it see the
// turn. Whoever keeps the gate for longer than the turn lasts is not waited for.
func (q *turnQueue) lookThrough(ctx context.Context) error {
	q.looking.Lock()
	defer q.looking.Unlock()
	patience := time.NewTimer(kv.EmbeddedTurnLife)
	defer patience.Stop()
	defer q.gate.release()
	select {
	case <-q.gate.ask():
	case <-patience.C:
	case <-q.board.closed:
		return kv.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// queue waits on the board until nobody stands before us. Where the board
// cannot be used, turns hold within this process only: they are advice.
func (q *turnQueue) queue(ctx context.Context, keys []string) (ticket uint64, err error) {
	ticket = q.board.join(keys)
	poll := newPoll()
	defer poll.stop()
	for !q.board.grant(ticket, keys) {
		if err := q.pause(ctx, poll); err != nil {
			q.board.leave(ticket)
			return 0, err
		}
	}
	return ticket, nil
}

// enter returns when no turn stands before b: those of this process as
// turns.Table has it, and those of others that were asked for by now. The caller
// calls leave when the commit is over.
func (q *turnQueue) enter(ctx context.Context, b *kv.Batch) (leave func(), err error) {
	leave, err = q.table.Enter(ctx, b)
	if err != nil || q.board.empty() {
		return leave, err
	}
	if err := q.awaitOthers(ctx, b); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (q *turnQueue) awaitOthers(ctx context.Context, b *kv.Batch) error {
	q.mu.Lock()
	_, holder := q.tickets[b.Turn]
	q.mu.Unlock()
	keys := make([]string, len(b.Writes))
	for i, w := range b.Writes {
		keys[i] = w.Key
	}
	before := q.board.others(keys, holder)
	poll := newPoll()
	defer poll.stop()
	for len(before) > 0 {
		if err := q.pause(ctx, poll); err != nil {
			return err
		}
		now := q.board.others(keys, holder)
		before = slices.DeleteFunc(before, func(t uint64) bool { return !slices.Contains(now, t) })
	}
	return nil
}

// taken reports, to the one who has the gate, whether another process has the
// turn on the whole store.
func (q *turnQueue) taken() bool { return !q.board.empty() && q.board.taken() }

// behind waits behind a turn of another process on the whole store, and for our
// place after it. The caller then commits, and calls leave: no such turn is
// granted meanwhile.
func (q *turnQueue) behind() (leave func()) {
	ticket, err := q.queue(context.Background(), nil)
	if err != nil { // closed
		return func() {}
	}
	return func() { q.board.leave(ticket) }
}

// pause waits a little for other processes.
func (q *turnQueue) pause(ctx context.Context, p *poll) error {
	select {
	case <-p.tick():
		return nil
	case <-q.board.closed:
		return kv.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *turnQueue) close() {
	q.board.close()
	q.table.Close()
	q.gate.close()
}

// Steps in which the board is looked at: there is nobody to ring a bell.
const (
	firstLook = 500 * time.Microsecond
	lastLook  = 4 * time.Millisecond
)

// poll ticks more and more slowly.
type poll struct {
	step  time.Duration
	timer *time.Timer
}

func newPoll() *poll {
	timer := time.NewTimer(firstLook)
	return &poll{step: firstLook, timer: timer}
}

func (p *poll) tick() <-chan time.Time {
	p.timer.Reset(p.step)
	p.step = min(2*p.step, lastLook)
	return p.timer.C
}

func (p *poll) stop() { p.timer.Stop() }

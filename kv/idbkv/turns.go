//go:build js

package idbkv

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// turnQueue grants turns: first among the callers of this store, then among stores, by
// Web Locks that are taken in one order. So a store has one turn after another only while
// no other waits. Who is granted a turn leaves a note, which commits see.
type turnQueue struct {
	store *Store
	table *turns.Table // of this store; its turns do not expire by themselves
	owner uint64

	closed chan struct{}
	mu     sync.Mutex
	held   map[kv.TurnID]*heldTurn
}

// heldTurn is one that is granted.
type heldTurn struct {
	ticket uint64
	locks  []*webLock
}

func newTurnQueue(s *Store) *turnQueue {
	return &turnQueue{
		store: s, table: turns.New(turnLife, turns.Never), owner: randomNumber(),
		closed: make(chan struct{}), held: make(map[kv.TurnID]*heldTurn),
	}
}

func randomNumber() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// take is kv.Store.Turn. A turn lasts from when it is granted among stores.
func (q *turnQueue) take(ctx context.Context, keys []string) (kv.Turn, error) {
	h := &heldTurn{ticket: randomNumber()}
	turn, err := q.table.TakeAmong(ctx, keys, func(kv.TurnID) error { return q.queue(ctx, h, turns.Hashes(keys)) })
	if err != nil {
		return kv.Turn{}, err
	}
	q.mu.Lock()
	q.held[turn.ID] = h
	q.mu.Unlock()
	end := sync.OnceFunc(func() {
		q.mu.Lock()
		_, open := q.held[turn.ID]
		delete(q.held, turn.ID)
		q.mu.Unlock()
		if open { // not closed meanwhile
			h.unlock()
		}
		turn.Release()
		if open {
			go q.leave(h)
		}
	})
	stop := q.store.set.timer(turnLife, end)
	return kv.Turn{ID: turn.ID, Release: func() {
		stop()
		end()
	}}, nil
}

// queue takes the locks of a turn, and notes in the store that it is granted: commits that
// were on their way are over then, and those that come see it.
func (q *turnQueue) queue(ctx context.Context, h *heldTurn, keys []uint64) (err error) {
	defer func() {
		if err != nil {
			h.unlock()
		}
	}()
	all := exclusiveLock
	if len(keys) > 0 {
		all = sharedLock
	}
	l := q.store.locks
	if err := q.lock(ctx, h, l.allTurns(), all); err != nil {
		return err
	}
	inOrder := slices.Clone(keys)
	slices.Sort(inOrder)
	for _, key := range slices.Compact(inOrder) {
		if err := q.lock(ctx, h, l.turnOf(key), exclusiveLock); err != nil {
			return err
		}
	}
	return q.note(ctx, note{owner: q.owner, ticket: h.ticket, until: nowMilli() + turnLife.Milliseconds(), keys: keys})
}

func (q *turnQueue) lock(ctx context.Context, h *heldTurn, name, mode string) error {
	w, err := q.store.locks.takeTurn(ctx, name, mode, q.closed)
	if err == nil {
		h.locks = append(h.locks, w)
	}
	return err
}

func (h *heldTurn) unlock() {
	for _, w := range h.locks {
		w.release()
	}
}

// notesKept is how long a note is kept that nobody takes away: its tab is gone.
const notesKept = 10 * time.Second

// note writes down a turn that is granted, and takes away the notes of turns before it on
// its keys, which are over, and what tabs that are gone have left.
func (q *turnQueue) note(ctx context.Context, n note) error {
	return q.change(ctx, func(t *tx) error {
		store := t.store(turnsStore)
		found := t.ask(store.Call("getAll"))
		return t.then(func() error {
			rows := found.Get("result")
			for i := range rows.Length() {
				b, err := bytesOf(rows.Index(i))
				if err != nil {
					return err
				}
				if old, err := decodeNote(b); err == nil && (old.until < nowMilli()-notesKept.Milliseconds() || turns.Meet(old.keys, n.keys)) {
					t.ask(store.Call("delete", toJS(ticketKey(old.ticket))))
				}
			}
			t.ask(store.Call("put", toJS(n.encode()), toJS(ticketKey(n.ticket))))
			t.commit()
			return nil
		})
	})
}

func ticketKey(ticket uint64) []byte { return binary.BigEndian.AppendUint64(nil, ticket) }

// leave takes notes away. One that cannot be taken away expires.
func (q *turnQueue) leave(held ...*heldTurn) {
	ctx, cancel := context.WithTimeout(context.Background(), turnLife)
	defer cancel()
	q.change(ctx, func(t *tx) error {
		for _, h := range held {
			t.ask(t.store(turnsStore).Call("delete", toJS(ticketKey(h.ticket))))
		}
		t.commit()
		return nil
	})
	q.store.bell.ring(turnRing)
}

// change makes a transaction on the notes, which are not worth a sync.
func (q *turnQueue) change(ctx context.Context, first func(*tx) error) error {
	s := q.store
	t, err := begin(s.conn.db, writing, false, turnsStore)
	if err != nil {
		return s.conn.why(err)
	}
	t.start(func() error { return first(t) })
	patience := time.NewTimer(s.set.wait)
	defer patience.Stop()
	select {
	case end := <-t.done:
		end.lost = s.conn.lost
		if end.completed {
			return nil
		}
		return end.ofRead(t.why)
	case <-patience.C:
		err = fmt.Errorf("%w: no turn could be noted for %v: is another tab frozen?", kv.ErrUnavailable, s.set.wait)
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.conn.gone:
		err = s.conn.cause
	}
	t.abort(err)
	return err
}

// close ends the turns that were taken through the store.
func (q *turnQueue) close() {
	q.table.Close()
	q.mu.Lock()
	var held []*heldTurn
	for id, h := range q.held {
		held = append(held, h)
		delete(q.held, id)
	}
	q.mu.Unlock()
	for _, h := range held {
		h.unlock()
	}
	if len(held) > 0 {
		q.leave(held...)
	}
	close(q.closed)
}

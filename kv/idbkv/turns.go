//go:build js

package idbkv

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// turnQueue grants turns: first among the callers of this store, then among stores, by
// Web Locks that are taken in one order. Who is granted a turn leaves a note, which commits
// see. Callers of this store who wait for the same keys have their turns on the same locks
// and note, one after the other, so that each is not asked for and ended by itself.
type turnQueue struct {
	store *Store
	table *turns.Table // of this store; its turns do not expire by themselves
	owner uint64

	closed chan struct{}
	mu     sync.Mutex
	held   map[kv.TurnID]*grant
}

// grant is what a turn has that is granted among stores.
type grant struct {
	ticket uint64
	locks  []*webLock
	since  time.Time
	left   int // turns that it may be passed on to
}

// A grant serves so many turns in a row, of which the last begins within passWithin:
// others wait for no more.
const grantTurns = 8

func newTurnQueue(s *Store) *turnQueue {
	return &turnQueue{
		store: s, table: turns.New(turnLife, turns.Never), owner: randomNumber(),
		closed: make(chan struct{}), held: make(map[kv.TurnID]*grant),
	}
}

func randomNumber() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// take is kv.Store.Turn. A turn lasts from when it is granted among stores, or the one
// before was over that had its grant.
func (q *turnQueue) take(ctx context.Context, keys []string) (kv.Turn, error) {
	turn, err := q.table.TakeAmong(ctx, keys, func(id kv.TurnID) error {
		if q.has(id) {
			return nil // it was passed on
		}
		h := &grant{ticket: randomNumber(), left: grantTurns - 1}
		if err := q.queue(ctx, h, turns.Hashes(keys)); err != nil {
			return err
		}
		h.since = time.Now()
		q.mu.Lock()
		q.held[id] = h
		q.mu.Unlock()
		return nil
	})
	if err != nil {
		q.drop(turn.ID, func() {}) // it may have been passed on to us as we left
		return kv.Turn{}, err
	}
	end := sync.OnceFunc(func() { q.drop(turn.ID, turn.Release) })
	stop := q.store.set.timer(turnLife, end)
	return kv.Turn{ID: turn.ID, Release: func() {
		if !stop() || !q.pass(turn.ID) {
			end()
		}
	}}, nil
}

func (q *turnQueue) has(turn kv.TurnID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held[turn] != nil
}

// pass ends a turn and gives its grant to the next in this store who waits for the same
// keys. It does nothing if nobody does, or the grant has served enough.
func (q *turnQueue) pass(turn kv.TurnID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.held[turn]
	if h == nil || h.left == 0 || time.Since(h.since) > q.store.set.pass {
		return false
	}
	next := q.table.Pass(turn)
	if next == 0 {
		return false
	}
	delete(q.held, turn)
	h.left--
	q.held[next] = h
	return true
}

// drop ends a turn with its grant, if it has one still: who passes it on, and who closes
// the store, takes it.
func (q *turnQueue) drop(turn kv.TurnID, end func()) {
	q.mu.Lock()
	h := q.held[turn]
	delete(q.held, turn)
	q.mu.Unlock()
	if h != nil {
		h.unlock()
	}
	end()
	if h != nil {
		go q.leave(h)
	}
}

// queue takes the locks of a turn, and notes in the store that it is granted: commits that
// were on their way are over then, and those that come see it.
func (q *turnQueue) queue(ctx context.Context, h *grant, keys []uint64) (err error) {
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
	return q.note(ctx, note{owner: q.owner, ticket: h.ticket, until: nowMilli() + grantLife.Milliseconds(), keys: keys})
}

func (q *turnQueue) lock(ctx context.Context, h *grant, name, mode string) error {
	w, err := q.store.locks.takeTurn(ctx, name, mode, q.closed)
	if err == nil {
		h.locks = append(h.locks, w)
	}
	return err
}

func (h *grant) unlock() {
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
func (q *turnQueue) leave(held ...*grant) {
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
	end, err := s.await(ctx, t, "no turn could be noted")
	if err != nil || end.completed {
		return err
	}
	return end.ofRead(t.why)
}

// close ends the turns that were taken through the store.
func (q *turnQueue) close() {
	q.table.Close()
	q.mu.Lock()
	var held []*grant
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

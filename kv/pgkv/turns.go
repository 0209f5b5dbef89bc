package pgkv

import (
	"context"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// turnQueue grants turns: first among the callers of this process, then among
// processes, who take tickets in a table. So each process has one ticket on a key at
// most, and turns go around.
type turnQueue struct {
	store *Store
	table *turns.Table // of this process; its turns do not expire by themselves

	mu      sync.Mutex
	tickets map[kv.TurnID]ticket // of turns that are granted
	granted map[int64]bool       // tickets that wait, and those of them that are granted
	woken   chan struct{}        // closed when some turn has ended
}

// ticket is one that is granted. Callers of this process who wait for the same keys have
// their turns on it one after the other, so that each is not asked for and ended by round
// trips of its own.
type ticket struct {
	number int64
	since  time.Time // when it was granted
	left   int       // turns that it may be passed on to
}

func newTurnQueue(s *Store) *turnQueue {
	return &turnQueue{
		store: s, table: turns.New(kv.EmbeddedTurnLife, turns.Never),
		tickets: make(map[kv.TurnID]ticket), granted: make(map[int64]bool), woken: make(chan struct{}),
	}
}

const (
	// ticketLife is how long a ticket is kept of a process that does not ask again: it
	// may be gone.
	ticketLife = 2 * time.Second
	// A ticket serves so many turns, of which the last begins within passWithin: others
	// wait for no more.
	ticketTurns = 8
	passWithin  = 100 * time.Millisecond
	// grantLife is how long a ticket is granted: whoever it is passed on to has it for
	// as long as a turn lasts.
	grantLife = kv.EmbeddedTurnLife + passWithin
)

// take is kv.Store.Turn. A turn lasts from when the server has granted it, or the one
// before was over that had its ticket.
func (q *turnQueue) take(ctx context.Context, keys []string) (kv.Turn, error) {
	turn, err := q.table.TakeAmong(ctx, keys, func(turn kv.TurnID) error {
		if q.ticket(turn) != 0 {
			return nil // it was passed on
		}
		number, err := q.queue(ctx, keys)
		if err == nil {
			q.mu.Lock()
			q.tickets[turn] = ticket{number, time.Now(), ticketTurns - 1}
			q.mu.Unlock()
		}
		return err
	})
	if err != nil {
		go q.drop(turn.ID) // it may have been passed on to us as we left
		return kv.Turn{}, err
	}
	end := sync.OnceFunc(func() {
		q.drop(turn.ID)
		turn.Release()
	})
	alarm := time.AfterFunc(kv.EmbeddedTurnLife, end)
	return kv.Turn{ID: turn.ID, Release: func() {
		if alarm.Stop() && !q.pass(turn.ID) {
			go end()
		}
	}}, nil
}

// pass ends a turn and gives its ticket to the next in this process who waits for the same
// keys. It does nothing if nobody does, or the ticket has served enough.
func (q *turnQueue) pass(turn kv.TurnID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	held, there := q.tickets[turn]
	if !there || held.left == 0 || time.Since(held.since) > passWithin {
		return false
	}
	next := q.table.Pass(turn)
	if next == 0 {
		return false
	}
	delete(q.tickets, turn)
	held.left--
	q.tickets[next] = held
	return true
}

// drop takes back the ticket of a turn, if it has one: a store that was closed meanwhile
// has done so, and so has who passed it on.
func (q *turnQueue) drop(turn kv.TurnID) {
	q.mu.Lock()
	held, there := q.tickets[turn]
	delete(q.tickets, turn)
	q.mu.Unlock()
	if there {
		q.leave(held.number)
	}
}

// ticket is that of a turn of this process, 0 if it is not granted or over.
func (q *turnQueue) ticket(turn kv.TurnID) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tickets[turn].number
}

// close ends the turns that were taken through the store.
func (q *turnQueue) close() {
	q.table.Close()
	q.mu.Lock()
	var held []int64
	for turn, ticket := range q.tickets {
		held = append(held, ticket.number)
		delete(q.tickets, turn)
	}
	q.mu.Unlock()
	if len(held) > 0 {
		q.leave(held...)
	}
}

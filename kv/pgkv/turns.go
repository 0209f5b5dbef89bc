package pgkv

import (
	"context"
	"log/slog"
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

// queue takes a ticket and waits until it is granted.
func (q *turnQueue) queue(ctx context.Context, keys []string) (ticket int64, err error) {
	s := q.store
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	wait := q.begin()
	defer wait.end()
	defer func() {
		if err != nil && ticket != 0 {
			go q.leave(ticket)
		}
		if err != nil && s.life.Err() != nil {
			err = kv.ErrClosed
		}
	}()
	for mustAsk := true; ; {
		granted := ticket != 0 && q.isGranted(ticket)
		switch {
		case granted:
		case ticket == 0:
			if ticket, granted, err = q.ask(ctx, keys); err == nil {
				q.expect(ticket)
				defer q.forget(ticket)
			}
		case mustAsk || len(keys) == 0:
			ticket, granted, err = q.askAgain(ctx, ticket)
		}
		if err != nil || granted {
			return ticket, err
		}
		if ticket == 0 { // it was dropped, since we were away
			continue
		}
		if mustAsk, err = wait.pause(ctx); err != nil {
			return ticket, err
		}
	}
}

// expect lets a notification say that a ticket is granted.
func (q *turnQueue) expect(ticket int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.granted[ticket] = false
}

func (q *turnQueue) forget(ticket int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.granted, ticket)
}

func (q *turnQueue) isGranted(ticket int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.granted[ticket]
}

// hear takes a notification: that a ticket is granted, or 0 for anything else that may
// have changed.
func (q *turnQueue) hear(ticket int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ours := q.granted[ticket]; ours {
		q.granted[ticket] = true
	} else if ticket != 0 {
		return
	}
	close(q.woken)
	q.woken = make(chan struct{})
}

func (q *turnQueue) ask(ctx context.Context, keys []string) (ticket int64, granted bool, err error) {
	s := q.store
	rows, err := s.db.exec(ctx, newCall("ask", s.space).number(int64(s.db.set.mode)).add(array(keys, appendKey)).
		number(grantLife.Milliseconds()).number(ticketLife.Milliseconds()))
	if err != nil || len(rows) != 1 {
		return 0, false, ofRead(ctx, err)
	}
	ticket, err = rows[0].number(0)
	return ticket, string(rows[0][1]) == "t", err
}

func (q *turnQueue) askAgain(ctx context.Context, ticket int64) (same int64, granted bool, err error) {
	s := q.store
	rows, err := s.db.exec(ctx, newCall("ask_again", s.space).number(ticket).
		number(grantLife.Milliseconds()).number(ticketLife.Milliseconds()))
	if err != nil || len(rows) != 1 {
		return ticket, false, ofRead(ctx, err)
	}
	said, err := rows[0].number(0)
	if said < 0 {
		return 0, false, err
	}
	return ticket, said == 1, err
}

// leave ends turns on the server, where they would end by themselves soon.
func (q *turnQueue) leave(tickets ...int64) {
	s := q.store
	ctx, cancel := context.WithTimeout(context.Background(), kv.EmbeddedTurnLife)
	defer cancel()
	statement := newCall("leave", s.space).add(array(tickets, appendNumber[int64])).
		number(grantLife.Milliseconds()).text(s.db.set.schema)
	if _, err := s.db.exec(ctx, statement); err != nil {
		s.db.set.logger.Debug("a turn lasts until it expires", slog.Any("error", err))
	}
	q.hear(0)
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

// How often who waits for a turn looks by himself whether it has come.
const (
	firstLook = 2 * time.Millisecond
	lastLook  = 32 * time.Millisecond
)

// turnWait is a wait for turns of other processes.
type turnWait struct {
	queue *turnQueue
	woken <-chan struct{}
	step  time.Duration
	leave func() // the bells, nil before there is anything to wait for
}

// begin begins one: what ends from now on is not missed.
func (q *turnQueue) begin() *turnWait {
	q.mu.Lock()
	defer q.mu.Unlock()
	return &turnWait{queue: q, woken: q.woken, step: firstLook}
}

// pause returns when some turn has ended since the last pause, or after a while: then
// whoever waits has to ask by himself.
func (w *turnWait) pause(ctx context.Context) (mustAsk bool, err error) {
	s := w.queue.store
	if w.leave == nil {
		w.leave = s.db.bells.join(s.space, func(of byte, ticket int64) {
			if of != ofCommits {
				w.queue.hear(ticket)
			}
		})
	}
	timer := time.NewTimer(w.step)
	defer timer.Stop()
	select {
	case <-w.woken:
		w.step = firstLook
	case <-timer.C:
		w.step, mustAsk = min(2*w.step, lastLook), true
	case <-s.life.Done():
		return false, kv.ErrClosed
	case <-ctx.Done():
		return false, ctx.Err()
	}
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	w.woken = w.queue.woken
	return mustAsk, nil
}

func (w *turnWait) end() {
	if w.leave != nil {
		w.leave()
	}
}

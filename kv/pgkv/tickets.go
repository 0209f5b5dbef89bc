package pgkv

import (
	"context"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// A ticket is a row in a table of the server. Whoever waits for his turn is told by a
// notification that his ticket is granted, and looks by himself in case that is lost.

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

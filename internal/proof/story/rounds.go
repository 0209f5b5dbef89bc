package story

import (
	"context"
	"math/rand/v2"
	"sync"
)

// The odds of random rounds, one in so many.
const (
	oddsReply      = 2  // a handle answers
	oddsTwoReplies = 4  // if so, another one at the same time
	oddsOpen       = 8  // the far side opens a new session
	oddsOpenOwn    = 25 // the device does
	oddsLost       = 20 // the network loses a message for good
	oddsDelayed    = 5  // or brings it in a later round
	oddsRestart    = 6  // a handle is replaced by a new one
	oddsAck        = 10
	oddsUpload     = 20 // also when the server still has keys
)

// Limits of what the network does, well inside what any implementation keeps:
// libolm and goolm keep 40 skipped keys and five chains.
const (
	mostDelayed = 2 // messages held back at a time
	longestWait = 2 // rounds
)

// Rounds plays random rounds: the far side sends a room key, some handle
// receives it, sometimes two at once, sometimes twice, sometimes as a process
// that has just started; some handle may answer. It stops at the first
// violation and returns the rounds played and what was found at the end.
func Rounds(ctx context.Context, s Setting, n int) (played int, found Violations, err error) {
	w, err := NewWorld(ctx, s, 3)
	if err != nil {
		return 0, nil, err
	}
	r := &rounds{World: w, random: newChoices(s.Seed, opsStream)}
	for _, name := range []string{"app", "nse", "share"} {
		h, err := w.Open(ctx, name)
		if err != nil {
			return 0, nil, err
		}
		r.handles = append(r.handles, h)
	}
	for played < n && len(w.Violations()) == 0 {
		played++
		if err := r.round(ctx); err != nil {
			return played, nil, err
		}
	}
	return played, w.Quiesce(ctx, r.handles...), nil
}

type rounds struct {
	*World
	random  *rand.Rand
	handles []*Handle
	delayed []held
}

// held is a message that waits for a later round.
type held struct {
	letter *Letter
	reply  *Reply
	rounds int
}

func (r *rounds) one(in int) bool { return r.random.IntN(in) == 0 }

func (r *rounds) pick() *Handle { return r.handles[r.random.IntN(len(r.handles))] }

func (r *rounds) round(ctx context.Context) error {
	if err := r.restart(ctx); err != nil {
		return err
	}
	if r.oneTimeKeysLeft() == 0 && r.one(3) || r.one(oddsUpload) {
		h := r.pick()
		h.Publish(ctx, 1+r.random.IntN(3))
		h.Settle(ctx, !r.one(4))
	}
	if m := r.Send(r.one(oddsOpen)); m != nil {
		r.carry(ctx, held{letter: m})
	}
	r.deliverDelayed(ctx)
	if r.one(oddsReply) {
		r.reply(ctx)
	}
	if r.one(oddsAck) {
		r.pick().Acknowledge(ctx)
	}
	return nil
}

func (r *rounds) restart(ctx context.Context) error {
	if !r.one(oddsRestart) {
		return nil
	}
	i := r.random.IntN(len(r.handles))
	h, err := r.Open(ctx, r.handles[i].Name)
	if err != nil {
		return err
	}
	r.handles[i] = h
	return nil
}

// carry brings a message to its receiver, now, later or never.
func (r *rounds) carry(ctx context.Context, m held) {
	switch {
	case r.one(oddsLost):
		if m.letter != nil {
			m.letter.lost = true
		}
	case r.one(oddsDelayed) && len(r.delayed) < mostDelayed:
		m.rounds = 1 + r.random.IntN(longestWait)
		r.delayed = append(r.delayed, m)
	default:
		r.bring(ctx, m)
	}
}

func (r *rounds) deliverDelayed(ctx context.Context) {
	waiting := r.delayed
	r.delayed = nil
	for _, m := range waiting {
		if m.rounds--; m.rounds > 0 {
			r.delayed = append(r.delayed, m)
			continue
		}
		r.bring(ctx, m)
	}
}

func (r *rounds) bring(ctx context.Context, m held) {
	if m.reply != nil {
		r.Read(m.reply)
		return
	}
	first, second := r.pick(), r.pick()
	switch r.random.IntN(4) {
	case 0: // two at once, perhaps in one process
		Together(
			func() { _, _ = first.Receive(ctx, m.letter) },
			func() { _, _ = second.Receive(ctx, m.letter) },
		)
	case 1: // twice
		_, _ = first.Receive(ctx, m.letter)
		_, _ = second.Receive(ctx, m.letter)
	default:
		_, _ = first.Receive(ctx, m.letter)
	}
}

// reply lets one handle answer, or two at once.
func (r *rounds) reply(ctx context.Context) {
	fresh := r.one(oddsOpenOwn)
	senders := []*Handle{r.pick()}
	if r.one(oddsTwoReplies) {
		senders = append(senders, r.pick())
	}
	replies := make([]*Reply, len(senders))
	calls := make([]func(), len(senders))
	for i, h := range senders {
		calls[i] = func() { replies[i] = h.Send(ctx, fresh) }
	}
	Together(calls...)
	for _, reply := range replies {
		if reply != nil {
			r.carry(ctx, held{reply: reply})
		}
	}
}

// Together runs all calls at once and waits for them.
func Together(calls ...func()) {
	var group sync.WaitGroup
	for _, call := range calls {
		group.Go(call)
	}
	group.Wait()
}

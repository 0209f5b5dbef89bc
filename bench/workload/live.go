package workload

import (
	"context"
	"errors"
	"time"
)

// The peers of a live workload read what Bob answers before they write again.

// next numbers a message of this system.
func (s *stage) next() uint64 {
	s.number++
	return s.number
}

// writes has a peer write to Bob.
func (s *stage) writes(from int) (letter, error) {
	return write(s.peer(from), s.next(), s.Params.Size)
}

func (s *stage) peer(n int) *peer { return s.ledger.peers[s.peers[n].id()] }

// answer is a call that writes to a peer.
func (s *stage) answer(to int) call {
	return call{Targets: []target{{Number: s.next(), Peer: s.peers[to].id()}}}
}

// calls lets a process do calls, and judges them.
func (s *stage) calls(t *tally, p *process, calls ...call) error {
	a, err := p.do(calls...)
	if err != nil {
		return err
	}
	t.add(a.Sample)
	s.ledger.enter(a)
	return nil
}

// born starts a process that is counted from its start.
func (s *stage) born(ctx context.Context, t *tally, name string) (*process, error) {
	p, err := s.start(ctx, name, s.system.Design)
	if err != nil {
		return nil, err
	}
	if err := t.born(p, s.Process != nil); err != nil {
		return nil, errors.Join(err, p.exit())
	}
	return p, nil
}

// buried counts what a process has used, and ends it. The error of its work
// comes before that of its end.
func (s *stage) buried(t *tally, p *process, err error) error {
	if err == nil {
		err = t.end(p)
	}
	if ended := p.exit(); err == nil {
		return ended
	}
	return err
}

// runAlternate has a peer write, one process read it, and the other answer.
func runAlternate(ctx context.Context, s *stage, b block) (outcome, error) {
	return s.measured(b, func(t *tally) error {
		for i := range b.messages {
			reads, writes := s.processes[i/2%2], s.processes[1-i/2%2]
			session := i / 2 % s.Params.Sessions
			if i%2 == 1 {
				if err := s.calls(t, writes, s.answer(session)); err != nil {
					return err
				}
				continue
			}
			l, err := s.writes(session)
			if err != nil {
				return err
			}
			if err := s.calls(t, reads, call{Letters: []letter{l}}); err != nil {
				return err
			}
		}
		t.took = sum(t.latencies)
		return ctx.Err()
	})
}

// runStart has a process start, decrypt and end, again and again. A call is all
// from the start to the first plaintext.
func runStart(ctx context.Context, s *stage, b block) (outcome, error) {
	return s.measured(b, func(t *tally) error {
		for _, c := range b.scripts[0] {
			began := time.Now()
			p, err := s.born(ctx, t, "NSE")
			if err != nil {
				return err
			}
			a, err := p.do(c)
			t.latencies = append(t.latencies, time.Since(began))
			if err := s.buried(t, p, err); err != nil {
				return err
			}
			s.ledger.enter(a)
		}
		t.took = sum(t.latencies)
		return nil
	})
}

func sum(all []time.Duration) (total time.Duration) {
	for _, d := range all {
		total += d
	}
	return total
}

package workload

import (
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl"
)

// activity is a call of a client in which a process is asked for several things.
type activity struct {
	*stage
	p    *process
	took time.Duration
}

func (a *activity) ask(q request) (answer, error) { return a.entered(a.p.ask(q)) }

func (a *activity) do(c call) (answer, error) { return a.entered(a.p.do(c)) }

// entered counts what the process took.
func (a *activity) entered(got answer, err error) (answer, error) {
	a.took += got.Took
	for _, trouble := range got.Troubles {
		a.ledger.errors["calls failed: "+trouble]++
	}
	return got, err
}

// within runs a call of a client.
func (s *stage) within(t *tally, p *process, f func(*activity) error) error {
	a := activity{stage: s, p: p}
	err := f(&a)
	if t != nil && err == nil {
		t.latencies = append(t.latencies, a.took)
	}
	return err
}

// attempts bounds how often something is tried until there is no more of it.
const attempts = 10

// syncs has a process sync until nothing is waiting, and then send what follows: keys
// for those that were used, and queries for devices that are new.
func (s *stage) syncs(t *tally, p *process) error {
	return s.within(t, p, func(a *activity) error {
		for range attempts {
			if err := a.sync(); err != nil {
				return err
			}
			if s.server.pending() == 0 {
				break
			}
		}
		return a.send()
	})
}

// sync takes in one response.
func (a *activity) sync() error {
	ticket, err := a.ask(request{Op: opTicket})
	if err != nil {
		return err
	}
	response, numbers, err := a.server.sync(ticket.Since, max(limit, a.Params.Batch))
	if err != nil {
		return err
	}
	got, err := a.do(call{Sync: response})
	if err != nil {
		return err
	}
	for place, why := range got.Synced.Refused {
		if place < 0 || place >= len(numbers) {
			return fmt.Errorf("workload: event %d of %d was refused: %s", place, len(numbers), why)
		}
		a.ledger.refused(numbers[place], why)
	}
	if got.Synced.Advanced {
		a.server.covered(numbers)
	}
	return nil
}

// send sends what is to be sent.
func (a *activity) send() error {
	for range attempts {
		got, err := a.ask(request{Op: opRequests})
		if len(got.Requests) == 0 || err != nil {
			return err
		}
		if err := a.answer(got.Requests, false); err != nil {
			return err
		}
	}
	return nil
}

// answer has the server answer requests, and tells the process what it said, unless
// it has answered those that bring messages itself.
func (a *activity) answer(all []pawl.Request, answeredMessages bool) error {
	var answers []answered
	for _, r := range all {
		status, body, err := a.server.answer(r)
		if err != nil {
			return err
		}
		if r.Kind != pawl.SendToDevice || !answeredMessages {
			answers = append(answers, answered{r.ID, status, body})
		}
	}
	if len(answers) == 0 {
		return nil
	}
	_, err := a.ask(request{Op: opAnswered, Answers: answers})
	return err
}

// shares has a process give all peers the key of a new session.
func (s *stage) shares(t *tally, p *process) error {
	before := s.ledger.wrong.RoomKeys
	return s.within(t, p, func(a *activity) error {
		var last shared
		for i := range attempts {
			got, err := a.do(call{Share: &sharing{s.members(), i == 0}})
			if err != nil {
				return err
			}
			if err := a.answer(got.Requests, true); err != nil {
				return err
			}
			if last = got.Shared; last.Done {
				break
			}
			if err := a.send(); err != nil {
				return err
			}
		}
		s.ledger.shared(last.Session, s.ledger.wrong.RoomKeys-before)
		return nil
	})
}

// writesInRoom has a process write to the room, which one peer reads.
func (s *stage) writesInRoom(t *tally, p *process, round int) error {
	return s.within(t, p, func(a *activity) error {
		got, err := a.do(call{Say: &said{Number: s.next()}})
		if err != nil {
			return err
		}
		by := s.peers[round%len(s.peers)].id()
		for _, f := range got.Failed {
			s.ledger.lose(by, f.Error)
		}
		for _, e := range got.Said {
			s.ledger.said(by, e)
		}
		return nil
	})
}

// audit looks, by a process, which room keys Bob has in the end.
func (s *stage) audit(p *process) error {
	if len(s.ledger.room.owed) == 0 {
		return nil
	}
	if err := s.syncs(nil, p); err != nil {
		return err
	}
	var events []heard
	for _, o := range s.ledger.room.owed {
		events = append(events, o.reads)
	}
	failed := map[uint64]string{}
	for chunk := range slices.Chunk(events, limit) {
		a, err := p.do(call{Hear: chunk})
		if err != nil {
			return err
		}
		for _, f := range a.Failed {
			failed[f.Number] = f.Error
		}
	}
	s.ledger.settle(failed)
	return nil
}

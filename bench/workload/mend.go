package workload

import (
	"context"
	"errors"

	"github.com/pawlkv/pawl/ratchet"
)

// mend looks, with a new process, which room keys are there, and whether the sessions
// in which something went wrong still work in both directions, and counts those that
// do not. A store in memory ends with its process, which looks for the keys itself.
func (s *stage) mend(ctx context.Context) error {
	if s.missing != "" || s.server == nil && len(s.ledger.suspects) == 0 {
		return s.stop()
	}
	if s.system.Engine == Memory {
		return errors.Join(s.auditAll(), s.stop())
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := s.startAll(ctx, 1); err != nil {
		return err
	}
	if err := s.auditAll(); err != nil {
		return err
	}
	n := 0
	for i := range s.peers {
		id := s.peers[i].id()
		if !s.ledger.suspects[id] {
			continue
		}
		if n++; n > maxSuspects {
			break
		}
		works, err := s.works(i, id)
		if err != nil {
			return err
		}
		if !works {
			s.ledger.wrong.Wedged++
		}
	}
	return s.stop()
}

// auditAll looks for room keys, where there are any.
func (s *stage) auditAll() error {
	if s.server == nil {
		return nil
	}
	return s.audit(s.processes[0])
}

// maxSuspects are looked at: each takes two commits.
const maxSuspects = 100

// works reports whether a letter and its answer can be read.
func (s *stage) works(i int, id ratchet.PublicKey) (bool, error) {
	l, err := s.writes(i)
	if err != nil {
		return false, err
	}
	a, err := s.processes[0].do(call{Letters: []letter{l}}, s.answer(i))
	if err != nil || len(a.Failed) > 0 {
		return false, err
	}
	p := s.ledger.peers[id]
	for _, m := range a.Made {
		if _, err := p.read(s.ledger.bob, m.message(), s.now); err != nil {
			return false, nil
		}
	}
	return true, nil
}

package ratchet

// check refuses states that no sequence of calls leads to. Using one would
// fail later, and far from the damage.
func (s *state) check() error {
	if err := s.checkChains(); err != nil {
		return err
	}
	for i := range s.receivers {
		if s.receiver(&s.receivers[i].ratchet) != i {
			return badRecord("two receiver chains with one ratchet key")
		}
		if err := s.receivers[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) checkChains() error {
	switch {
	case s.received && len(s.receivers) == 0:
		return badRecord("received, but on no chain")
	case !s.received && s.initiated && (!s.sender.active() || len(s.receivers) > 0):
		return badRecord("outbound session without an answer has one chain, to send")
	case !s.received && !s.initiated && (len(s.receivers) != 1 || s.receivers[0].chain.index > 0):
		return badRecord("inbound session that received nothing has one fresh chain to receive")
	}
	return nil
}

func (c *receiverChain) check() error {
	for i := range c.skipped {
		if i > 0 && c.skipped[i].index <= c.skipped[i-1].index {
			return badRecord("skipped keys are not in order")
		}
	}
	if n := len(c.skipped); n > 0 && c.skipped[n-1].index >= c.chain.index {
		return badRecord("skipped key is not behind its chain")
	}
	return nil
}

package workload

import "slices"

// prepareDecrypt has peers write to Bob, as the distribution picks them, in a
// store of as many sessions as there are to be.
func prepareDecrypt(p *preparation) error {
	picks, picked := p.picks(p.Params.Sessions)
	if err := p.meet(picked); err != nil {
		return err
	}
	if err := p.bob.crowd(p.Params.Sessions-picked, p.Seed); err != nil {
		return err
	}
	for i := range p.blocks {
		b := &p.blocks[i]
		letters, err := p.letters(picks[:b.messages])
		if err != nil {
			return err
		}
		picks = picks[b.messages:]
		b.scripts = [][]call{batches(letters, p.Params.Batch)}
	}
	return nil
}

func (p *preparation) letters(from []int) ([]letter, error) {
	letters := make([]letter, len(from))
	for i, n := range from {
		var err error
		if letters[i], err = p.letter(n); err != nil {
			return nil, err
		}
	}
	return letters, nil
}

// batches makes calls of so many letters, each a commit.
func batches(letters []letter, size int) []call {
	var calls []call
	for chunk := range slices.Chunk(letters, max(size, 1)) {
		calls = append(calls, call{Letters: chunk})
	}
	return calls
}

// prepareEncrypt has Bob write to all of his peers at once, again and again.
func prepareEncrypt(p *preparation) error {
	if err := p.meet(p.Params.Peers); err != nil {
		return err
	}
	for i := range p.blocks {
		b := &p.blocks[i]
		rounds := max(b.messages/p.Params.Peers, 1)
		b.messages = rounds * p.Params.Peers
		var calls []call
		for range rounds {
			var c call
			for to := range p.Params.Peers {
				c.Targets = append(c.Targets, p.target(to))
			}
			calls = append(calls, c)
		}
		b.scripts = [][]call{calls}
	}
	return nil
}

// prepareOpenIn has a new peer write each letter, with a one-time key of Bob's.
func prepareOpenIn(p *preparation) error {
	if _, err := p.addPeers(p.messages(), false); err != nil {
		return err
	}
	n := 0
	for i := range p.blocks {
		b := &p.blocks[i]
		letters := make([]letter, b.messages)
		for j := range letters {
			if err := p.peers[n].open(p.bob.account.Identity(), p.bob.keys[n], p.now); err != nil {
				return err
			}
			var err error
			if letters[j], err = p.letter(n); err != nil {
				return err
			}
			n++
		}
		b.scripts = [][]call{batches(letters, p.Params.Batch)}
	}
	return nil
}

// prepareOpenOut has Bob open sessions to new peers, so many at once.
func prepareOpenOut(p *preparation) error {
	for i := range p.blocks {
		b := &p.blocks[i]
		rounds := max(b.messages/p.Params.Peers, 1)
		b.messages = rounds * p.Params.Peers
		first := len(p.peers)
		if _, err := p.addPeers(b.messages, false); err != nil {
			return err
		}
		var targets []target
		for to := first; to < len(p.peers); to++ {
			t := p.target(to)
			key := p.peers[to].key.Public()
			t.OneTimeKey = key[:]
			targets = append(targets, t)
		}
		var calls []call
		for chunk := range slices.Chunk(targets, p.Params.Peers) {
			calls = append(calls, call{Targets: chunk})
		}
		b.scripts = [][]call{calls}
	}
	return nil
}

// prepareProcesses gives each process letters in sessions of its own; or all of
// them, in the same sessions, letters to read and as many to write.
func prepareProcesses(p *preparation) error {
	groups := p.Params.Processes
	if p.Params.Same {
		groups = 1
	}
	if err := p.meet(groups * p.Params.Sessions); err != nil {
		return err
	}
	for i := range p.blocks {
		b := &p.blocks[i]
		if p.Params.Same {
			if err := p.share(b); err != nil {
				return err
			}
			continue
		}
		each := max(b.messages/groups, 1)
		b.messages = each * groups
		for group := range groups {
			from := make([]int, each)
			for j := range from {
				from[j] = group*p.Params.Sessions + j%p.Params.Sessions
			}
			letters, err := p.letters(from)
			if err != nil {
				return err
			}
			b.scripts = append(b.scripts, batches(letters, 1))
		}
	}
	return nil
}

// share lets every session have a letter to read and then one to write.
func (p *preparation) share(b *block) error {
	for j := range b.messages {
		peer := j / 2 % p.Params.Sessions
		if j%2 == 1 {
			b.shared = append(b.shared, call{Targets: []target{p.target(peer)}})
			continue
		}
		l, err := p.letter(peer)
		if err != nil {
			return err
		}
		b.shared = append(b.shared, call{Letters: []letter{l}})
	}
	return nil
}

// prepareLive only makes the peers.
func prepareLive(p *preparation) error { return p.meet(p.Params.Sessions) }

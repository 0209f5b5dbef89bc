package interop_test

import (
	"slices"

	"github.com/pawlkv/pawl/internal/proof/interop"
)

// Limits of all implementations.
const (
	maxGap      = 2000
	maxChains   = 5
	maxPerChain = 40
)

// sent is what the test knows of a message: more than its bytes show.
type sent struct {
	interop.Message
	plaintext []byte
	chain     *chain
	index     int
}

// chain is one sender chain of one side. against is the chain of the other
// side that it turned the ratchet on; nil for the first one.
type chain struct {
	against *chain
	next    int
}

// model is one side of a session as the protocol has it, without keys: it
// says what must become of a message.
type model struct {
	skippedInAll int // 40: the bound is over all chains; more: per chain
	sender       *chain
	receivers    []*received // newest first
	skipped      []skipped   // newest first
}

type received struct {
	chain *chain
	next  int
}

type skipped struct {
	chain *chain
	index int
}

// send returns the chain and the index of the next message.
func (m *model) send() (*chain, int) {
	if m.sender == nil {
		m.sender = &chain{against: m.receivers[0].chain}
	}
	m.sender.next++
	return m.sender, m.sender.next - 1
}

// receive says what becomes of a message and, when it is accepted, takes it
// in. genuine is false for a message that was changed after its index.
func (m *model) receive(s sent, genuine bool) interop.Verdict {
	r := m.receiver(s.chain)
	fresh := r == nil
	switch {
	case !fresh && s.index < r.next:
		return m.receiveLate(s, genuine)
	case fresh && m.sender == nil:
		return interop.UnknownChain
	case fresh:
		r = &received{chain: s.chain}
		// A chain that was dropped is no answer to our newest one.
		genuine = genuine && s.chain.against == m.sender
	}
	if s.index-r.next > maxGap {
		return interop.Gap
	}
	if !genuine {
		return interop.WrongMAC
	}
	if fresh {
		m.turn(r)
	}
	m.advance(r, s.index)
	return interop.Accepted
}

func (m *model) receiver(c *chain) *received {
	i := slices.IndexFunc(m.receivers, func(r *received) bool { return r.chain == c })
	if i < 0 {
		return nil
	}
	return m.receivers[i]
}

func (m *model) receiveLate(s sent, genuine bool) interop.Verdict {
	i := slices.Index(m.skipped, skipped{s.chain, s.index})
	switch {
	case i < 0:
		return interop.KeyGone
	case !genuine:
		return interop.WrongMAC
	}
	m.skipped = slices.Delete(m.skipped, i, i+1)
	return interop.Accepted
}

func (m *model) turn(r *received) {
	m.sender = nil
	m.receivers = append([]*received{r}, m.receivers...)
	m.receivers = m.receivers[:min(len(m.receivers), maxChains)]
}

func (m *model) advance(r *received, index int) {
	for ; r.next < index; r.next++ {
		m.skipped = append([]skipped{{r.chain, r.next}}, m.skipped...)
	}
	r.next++
	if m.skippedInAll <= maxPerChain {
		// Keys of dropped chains are not removed, and count.
		m.skipped = m.skipped[:min(len(m.skipped), m.skippedInAll)]
		return
	}
	kept := map[*chain]int{}
	m.skipped = slices.DeleteFunc(m.skipped, func(s skipped) bool {
		kept[s.chain]++
		return kept[s.chain] > maxPerChain
	})
}

//go:build libolm

package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/pawlkv/pawl/internal/proof/interop"
)

// Limits that the histories go up to, and one past.
const (
	maxGap     = 2000
	maxSkipped = 40
	maxChains  = 5
)

// script plays one history; steps after an error do nothing.
type script struct {
	*dialogue
	err error
}

func (s *script) do(f func() error) {
	if s.err == nil {
		s.err = f()
	}
}

// says returns the number of a new message of by.
func (s *script) says(by string) (message int) {
	s.do(func() (err error) {
		message, err = s.encrypt(by, fmt.Sprintf("%s's message %d", by, len(s.messages)))
		return err
	})
	return message
}

func (s *script) sayMany(by string, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = s.says(by)
	}
	return out
}

func (s *script) hears(by string, message int, want interop.Verdict) {
	s.do(func() error { return s.decrypt(by, message, want) })
}

func (s *script) loses(by string, n int) { s.do(func() error { return s.skip(by, n) }) }

// meet lets Bob open and decrypt Alice's first message.
func (s *script) meet() (first int) {
	first = s.says("alice")
	s.do(func() error { return s.open(first) })
	s.hears("bob", first, interop.Accepted)
	return first
}

// turn passes one message each way, so that both ratchets turned.
func (s *script) turn() {
	s.hears("alice", s.says("bob"), interop.Accepted)
	s.hears("bob", s.says("alice"), interop.Accepted)
}

var histories = []struct {
	name, comment string
	play          func(*script)
}{
	{"one direction", "pre-key messages until an answer is decrypted", oneDirection},
	{"conversation", "the ratchet turns with every message", conversation},
	{"reordered in a chain", "the last message first", reordered},
	{"reordered across chains", "messages of three chains, the newest chain first", acrossChains},
	{"duplicates", "every message a second time, in order, skipped and pre-key ones", duplicates},
	{"40 skipped keys", "all are kept", func(s *script) { skippedKeys(s, maxSkipped) }},
	{"41 skipped keys", "the oldest is dropped", func(s *script) { skippedKeys(s, maxSkipped+1) }},
	{"skipped keys of two chains", "libolm keeps 40 in all", skippedOfTwoChains},
	{"gap of 2000", "the furthest that is accepted, in a first chain and after a turn", func(s *script) { gap(s, maxGap, interop.Accepted) }},
	{"gap of 2001", "refused until a message from before the gap came", func(s *script) { gap(s, maxGap+1, interop.Gap) }},
	{"five chains", "a late message of the oldest of five", func(s *script) { chains(s, maxChains) }},
	{"six chains", "a late message of a chain that was dropped", func(s *script) { chains(s, maxChains+1) }},
	{"tampered", "every part of a message changed, then the message itself", tampered},
	{"unknown chain", "a message of another session while there is no sender chain, and when there is", unknownChain},
	{"answers cross", "both sides send before they hear", answersCross},
}

// walks is how many random histories are made, and walkLength their steps.
const (
	walks      = 4
	walkLength = 80
)

func makeHistories() (File, error) {
	var vectors []History
	add := func(name, comment string, play func(*script)) error {
		d, err := newDialogue()
		if err != nil {
			return err
		}
		s := &script{dialogue: d}
		if play(s); s.err != nil {
			return fmt.Errorf("%s: %w", name, s.err)
		}
		vectors = append(vectors, d.history(name, comment))
		return nil
	}
	for _, h := range histories {
		if err := add(h.name, h.comment, h.play); err != nil {
			return File{}, err
		}
	}
	for i := range walks {
		r := rand.New(rand.NewPCG(uint64(i), 0))
		play := func(s *script) { walk(s, r) }
		if err := add(fmt.Sprintf("random walk %d", i), "loss, reordering and duplicates by chance", play); err != nil {
			return File{}, err
		}
	}
	return File{
		Kind:        "olm-history",
		Description: "Whole conversations: with the given keys and randomness, encrypting gives exactly these bytes and decrypting these verdicts.",
		Expect:      verdictNames(interop.Accepted, interop.WrongVersion, interop.WrongMAC, interop.KeyGone, interop.Gap, interop.UnknownChain),
		Vectors:     vectors,
	}, nil
}

func oneDirection(s *script) {
	s.meet()
	for range 5 {
		s.hears("bob", s.says("alice"), interop.Accepted)
	}
	s.hears("alice", s.says("bob"), interop.Accepted)
	s.hears("bob", s.says("alice"), interop.Accepted)
}

func conversation(s *script) {
	s.meet()
	for range 12 {
		s.turn()
	}
}

func reordered(s *script) {
	s.meet()
	s.turn()
	m := s.sayMany("alice", 8)
	for i := len(m) - 1; i >= 0; i-- {
		s.hears("bob", m[i], interop.Accepted)
	}
}

func acrossChains(s *script) {
	s.meet()
	var held []int
	for range 3 {
		m := s.sayMany("alice", 3)
		s.hears("bob", m[1], interop.Accepted)
		held = append(held, m[0], m[2])
		s.hears("alice", s.says("bob"), interop.Accepted)
	}
	for i := len(held) - 1; i >= 0; i-- {
		s.hears("bob", held[i], interop.Accepted)
	}
}

func duplicates(s *script) {
	first := s.meet()
	s.hears("bob", first, interop.KeyGone)
	m := s.sayMany("alice", 3)
	s.hears("bob", m[2], interop.Accepted)
	s.hears("bob", m[0], interop.Accepted)
	for _, i := range []int{2, 0} {
		s.hears("bob", m[i], interop.KeyGone)
	}
	s.hears("bob", m[1], interop.Accepted)
	s.hears("bob", m[1], interop.KeyGone)
	s.turn()
	again := s.says("alice")
	s.hears("bob", again, interop.Accepted)
	s.hears("bob", again, interop.KeyGone)
}

func skippedKeys(s *script, n int) {
	s.meet()
	s.turn()
	m := s.sayMany("alice", n+1)
	s.hears("bob", m[n], interop.Accepted)
	for i, late := range m[:n] {
		if n-i > maxSkipped {
			s.hears("bob", late, interop.KeyGone)
		} else {
			s.hears("bob", late, interop.Accepted)
		}
	}
}

func skippedOfTwoChains(s *script) {
	const each = 30
	s.meet()
	s.turn()
	var late [][]int
	for range 2 {
		m := s.sayMany("alice", each+1)
		s.hears("bob", m[each], interop.Accepted)
		late = append(late, m[:each])
		s.hears("alice", s.says("bob"), interop.Accepted)
	}
	const dropped = 2*each - maxSkipped // of the first chain, by libolm
	for _, m := range late[0][:dropped] {
		s.do(func() error { return s.onlyPawl("bob", m) })
	}
	for _, m := range append(late[0][dropped:], late[1]...) {
		s.hears("bob", m, interop.Accepted)
	}
}

// gap lets a message be n ahead of Bob's chain, first in the chain of the
// handshake, then in one after a turn.
func gap(s *script, n int, want interop.Verdict) {
	s.meet()
	for range 2 {
		before := s.says("alice")
		s.loses("alice", n-1)
		far := s.says("alice")
		s.hears("bob", far, want)
		if want == interop.Accepted {
			s.hears("bob", before, interop.KeyGone)
		} else {
			s.hears("bob", before, interop.Accepted)
			s.hears("bob", far, interop.Accepted)
		}
		s.hears("bob", far, interop.KeyGone)
		s.turn()
	}
}

// chains leaves one message behind in each of n chains, then hears them.
func chains(s *script, n int) {
	first := s.says("alice")
	s.do(func() error { return s.open(first) })
	var late []int
	for i := range n {
		m := first
		if i > 0 {
			m = s.says("alice")
		}
		late = append(late, m)
		s.hears("bob", s.says("alice"), interop.Accepted)
		if i < n-1 {
			s.hears("alice", s.says("bob"), interop.Accepted)
		}
	}
	for i, m := range late {
		if i < n-maxChains {
			s.hears("bob", m, interop.UnknownChain)
			s.says("bob") // with a sender chain, the ratchet is turned in vain
			s.hears("bob", m, interop.WrongMAC)
			continue
		}
		s.hears("bob", m, interop.Accepted)
	}
}

func tampered(s *script) {
	s.meet()
	for range 2 {
		s.turn()
		m := s.says("alice")
		body := s.messages[m].Body
		for _, at := range []struct {
			offset int
			what   string
			want   interop.Verdict
		}{
			{0, "version", interop.WrongVersion},
			{36, "index, four messages further", interop.WrongMAC}, // 03 0A 20 key 10 index
			{len(body) / 2, "ciphertext", interop.WrongMAC},
			{len(body) - 1, "MAC", interop.WrongMAC},
			{5, "ratchet key: the chain becomes one that cannot have begun", interop.UnknownChain},
		} {
			changed := append([]byte(nil), body...)
			changed[at.offset] ^= 4
			s.do(func() error {
				return s.dialogue.tampered("bob", interop.Message{Type: 1, Body: changed}, at.want, at.what)
			})
		}
		s.hears("bob", m, interop.Accepted)
	}
}

func unknownChain(s *script) {
	s.meet()
	s.turn()
	other, err := newDialogue()
	if err != nil {
		s.err = err
		return
	}
	o := &script{dialogue: other}
	o.meet()
	o.turn()
	stray := o.messages[o.says("alice")]
	if o.err != nil {
		s.err = o.err
		return
	}
	s.do(func() error {
		return s.dialogue.tampered("bob", stray, interop.UnknownChain, "Bob has no sender chain, so Alice cannot have turned")
	})
	s.says("bob")
	s.do(func() error {
		return s.dialogue.tampered("bob", stray, interop.WrongMAC, "Bob has one, the ratchet is turned in vain")
	})
	s.turn()
}

func answersCross(s *script) {
	s.meet()
	for range 3 {
		a, b := s.sayMany("alice", 2), s.sayMany("bob", 2)
		s.hears("bob", a[0], interop.Accepted)
		s.hears("alice", b[1], interop.Accepted)
		s.hears("bob", a[1], interop.Accepted)
		s.hears("alice", b[0], interop.Accepted)
	}
}

// walk lets chance decide who speaks and what arrives.
func walk(s *script, r *rand.Rand) {
	s.meet()
	other := map[string]string{"alice": "bob", "bob": "alice"}
	pending := map[string][]int{} // by receiver
	seen := map[string][]int{}
	names := []string{"alice", "bob"}
	for range walkLength {
		who := names[r.IntN(2)]
		queue := pending[who]
		switch dice := r.IntN(10); {
		case dice < 4 || len(queue) == 0:
			pending[other[who]] = append(pending[other[who]], s.says(who))
		case dice < 5:
			pending[who] = queue[:len(queue)-1] // lost
		case dice < 6 && len(seen[who]) > 0:
			// Few enough chains pass that the chain of the last message is there.
			s.hears(who, seen[who][len(seen[who])-1], interop.KeyGone)
		default:
			i := r.IntN(min(len(queue), 4))
			s.hears(who, queue[i], interop.Accepted)
			seen[who] = append(seen[who], queue[i])
			pending[who] = append(append([]int(nil), queue[:i]...), queue[i+1:]...)
		}
	}
}

package ratchet

import (
	"bytes"
	"slices"
)

// Offsets in the record of a session that has a sender chain.
const (
	atFlags  = 1
	atSender = 2 + 4*keySize
	atChains = atSender + senderSize
	atChain  = atChains + 1
)

// sampleState is a session that has sent and received, with 2 chains and 2 + 0
// skipped keys.
func sampleState() state {
	key := func(b byte) [32]byte { return [32]byte{b, 31: b} }
	return state{
		keys:      &PreKeys{PublicKey(key(1)), PublicKey(key(2)), PublicKey(key(3))},
		initiated: true,
		received:  true,
		root:      rootKey(key(4)),
		sender:    senderChain{&senderKey{PublicKey(key(5)), key(6)}, chainKey{key(7), 8}},
		receivers: []receiverChain{
			{PublicKey(key(9)), remoteChainKey{key(10), 11}, []skippedKey{{3, key(12)}, {10, key(13)}}},
			{PublicKey(key(14)), remoteChainKey{key(15), maxIndex}, nil},
		},
	}
}

// sampleWith is the record of the sample after a change.
func sampleWith(change func(*state)) []byte {
	s := sampleState()
	change(&s)
	return s.append(nil)
}

func recordSeeds() []seed {
	good := sampleWith(func(*state) {})
	poke := func(at int, b byte) []byte {
		out := bytes.Clone(good)
		out[at] = b
		return out
	}
	skipped := func(n int) []skippedKey {
		out := make([]skippedKey, n)
		for i := range out {
			out[i].index = uint32(i)
		}
		return out
	}
	chains := func(n int) []receiverChain {
		out := make([]receiverChain, n)
		for i := range out {
			out[i].ratchet[0] = byte(i)
		}
		return out
	}
	fresh := func(s *state) { s.received, s.receivers = false, nil }
	inbound := func(s *state) {
		s.initiated, s.received, s.sender, s.receivers = false, false, senderChain{}, chains(1)
	}
	return []seed{
		{"sample", good, nil},
		{"new outbound", sampleWith(fresh), nil},
		{"new inbound", sampleWith(inbound), nil},
		{"new inbound that sends", sampleWith(func(s *state) { inbound(s); s.sender = sampleState().sender }), nil},
		{"turned", sampleWith(func(s *state) { s.sender = senderChain{} }), nil},
		{"5 chains", sampleWith(func(s *state) { s.receivers = chains(5) }), nil},
		{"40 skipped keys", sampleWith(func(s *state) { s.receivers[1].skipped = skipped(40) }), nil},

		{"empty", nil, ErrFormat},
		{"version 0", poke(0, 0), ErrFormat},
		{"version 2", poke(0, 2), ErrFormat},
		{"unknown flag", poke(atFlags, good[atFlags]|8), ErrFormat},
		{"sender flag cleared", poke(atFlags, flagInitiated|flagReceived), ErrFormat},
		{"last byte missing", good[:len(good)-1], ErrFormat},
		{"byte after the end", append(bytes.Clone(good), 0), ErrFormat},
		{"cut in the keys", good[:40], ErrFormat},
		{"chain count too high for the bytes", poke(atChains, 3), ErrFormat},
		{"6 chains", sampleWith(func(s *state) { s.receivers = chains(6) }), ErrFormat},
		{"255 chains", poke(atChains, 255), ErrFormat},
		{"41 skipped keys", sampleWith(func(s *state) { s.receivers[1].skipped = skipped(41) }), ErrFormat},
		{"skipped keys out of order", sampleWith(func(s *state) { slices.Reverse(s.receivers[0].skipped) }), ErrFormat},
		{"skipped key twice", sampleWith(func(s *state) { s.receivers[0].skipped[0].index = 10 }), ErrFormat},
		{"skipped key not behind its chain", sampleWith(func(s *state) { s.receivers[0].skipped[1].index = 11 }), ErrFormat},
		{"one ratchet key twice", sampleWith(func(s *state) { s.receivers[1].ratchet = s.receivers[0].ratchet }), ErrFormat},
		{"received on no chain", sampleWith(func(s *state) { s.receivers = nil }), ErrFormat},
		{"no chain at all", sampleWith(func(s *state) { fresh(s); s.sender = senderChain{} }), ErrFormat},
		{"outbound with chains before an answer", sampleWith(func(s *state) { s.received = false }), ErrFormat},
		{"inbound without chains", sampleWith(func(s *state) { inbound(s); s.receivers = nil }), ErrFormat},
		{"inbound with two chains before a message", sampleWith(func(s *state) { inbound(s); s.receivers = chains(2) }), ErrFormat},
		{"inbound with an advanced chain before a message", sampleWith(func(s *state) { inbound(s); s.receivers[0].chain.index = 1 }), ErrFormat},
	}
}

package ratchet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/secret"
)

// partsOf takes a session apart.
func partsOf(s Session) Parts {
	st := s.state.Peek()
	p := Parts{Keys: *st.keys, Initiated: st.initiated, Received: st.received, Root: secret.Hide([32]byte(st.root))}
	if st.sender.active() {
		p.Sender = &SenderPart{
			Ratchet: RestoreKeyPair(st.sender.ratchet.public, st.sender.ratchet.private),
			Key:     secret.Hide(st.sender.chain.key), Index: st.sender.chain.index,
		}
	}
	for _, c := range st.receivers {
		part := ReceiverPart{Ratchet: c.ratchet, Key: secret.Hide(c.chain.key), Index: c.chain.index}
		for _, k := range c.skipped {
			part.Skipped = append(part.Skipped, SkippedPart{Index: k.index, Key: secret.Hide([32]byte(k.key))})
		}
		p.Receivers = append(p.Receivers, part)
	}
	return p
}

// TestPartsMakeTheSession puts together what each good record holds, with the skipped
// keys in another order.
func TestPartsMakeTheSession(t *testing.T) {
	for _, s := range recordSeeds() {
		want, err := DecodeSession(s.In)
		if err != nil {
			continue
		}
		p := partsOf(want)
		for i := range p.Receivers {
			slices.Reverse(p.Receivers[i].Skipped)
		}
		got, err := FromParts(p)
		if err != nil || !bytes.Equal(mustRecord(t, got), s.In) {
			t.Errorf("%s: another session, %v", s.Name, err)
		}
	}
}

func TestPartsOfNoSession(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := mustEncrypt(t, bob, "text")
	alice, _ = mustDecrypt(t, alice, m)
	for what, change := range map[string]func(*Parts){
		"no ratchet key":      func(p *Parts) { p.Sender = &SenderPart{} },
		"received on nothing": func(p *Parts) { p.Receivers = nil },
		"six chains": func(p *Parts) {
			for i := range MaxReceiverChains {
				p.Receivers = append(p.Receivers, ReceiverPart{Ratchet: PublicKey{byte(i)}})
			}
		},
		"two chains of a key": func(p *Parts) { p.Receivers = append(p.Receivers, p.Receivers[0]) },
		"skipped twice": func(p *Parts) {
			p.Receivers[0].Index, p.Receivers[0].Skipped = 9, []SkippedPart{{Index: 3}, {Index: 3}}
		},
		"skipped ahead": func(p *Parts) { p.Receivers[0].Skipped = []SkippedPart{{Index: 9}} },
	} {
		p := partsOf(alice)
		change(&p)
		if s, err := FromParts(p); !errors.Is(err, ErrFormat) || !s.IsZero() {
			t.Errorf("%s: %v, want ErrFormat", what, err)
		}
	}
}

// TestPartsKeepTheNewestKeys: others keep more skipped keys of a chain.
func TestPartsKeepTheNewestKeys(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := mustEncrypt(t, bob, "text")
	alice, _ = mustDecrypt(t, alice, m)
	p := partsOf(alice)
	p.Receivers[0].Index = 100
	for i := range uint32(MaxSkippedKeys + 5) {
		p.Receivers[0].Skipped = append(p.Receivers[0].Skipped, SkippedPart{Index: i})
	}
	s, err := FromParts(p)
	if err != nil {
		t.Fatal(err)
	}
	kept := s.state.Peek().receivers[0].skipped
	if len(kept) != MaxSkippedKeys || kept[0].index != 5 {
		t.Errorf("%d skipped keys from %d, want %d from 5", len(kept), kept[0].index, MaxSkippedKeys)
	}
}

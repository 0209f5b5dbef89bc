package ratchet

import (
	"crypto/rand"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/message"
)

// TestSteps: what a message is said to cost is by how far it moves its chain.
func TestSteps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		alice, bob := benchPair(t)
		if rapid.Bool().Draw(rt, "of a new chain") {
			bob, answer := mustEncrypt(t, bob, "answer")
			alice, _ = mustDecrypt(t, alice, answer)
			steps(t, alice, bob, rapid.IntRange(0, 200).Draw(rt, "lost"))
			return
		}
		steps(t, alice, bob, rapid.IntRange(0, 200).Draw(rt, "lost"))
	})
}

// steps lets messages of one side be lost and one arrive.
func steps(t *testing.T, from, to Session, lost int) {
	t.Helper()
	var m Message
	for range lost + 1 {
		from, m = mustEncrypt(t, from, "text")
	}
	parsed := mustParse(t, m)
	chain := func(s Session) (at uint32) {
		for _, c := range s.ReceiverChains() {
			if c.RatchetKey == parsed.RatchetKey {
				at = c.Index
			}
		}
		return at
	}
	said, before := to.Steps(parsed), chain(to)
	next, _ := mustDecrypt(t, to, m)
	if made := int(chain(next)-before) - 1; said != made {
		t.Fatalf("a message after %d that are lost is said to cost %d steps and costs %d", lost, said, made)
	}
	if n := next.Steps(parsed); n != 0 {
		t.Fatalf("the same message again is said to cost %d steps", n)
	}
}

// TestStepsOfWhatIsRefused: a message that is refused for its place costs none.
func TestStepsOfWhatIsRefused(t *testing.T) {
	a, b := newParty(t), newParty(t)
	fresh, err := NewOutbound(rand.Reader, a.identity, b.identity.Public(), b.oneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	_, mute := openPair(t, rand.Reader)
	for _, test := range []struct {
		name  string
		s     Session
		index uint32
		want  int
		err   error
	}{
		{"the last that is accepted", fresh, MaxGap, MaxGap, ErrMAC},
		{"one too far ahead", fresh, MaxGap + 1, 0, ErrGap},
		{"the last index", fresh, maxIndex, 0, ErrGap},
		{"one that cannot begin a chain", mute, 5, 0, ErrUnknownChain},
		{"the empty session", Session{}, 5, 0, ErrNoSession},
	} {
		m := mustParse(t, forged(test.index))
		if _, _, err := test.s.Decrypt(m); !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.err)
		}
		if n := test.s.Steps(m); n != test.want {
			t.Errorf("%s: %d steps, want %d", test.name, n, test.want)
		}
	}
}

// forged returns a message of a chain that nobody has.
func forged(index uint32) Message {
	key := PublicKey{9}
	body := appendNormalHeader(nil, &key, index, 16)
	return Message{Type: Normal, Body: append(body, make([]byte, 16+message.MACSize)...)}
}

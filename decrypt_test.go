package pawl_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// refuses fails the test unless m is refused with an error and changes nothing.
func (d *device) refuses(from ratchet.PublicKey, m ratchet.Message, want error) {
	d.t.Helper()
	d.unchanged(func() {
		got, err := d.Decrypt(d.ctx, from, m)
		if !errors.Is(err, want) {
			d.t.Errorf("Decrypt gives %v, want %v", err, want)
		}
		if got.Plaintext != nil || got.Session != (ratchet.SessionID{}) {
			d.t.Errorf("a refused message gives %+v", got)
		}
	})
}

// edit returns a copy of m with a byte changed, counted from the end if n < 0.
func edit(m ratchet.Message, n int, to func(byte) byte) ratchet.Message {
	m.Body = slices.Clone(m.Body)
	if n < 0 {
		n += len(m.Body)
	}
	m.Body[n] = to(m.Body[n])
	return m
}

func flip(b byte) byte { return b ^ 1 }

// Where the parts of a message are: see ratchet.PreKeyMessage.
const (
	baseKeyAt    = 1 + 2 + 32 + 2
	ratchetKeyAt = 1 + 2 // in a normal message
)

func TestMessagesThatAreNone(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	normal := alice.send(bob, "hello")
	preKey := alice.send(bob, "hello", pawl.WithOneTimeKey(bob.oneTimeKey()))
	cases := []struct {
		name string
		m    ratchet.Message
		want error
	}{
		{"type 2", ratchet.Message{Type: 2, Body: normal.Body}, pawl.ErrMessageType},
		{"type -1", ratchet.Message{Type: -1, Body: normal.Body}, pawl.ErrMessageType},
		{"empty", ratchet.Message{Type: ratchet.Normal}, ratchet.ErrMalformed},
		{"empty pre-key message", ratchet.Message{Type: ratchet.PreKey}, ratchet.ErrMalformed},
		{"cut off", ratchet.Message{Type: ratchet.Normal, Body: normal.Body[:40]}, ratchet.ErrMalformed},
		{"cut off pre-key message", ratchet.Message{Type: ratchet.PreKey, Body: preKey.Body[:100]}, ratchet.ErrMalformed},
		{"pre-key message as a normal one", ratchet.Message{Type: ratchet.Normal, Body: preKey.Body}, ratchet.ErrMalformed},
		{"version 2", edit(normal, 0, func(byte) byte { return 2 }), ratchet.ErrVersion},
		{"version 4 of a pre-key message", edit(preKey, 0, func(byte) byte { return 4 }), ratchet.ErrVersion},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := *bob
			d.t = t
			d.refuses(alice.id.Curve25519, c.m, c.want)
		})
	}
	bob.receive(alice, normal)
	bob.receive(alice, preKey)
	bob.intact()
}

func TestSenders(t *testing.T) {
	alice, bob := pair(t)
	carol := newDevice(t, newMemory(), "@carol:example.org")
	alice.meet(bob)
	normal := alice.send(bob, "hello")
	preKey := alice.send(bob, "hello", pawl.WithOneTimeKey(bob.oneTimeKey()))
	bob.refuses(carol.id.Curve25519, normal, pawl.ErrUnknownSession)
	bob.refuses(carol.id.Curve25519, preKey, account.ErrSender)
	bob.refuses(bob.id.Curve25519, normal, pawl.ErrSelf)
	bob.refuses(ratchet.PublicKey{}, normal, pawl.ErrUnknownSession)
	if d := bob.receive(alice, normal); string(d.Plaintext) != "hello" || d.Duplicate {
		t.Errorf("afterwards: %+v", d)
	}
}

func TestOneTimeKeysOfPreKeyMessages(t *testing.T) {
	alice, bob := pair(t)
	carol := newDevice(t, newMemory(), "@carol:example.org")
	key := bob.oneTimeKey()
	first := alice.send(bob, "hello", pawl.WithOneTimeKey(key))
	second := alice.send(bob, "hello again", pawl.WithOneTimeKey(key))
	notOurs := alice.send(bob, "hello", pawl.WithOneTimeKey(carol.oneTimeKey()))

	bob.refuses(alice.id.Curve25519, notOurs, pawl.ErrUnknownOneTimeKey)
	// A malformed message consumes nothing: not a wrong MAC, not a base key
	// of low order, not a message too far ahead.
	bob.refuses(alice.id.Curve25519, edit(first, -1, flip), ratchet.ErrMAC)
	zeroBase := first
	for i := range 32 {
		zeroBase = edit(zeroBase, baseKeyAt+i, func(byte) byte { return 0 })
	}
	bob.refuses(alice.id.Curve25519, zeroBase, ratchet.ErrZeroSecret)
	if n := bob.inspect().Keys.Used; n != 0 {
		t.Errorf("%d one-time keys are used", n)
	}
	got := bob.receive(alice, first)
	bob.refuses(alice.id.Curve25519, second, otk.ErrUsed)
	var used *otk.UsedError
	if _, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, second); !errors.As(err, &used) || used.Session != got.Session {
		t.Errorf("the error of a used key is %v, want one that names session %v", err, got.Session)
	}
	bob.intact()
}

// TestUndecryptable has each reason for which no session decrypts a message.
func TestUndecryptable(t *testing.T) {
	alice, bob := pair(t)
	bob.receive(alice, alice.send(bob, "hello", pawl.WithOneTimeKey(bob.oneTimeKey())))
	m := alice.send(bob, "one") // still a pre-key message: bob has not answered
	bob.undecryptable(alice, edit(m, -1, flip), ratchet.ErrMAC)
	// Bob has sent nothing, so Alice cannot have begun another chain.
	normal := ratchet.Message{Type: ratchet.Normal, Body: preKeyParts(t, m)}
	bob.undecryptable(alice, edit(normal, ratchetKeyAt, flip), ratchet.ErrUnknownChain)
	bob.receive(alice, m)

	bob.meet(alice)
	alice.send(bob, "lost")
	for range ratchet.MaxGap {
		m = alice.send(bob, "lost too")
	}
	bob.receive(alice, m)
	for range ratchet.MaxGap + 1 {
		alice.send(bob, "lost")
	}
	far := alice.send(bob, "too far")
	bob.undecryptable(alice, far, ratchet.ErrGap)
	bob.intact()
}

// preKeyParts returns the normal message within a pre-key message.
func preKeyParts(t *testing.T, m ratchet.Message) []byte {
	t.Helper()
	const header = 1 + 3*(2+32)
	if m.Type != ratchet.PreKey || m.Body[header] != 0x22 {
		t.Fatal("not a pre-key message as Pawl writes it")
	}
	rest := m.Body[header+1:]
	for rest[0] >= 0x80 { // length
		rest = rest[1:]
	}
	return rest[1:]
}

func (d *device) undecryptable(from *device, m ratchet.Message, want error) {
	d.t.Helper()
	d.refuses(from.id.Curve25519, m, want)
	var u *pawl.UndecryptableError
	_, err := d.Decrypt(d.ctx, from.id.Curve25519, m)
	if !errors.As(err, &u) || u.Sender != from.id.Curve25519 || u.Tried < 1 {
		d.t.Errorf("the error is %v, want an UndecryptableError", err)
	}
}

// TestKeyGone: what is older than the skipped keys that are kept, or has lost
// its receipt, is refused for that reason.
func TestKeyGone(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	var sent []ratchet.Message
	for i := range ratchet.MaxSkippedKeys + 2 {
		sent = append(sent, alice.send(bob, fmt.Sprint(i)))
	}
	bob.receive(alice, sent[len(sent)-1])
	bob.undecryptable(alice, sent[0], ratchet.ErrKeyGone)
	for i, m := range sent[1 : len(sent)-1] {
		if d := bob.receive(alice, m); string(d.Plaintext) != fmt.Sprint(i+1) || d.Duplicate {
			t.Errorf("message %d: %+v", i+1, d)
		}
	}
	bob.intact()
}

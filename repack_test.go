package pawl_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// wireField is a field of an Olm message as its bytes.
type wireField []byte

func bytesField(number byte, value []byte) wireField {
	return append(binary.AppendUvarint(wireField{number<<3 | 2}, uint64(len(value))), value...)
}

// long is the length of a field in more bytes than it needs.
func long(number byte, value []byte) wireField {
	n := binary.AppendUvarint(nil, uint64(len(value)))
	n[len(n)-1] |= 0x80
	return append(append(append(wireField{number<<3 | 2}, n...), 0x80, 0), value...)
}

// repackings are the ways to write the same pre-key message in other bytes.
func repackings(t *testing.T, m ratchet.Message) map[string]ratchet.Message {
	t.Helper()
	p, err := ratchet.ParsePreKeyMessage(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	inner := innerOf(t, m)
	oneTime, base, identity := p.OneTimeKey[:], p.BaseKey[:], p.IdentityKey[:]
	usual := []wireField{bytesField(1, oneTime), bytesField(2, base), bytesField(3, identity), bytesField(4, inner)}
	envelope := func(fields ...wireField) ratchet.Message {
		return ratchet.Message{Type: ratchet.PreKey, Body: slices.Concat(append([]wireField{{3}}, fields...)...)}
	}
	reversed := slices.Clone(usual)
	slices.Reverse(reversed)
	return map[string]ratchet.Message{
		"as it came":                     m,
		"the message within, as it is":   {Type: ratchet.Normal, Body: inner},
		"with an unknown field":          envelope(append(slices.Clone(usual), bytesField(9, []byte("more")))...),
		"with an unknown number":         envelope(append([]wireField{{7 << 3, 1}}, usual...)...),
		"in another order":               envelope(reversed...),
		"with a field twice":             envelope(append([]wireField{bytesField(2, make([]byte, 32)), bytesField(4, []byte("other"))}, usual...)...),
		"with the message twice":         envelope(append(slices.Clone(usual), usual[3])...),
		"with a longer length":           envelope(usual[0], usual[1], usual[2], long(4, inner)),
		"with longer lengths throughout": envelope(long(1, oneTime), long(2, base), long(3, identity), long(4, inner)),
	}
}

// innerOf returns the normal message within a pre-key message.
func innerOf(t *testing.T, m ratchet.Message) []byte {
	t.Helper()
	rest := m.Body[1:]
	for len(rest) > 0 {
		number := rest[0] >> 3
		n, size := binary.Uvarint(rest[1:])
		value := rest[1+size:][:n]
		if number == 4 {
			return value
		}
		rest = rest[1+size+int(n):]
	}
	t.Fatal("no message within")
	return nil
}

// TestRepackedMessages: one message has one receipt, in whichever bytes it comes,
// and in whichever it came first, in a new account and in one that was raised.
func TestRepackedMessages(t *testing.T) {
	t.Run("new", func(t *testing.T) {
		alice, bob := pair(t)
		repacked(t, alice, bob)
	})
	t.Run("raised", func(t *testing.T) {
		engine := &unraised{Store: newMemory()}
		alice, bob := newDevice(t, newMemory(), "@alice:example.org"), newDevice(t, engine, "@bob:example.org")
		before := alice.send(bob, "before", pawl.WithOneTimeKey(bob.oneTimeKey()))
		got := bob.receive(alice, before)
		engine.gone.Store(true)
		bob.sweepsAt(bob.clock.now())
		repacked(t, alice, bob)
		// What came before the raise has its old name.
		bob.answersAgain(alice, before, got)
	})
}

// repacked is the test with first messages of alice's, and such as follow them.
func repacked(t *testing.T, alice, bob *device) {
	t.Helper()
	first := repackings(t, alice.send(bob, "hello", pawl.WithOneTimeKey(bob.oneTimeKey())))
	bob.receive(alice, first["as it came"])
	for name := range first {
		if name == "the message within, as it is" {
			continue // would open no session
		}
		// A message of each kind that comes in these bytes first.
		opens := repackings(t, alice.send(bob, name, pawl.WithOneTimeKey(bob.oneTimeKey())))
		got := bob.receive(alice, opens[name])
		again := repackings(t, alice.send(bob, name+" again"))
		goesOn := bob.receive(alice, again[name])
		for other := range first {
			bob.answersAgain(alice, opens[other], got)
			bob.answersAgain(alice, again[other], goesOn)
		}
		if err := bob.Acknowledge(bob.ctx, got.Receipt); err != nil {
			t.Fatal(err)
		}
		for other, m := range opens {
			if _, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, m); !errors.Is(err, pawl.ErrAlreadyProcessed) {
				t.Errorf("%s, then %s: %v, want %v", name, other, err, pawl.ErrAlreadyProcessed)
			}
		}
	}
	bob.intact()
}

// answersAgain checks that a message is the duplicate of another.
func (d *device) answersAgain(from *device, m ratchet.Message, first pawl.Decrypted) {
	d.t.Helper()
	got, err := d.Decrypt(d.ctx, from.id.Curve25519, m)
	if err != nil || !got.Duplicate || string(got.Plaintext) != string(first.Plaintext) || got.Receipt != first.Receipt || got.Session != first.Session {
		d.t.Errorf("%+v, %v, want a duplicate of receipt %s", got, err, first.Receipt)
	}
}

// TestChangedMessages: of a normal message the MAC covers every byte, so no other
// bytes are the same message; and a copy that was changed changes nothing.
func TestChangedMessages(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	alice.send(bob, "lost")
	m := alice.send(bob, "text")
	if m.Type != ratchet.Normal {
		t.Fatalf("a message of type %v", m.Type)
	}
	got := bob.receive(alice, m)
	for at := range m.Body {
		changed := ratchet.Message{Type: m.Type, Body: slices.Clone(m.Body)}
		changed.Body[at] ^= 1
		bob.unchanged(func() {
			if d, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, changed); err == nil {
				t.Errorf("byte %d of %d changed: %+v", at, len(m.Body), d)
			}
		})
	}
	// Bytes that parse to the same, and that the MAC covers.
	n := len(m.Body) - 8
	more := slices.Concat(m.Body[:n], []byte(bytesField(9, []byte("more"))), m.Body[n:])
	bob.undecryptable(alice, ratchet.Message{Type: m.Type, Body: more}, ratchet.ErrKeyGone)
	// The MAC is not in the receipt's name.
	forged := ratchet.Message{Type: m.Type, Body: slices.Clone(m.Body)}
	forged.Body[n] ^= 1
	bob.undecryptable(alice, forged, ratchet.ErrMAC)
	bob.answersAgain(alice, m, got)
	bob.intact()
}

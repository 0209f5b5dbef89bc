package session

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

func TestReceiptReopensItsMessageUntilAcknowledged(t *testing.T) {
	o := open(t)
	o, m := o.reply(t)
	_, plaintext, err := o.alice.Decrypt(m)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReceipt(ReceiptID{7}, o.alice.ID(), plaintext.Key, Moment{Time: noon})
	back, err := DecodeReceipt(mustEncode(t, r))
	if err != nil {
		t.Fatal(err)
	}
	key, ok := back.Key()
	if !ok || back.ID() != (ReceiptID{7}) || back.Session() != o.alice.ID() || back.Created() != NextStamp(noon) {
		t.Fatalf("receipt came back with session %v, key %v", back.Session(), ok)
	}
	if got, err := key.Open(m); err != nil || string(got) != "reply" {
		t.Errorf("the kept key opens %q, %v", got, err)
	}
	secretBytes := plaintext.Key.Append(nil)
	done := back.Acknowledged()
	if _, ok := done.Key(); ok || bytes.Contains(mustEncode(t, done), secretBytes) {
		t.Error("an acknowledged receipt keeps the key")
	}
	if _, ok := back.Key(); !ok {
		t.Error("Acknowledged changed the receipt it was called on")
	}
}

func TestReceiptExpires(t *testing.T) {
	r := NewReceipt(ReceiptID{7}, ratchet.SessionID{}, ratchet.MessageKey{}, Moment{Time: noon})
	for after, want := range map[time.Duration]bool{
		0: false, ReceiptLife: false, ReceiptMemory - time.Millisecond: false, ReceiptMemory: true,
	} {
		if got := r.Forgettable(noon.Add(after)); got != want {
			t.Errorf("forgettable %v after: %v, want %v", after, got, want)
		}
	}
	for after, want := range map[time.Duration]bool{
		0: false, -1000 * time.Hour: false, ReceiptLife - time.Millisecond: false, ReceiptLife: true, 10 * ReceiptLife: true,
	} {
		if got := r.Expired(noon.Add(after)); got != want {
			t.Errorf("expired %v after: %v, want %v", after, got, want)
		}
	}
}

func TestDecodeReceiptRefusesContradictions(t *testing.T) {
	write := func(key []byte, created, expires uint64) []byte {
		return record.Encode(receiptVersion1, receiptFields, 0, func(w *record.Writer) {
			w.Bytes(make([]byte, 32))
			w.Bytes(make([]byte, 32))
			w.Bytes(key)
			w.Uint(created)
			w.Uint(expires)
		})
	}
	for _, n := range []int{0, 32} {
		if r, err := DecodeReceipt(write(make([]byte, n), 1, 2)); err != nil || len(r.key.Append(nil)) != n {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
	for name, in := range map[string][]byte{
		"a short key":          write(make([]byte, 31), 1, 2),
		"a long key":           write(make([]byte, 33), 1, 2),
		"created never":        write(nil, 0, 2),
		"expired when created": write(nil, 3, 2),
		"of no order":          append([]byte{receiptVersion2}, write(nil, 1, 0)[1:]...),
	} {
		if _, err := DecodeReceipt(in); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

// Equal ids mean equal messages of one sender.
func TestReceiptOf1(t *testing.T) {
	type message struct {
		sender ratchet.PublicKey
		kind   ratchet.MessageType
		body   string
	}
	seen := map[ReceiptID]message{}
	rapid.Check(t, func(t *rapid.T) {
		m := message{
			sender: ratchet.PublicKey{byte(rapid.IntRange(0, 1).Draw(t, "sender"))},
			kind:   ratchet.MessageType(rapid.IntRange(0, 1).Draw(t, "type")),
			body:   string(rapid.SliceOfN(rapid.ByteRange(0, 1), 0, 40).Draw(t, "body")),
		}
		id := ReceiptOf1(m.sender, ratchet.Message{Type: m.kind, Body: []byte(m.body)})
		if other, ok := seen[id]; ok && other != m {
			t.Fatalf("%v and %v share an id", m, other)
		}
		seen[id] = m
	})
	// The format, computed by another program.
	const want = "3a4be25ffab8f29c307e5fa51d2bbeb1"
	id := ReceiptOf1(ratchet.PublicKey{1}, ratchet.Message{Type: ratchet.Normal, Body: []byte("body")})
	if got := id.String(); got[:32] != want {
		t.Errorf("receipt id %s, want it to begin with %s", got, want)
	}
}

// A receipt names who sent the message, too.
func TestReceiptOfNamesTheSender(t *testing.T) {
	body := slices.Concat([]byte{3, 0x0a, 32}, make([]byte, 32), []byte{0x10, 0, 0x22, 16}, make([]byte, 16+8))
	m, err := ratchet.ParseNormalMessage(body)
	if err != nil {
		t.Fatal(err)
	}
	if ReceiptOf(ratchet.PublicKey{1}, m) == ReceiptOf(ratchet.PublicKey{2}, m) {
		t.Error("one message of two senders has one receipt")
	}
}

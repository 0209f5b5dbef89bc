package todevice_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// party is a device with its messages.
type party struct {
	*machine.Account
	*todevice.Messages
	keys device.Keys
}

func newParty(t *testing.T, store kv.Store, name machine.AccountName) party {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), store, seal.RawKey([32]byte{1}), tools)
	must(t, err)
	if _, err := s.Create(t.Context(), name); err != nil && !errors.Is(err, machine.ErrAccountExists) {
		t.Fatal(err)
	}
	a := s.Account(name)
	id, err := a.Identity(t.Context())
	must(t, err)
	return party{a, todevice.New(a), device.Keys{
		Name: device.Name{User: name.User, Device: name.Device}, Curve25519: id.Curve25519, Ed25519: id.Ed25519, Olm: true, Megolm: true,
	}}
}

// aliceAndBob are two devices of two users, and one-time keys of bob's.
func aliceAndBob(t *testing.T, store kv.Store, oneTimeKeys int) (alice, bob party, keysOfBob []ratchet.PublicKey) {
	t.Helper()
	alice = newParty(t, store, machine.AccountName{User: "@alice:example.org", Device: "PHONE"})
	bob = newParty(t, store, machine.AccountName{User: "@bob:example.org", Device: "LAPTOP"})
	up, err := keys.Offer(t.Context(), bob.Account, oneTimeKeys)
	must(t, err)
	var body struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	must(t, json.Unmarshal(up.Body, &body))
	for _, k := range body.Keys {
		key, err := ratchet.ParsePublicKey(k.Key)
		must(t, err)
		keysOfBob = append(keysOfBob, key)
	}
	return alice, bob, keysOfBob
}

// open opens a session within a transaction.
func (p party) open(t *testing.T, with party, key ratchet.PublicKey) {
	t.Helper()
	must(t, p.Do(t.Context(), func(tx *txn.Tx) error {
		v, err := p.Sending(tx)
		if err != nil {
			return err
		}
		_, err = p.OpenOutbound(tx, v, with.keys.Curve25519, key, 0)
		return err
	}))
}

// in encrypts within a transaction.
func (p party) in(tx *txn.Tx, to party, content string) (json.RawMessage, error) {
	v, err := p.Sending(tx)
	if err != nil {
		return nil, err
	}
	own, err := v.DeviceKeys()
	if err != nil {
		return nil, err
	}
	event, _, err := p.EncryptIn(tx, v, to.keys, own, "m.test", json.RawMessage(content))
	return event, err
}

// read decrypts the content of an event.
func (p party) read(t *testing.T, event json.RawMessage) todevice.Decrypted {
	t.Helper()
	d, err := p.Decrypt(t.Context(), p.message(t, event))
	must(t, err)
	return d
}

func (p party) message(t *testing.T, event json.RawMessage) todevice.Incoming {
	t.Helper()
	var e struct {
		Algorithm  string
		SenderKey  string `json:"sender_key"`
		Ciphertext map[string]struct {
			Type ratchet.MessageType
			Body string
		}
	}
	must(t, json.Unmarshal(event, &e))
	sender, err := ratchet.ParsePublicKey(e.SenderKey)
	must(t, err)
	c, mine := e.Ciphertext[p.keys.Curve25519.String()]
	body, ok := unpadded.Decode(c.Body)
	if e.Algorithm != account.Olm || !mine || !ok || len(e.Ciphertext) != 1 {
		t.Fatalf("the event is %s", event)
	}
	return todevice.Incoming{Sender: sender, Message: ratchet.Message{Type: c.Type, Body: body}}
}

// TestPayload: the plaintext says who sends it, with keys that the device signed,
// and who it is for; the content arrives as it was.
func TestPayload(t *testing.T) {
	alice, bob, keys := aliceAndBob(t, memkv.New(), 1)
	alice.open(t, bob, keys[0])
	const content = `{"body":"<a> & b","n":[1,{"x":null}]}`
	event, err := txn.Do(t.Context(), alice.DB, func(tx *txn.Tx) (json.RawMessage, error) { return alice.in(tx, bob, content) })
	must(t, err)
	var got map[string]json.RawMessage
	must(t, json.Unmarshal(bob.read(t, event).Plaintext, &got))
	for member, want := range map[string]string{
		"type": `"m.test"`, "content": content,
		"sender": `"@alice:example.org"`, "recipient": `"@bob:example.org"`,
		"keys":           `{"ed25519":"` + alice.keys.Ed25519.String() + `"}`,
		"recipient_keys": `{"ed25519":"` + bob.keys.Ed25519.String() + `"}`,
	} {
		if !bytes.Equal(got[member], []byte(want)) {
			t.Errorf("%s is %s, want %s", member, got[member], want)
		}
	}
	signed, err := device.ParseKeys(alice.keys.Name, got["sender_device_keys"])
	if err != nil || signed != alice.keys || len(got) != 7 {
		t.Errorf("sender_device_keys are %+v, error %v; of %d members", signed, err, len(got))
	}
}

// TestEncryptWithin: each message has its own key, also of two in one transaction,
// and what is not committed used none.
func TestEncryptWithin(t *testing.T) {
	alice, bob, keys := aliceAndBob(t, memkv.New(), 1)
	alice.open(t, bob, keys[0])
	dropped := errors.New("dropped")
	var lost json.RawMessage
	if err := alice.Do(t.Context(), func(tx *txn.Tx) (err error) {
		if lost, err = alice.in(tx, bob, `{"n":0}`); err != nil {
			return err
		}
		return dropped
	}); !errors.Is(err, dropped) {
		t.Fatal(err)
	}
	events, err := txn.Do(t.Context(), alice.DB, func(tx *txn.Tx) (events []json.RawMessage, err error) {
		for _, content := range []string{`{"n":1}`, `{"n":2}`} {
			e, err := alice.in(tx, bob, content)
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
		return events, nil
	})
	must(t, err)
	for _, e := range events {
		if d := bob.read(t, e); d.Duplicate {
			t.Error("two messages have one key")
		}
	}
	// The first message that was committed has the key of what was dropped, which
	// therefore never leaves.
	if _, err := bob.Decrypt(t.Context(), bob.message(t, lost)); !errors.Is(err, ratchet.ErrKeyGone) {
		t.Errorf("what was dropped used a key: %v", err)
	}
}

// TestEncryptWithinErrors: what cannot be sent changes nothing.
func TestEncryptWithinErrors(t *testing.T) {
	alice, bob, keys := aliceAndBob(t, memkv.New(), 1)
	do := func(to party, content string) error {
		_, err := txn.Do(t.Context(), alice.DB, func(tx *txn.Tx) (json.RawMessage, error) { return alice.in(tx, to, content) })
		return err
	}
	can := func(want bool) {
		t.Helper()
		can, err := txn.View(t.Context(), alice.DB, func(tx *txn.Tx) (bool, error) { return alice.CanSend(tx, bob.keys.Curve25519) })
		if err != nil || can != want {
			t.Errorf("can send: %v, %v", can, err)
		}
	}
	can(false)
	if err := do(bob, `{}`); !errors.Is(err, todevice.ErrNoSession) {
		t.Errorf("without a session: %v", err)
	}
	alice.open(t, bob, keys[0])
	can(true)
	if err := do(alice, `{}`); !errors.Is(err, todevice.ErrSelf) {
		t.Errorf("to itself: %v", err)
	}
	for _, content := range []string{``, `null`, `[]`, `"x"`, `{`} {
		if err := do(bob, content); !errors.Is(err, canonicaljson.ErrType) {
			t.Errorf("content %q: %v", content, err)
		}
	}
	open := func(peer, key ratchet.PublicKey) error {
		return alice.Do(t.Context(), func(tx *txn.Tx) error {
			v, err := alice.Sending(tx)
			if err != nil {
				return err
			}
			_, err = alice.OpenOutbound(tx, v, peer, key, 0)
			return err
		})
	}
	if err := open(bob.keys.Curve25519, ratchet.PublicKey{}); !errors.Is(err, ratchet.ErrZeroSecret) {
		t.Errorf("with a key of zeros: %v", err)
	}
	if err := open(alice.keys.Curve25519, keys[0]); !errors.Is(err, todevice.ErrSelf) {
		t.Errorf("with itself: %v", err)
	}
}

// TestHandlesEncryptWithin: two handles of one device open sessions and encrypt at
// the same time, several messages a commit; each arrives once, and none has the key
// of another.
func TestHandlesEncryptWithin(t *testing.T) {
	store := memkv.New()
	alice, bob, keys := aliceAndBob(t, store, 2)
	handles := []party{alice, newParty(t, store, alice.Name)}
	events := make([][]json.RawMessage, len(handles))
	var wg sync.WaitGroup
	for i, h := range handles {
		wg.Go(func() {
			h.open(t, bob, keys[i])
			for range 5 {
				made, err := txn.Do(t.Context(), h.DB, func(tx *txn.Tx) (made []json.RawMessage, err error) {
					if err := h.Prefetch(tx, bob.keys.Curve25519); err != nil {
						return nil, err
					}
					for range 3 {
						e, err := h.in(tx, bob, `{}`)
						if err != nil {
							return nil, err
						}
						made = append(made, e)
					}
					return made, nil
				})
				if err != nil {
					t.Error(err)
				}
				events[i] = append(events[i], made...)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(events...)
	if len(all) != 30 {
		t.Fatalf("%d events", len(all))
	}
	for _, e := range all {
		if d := bob.read(t, e); d.Duplicate {
			t.Error("two messages have one key")
		}
	}
}

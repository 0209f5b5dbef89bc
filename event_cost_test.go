package pawl_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/receive"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/ratchet"
)

// touched are the keys that commits look at and write.
type touched struct{ checks, writes map[string]bool }

// touches returns what the commits of a call touch, in a store of its own.
func (w *clientWard) touches(t *testing.T, state backup, call func(d *device)) touched {
	t.Helper()
	all := touched{map[string]bool{}, map[string]bool{}}
	counts := false
	other := w.in(t, state)
	phone := other.phone.on(faulty.Wrap(other.phone.kv, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op != faulty.Commit || len(c.Batch.Writes) == 0 || !counts {
			return nil
		}
		for _, r := range c.Batch.Reads {
			all.checks[r.Key] = true
		}
		for _, s := range c.Batch.Scans {
			all.checks["scan of "+s.Prefix] = true
			for _, r := range s.Entries[min(1, len(s.Entries)):] {
				all.checks["in scan "+r.Key] = true
			}
		}
		for _, w := range c.Batch.Writes {
			all.writes[w.Key] = true
		}
		return nil
	}}))
	counts = true
	call(phone)
	return all
}

// without returns what is not touched by others either.
func (a touched) without(others ...touched) touched {
	rest := touched{maps.Clone(a.checks), maps.Clone(a.writes)}
	for _, o := range others {
		maps.DeleteFunc(rest.checks, func(key string, _ bool) bool { return o.checks[key] })
		maps.DeleteFunc(rest.writes, func(key string, _ bool) bool { return o.writes[key] })
	}
	return rest
}

// messageIn is the message in a letter, if it is one.
func messageIn(t *testing.T, d *device, letter object) (in pawl.Incoming, is bool) {
	t.Helper()
	content, _ := letter["content"].(object)
	all, is := content["ciphertext"].(object)
	if !is {
		return in, false
	}
	key, err := ratchet.ParsePublicKey(content["sender_key"].(string))
	if err != nil {
		t.Fatal(err)
	}
	m := all[d.id.Curve25519.String()].(object)
	body, err := base64.RawStdEncoding.DecodeString(m["body"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return pawl.Incoming{Sender: key, Message: ratchet.Message{Type: m["type"].(ratchet.MessageType), Body: body}}, true
}

// eventsOfKinds are to-device events of every kind that means something to Pawl, as
// those come who cost most: known and unknown devices, requests that are answered and
// refused, what cannot be read.
func (w *clientWard) eventsOfKinds(t *testing.T) map[string]object {
	key := func() object { return roomKeyOf(t, newRoomSender(t)) }
	first := pawl.WithOneTimeKey(w.phone.fallbackKey())
	stranger := func() *device { return newDeviceOf(t, "@new:example.org", "NEW", w.phone.clock) }
	bob := w.bob.id
	notice := func(code string, more object) object {
		content := object{"algorithm": account.Megolm, "code": code, "sender_key": bob.Curve25519.String()}
		maps.Copy(content, more)
		return object{"type": "m.room_key.withheld", "sender": bob.UserID, "content": content}
	}
	of := object{"room_id": testRoom, "session_id": newRoomSender(t).ID().String()}
	cancels := w.asks(w.laptop, w.ofBob)
	cancels["content"] = object{"action": "request_cancellation", "requesting_device_id": w.laptop.id.DeviceID, "request_id": "of LAPTOP"}
	forwarded := key()
	forwarded["sender_key"], forwarded["sender_claimed_ed25519_key"], forwarded["forwarding_curve25519_key_chain"] = bob.Curve25519.String(), bob.Ed25519.String(), []string{}
	spoofed := w.bob.letter(w.phone, "m.custom", object{})
	spoofed["sender"] = "@mallory:example.org"
	return map[string]object{
		"a room key":                           w.bob.letter(w.phone, "m.room_key", key()),
		"a room key in a new session":          w.tablet.letter(w.phone, "m.room_key", key(), first),
		"a room key of an unknown device":      w.dave.letter(w.phone, "m.room_key", key()),
		"a room key of a stranger":             stranger().letter(w.phone, "m.room_key", key(), first),
		"a malformed room key":                 w.bob.letter(w.phone, "m.room_key", object{}),
		"a forwarded key that nobody asked of": w.bob.letter(w.phone, "m.forwarded_room_key", forwarded),
		"a forwarded key of an own device":     w.laptop.letter(w.phone, "m.forwarded_room_key", forwarded, first),
		"a dummy":                              w.bob.letter(w.phone, "m.dummy", object{}),
		"a dummy in a new session":             w.carol.letter(w.phone, "m.dummy", object{}, first),
		"an encrypted notice":                  w.bob.letter(w.phone, "m.room_key.withheld", notice("m.unverified", of)["content"]),
		"an encrypted request":                 w.laptop.letter(w.phone, "m.room_key_request", w.asks(w.laptop, w.ofCarol)["content"], first),
		"a secret":                             w.bob.letter(w.phone, "m.secret.send", object{}),
		"another encrypted one":                w.bob.letter(w.phone, "m.custom", object{}),
		"a notice":                             notice("m.blacklisted", of),
		"a notice of no session":               notice("m.no_olm", nil),
		"a request of an own device":           w.asks(w.laptop, w.ofCarol),
		"a request of another user":            w.asks(w.carol, w.ofCarol),
		"a request of a stranger":              w.asks(stranger(), w.ofCarol),
		"a cancellation":                       cancels,
		"another plain one":                    {"type": "m.custom", "sender": bob.UserID, "content": object{}},
		"a room key in the clear":              {"type": "m.room_key", "sender": bob.UserID, "content": key()},
		"what cannot be read":                  w.unreadable(w.carol),
		"what cannot be read of a stranger":    w.unreadable(stranger()),
		"somebody else's letter":               spoofed,
		"no event":                             {"type": "m.room.encrypted", "sender": 7, "content": []int{}},
	}
}

// TestEventCosts: an event of whatever kind takes no more of a commit than batches are
// divided by, beside its decryption, which takes no more than its own share; also where
// its sender's sessions are damaged, so that it is kept.
func TestEventCosts(t *testing.T) {
	defer func(was bool) { *atFloor = was }(*atFloor)
	*atFloor = true
	w := newClientWard(t)
	all := w.eventsOfKinds(t)
	w.whole = back(t, w.phone.kv)
	sync := func(events ...object) func(d *device) {
		return func(d *device) {
			ticket := d.nextSync()
			if _, err := d.ReceiveSync(t.Context(), ticket, syncOf(t, "next", nil, events...)); err != nil {
				t.Error(err)
			}
		}
	}
	ending := w.touches(t, w.whole, sync())
	damaged := map[string]backup{"": w.whole}
	for _, record := range []string{"session of bob in room", "peer of bob in room", "device of bob", "owner of bob"} {
		damaged[" with a damaged "+record] = back(t, w.harmed(t, record, []byte("damaged")).phone.kv)
		damaged[" without "+record] = back(t, w.harmed(t, record, nil).phone.kv)
	}
	most := map[string]int{}
	for how, state := range damaged {
		for _, kind := range slices.Sorted(maps.Keys(all)) {
			decryption := touched{}
			if in, is := messageIn(t, w.phone, all[kind]); is {
				decryption = w.touches(t, state, func(d *device) { _, _ = d.Decrypt(t.Context(), in.Sender, in.Message) })
				if c, n := len(decryption.checks), len(decryption.writes); c > todevice.MessageShare.Checks || n > todevice.MessageShare.Writes {
					t.Errorf("%s%s: its decryption takes %d checks and %d writes, at most %d and %d",
						kind, how, c, n, todevice.MessageShare.Checks, todevice.MessageShare.Writes)
				}
			}
			own := w.touches(t, state, sync(all[kind])).without(ending, decryption)
			if c, n := len(own.checks), len(own.writes); c > receive.EventShare.Checks || n > receive.EventShare.Writes {
				t.Errorf("%s%s: it takes %d checks and %d writes, at most %d and %d: %q",
					kind, how, c, n, receive.EventShare.Checks, receive.EventShare.Writes, slices.Sorted(maps.Keys(own.checks)))
			}
			most["checks"], most["writes"] = max(most["checks"], len(own.checks)), max(most["writes"], len(own.writes))
			if how == "" {
				t.Logf("%-38s %2d checks %2d writes", kind, len(own.checks), len(own.writes))
			}
		}
	}
	t.Log("at most:", fmt.Sprint(most))
	if most["checks"] < 6 || most["writes"] < 4 {
		t.Errorf("the dearest of all events takes %v: nothing is measured", most)
	}
}

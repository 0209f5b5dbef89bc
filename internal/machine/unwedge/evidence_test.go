package unwedge_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/receive"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// made encrypts an event for a device and returns it, instead of sending it.
func (h *home) made(to *home, kind string) event {
	h.Helper()
	return h.madeOn(to, kind, nil)
}

// madeOn is made in a session that a key of the device opens, or in the one there is.
func (h *home) madeOn(to *home, kind string, key *ratchet.PublicKey) event {
	h.Helper()
	said := encode(h, map[string]any{
		"type": kind, "content": map[string]any{}, "sender": h.name.User, "recipient": to.name.User,
		"recipient_keys": map[string]any{"ed25519": to.id.Ed25519.String()}, "keys": map[string]any{"ed25519": h.id.Ed25519.String()},
		"sender_device_keys": h.deviceKeys(),
	})
	m, err := h.messages.Encrypt(h.Context(), to.id.Curve25519, said, todevice.Encryption{OneTimeKey: key})
	must(h, err)
	return h.carries(to, m.Message)
}

// carries is the event that carries a message.
func (h *home) carries(to *home, m ratchet.Message) event {
	return event{h.name.User, "m.room.encrypted", encode(h, map[string]any{
		"algorithm": account.Olm, "sender_key": h.id.Curve25519.String(),
		"ciphertext": map[string]any{to.id.Curve25519.String(): map[string]any{"type": m.Type, "body": unpadded.Encode(m.Body)}},
	})}
}

// broken is an event that was changed on its way.
func (h *home) broken(to *home) event {
	h.Helper()
	m := message(h, to, h.made(to, "hello"))
	m.Body[len(m.Body)-1] ^= 1
	return h.carries(to, m)
}

// message is what an event carries.
func message(t testing.TB, to *home, e event) ratchet.Message {
	t.Helper()
	var c struct {
		Ciphertext map[string]struct {
			Type ratchet.MessageType
			Body string
		}
	}
	must(t, json.Unmarshal(e.Content, &c))
	one := c.Ciphertext[to.id.Curve25519.String()]
	body, _ := unpadded.Decode(one.Body)
	return ratchet.Message{Type: one.Type, Body: body}
}

// key is a one-time key of the device, as a claim gives it.
func (h *home) key() *ratchet.PublicKey {
	h.Helper()
	var all map[string]struct{ Key string }
	must(h, json.Unmarshal(h.oneTimeKey(), &all))
	for _, one := range all {
		key, err := ratchet.ParsePublicKey(one.Key)
		must(h, err)
		return &key
	}
	h.Fatal("no key")
	return nil
}

// copied is the same device with a copy of its store, as if it was restored from one.
// Versions go on where they were.
func (h *home) copied() *home {
	h.Helper()
	snap := h.engine.Snapshot()
	defer snap.Close()
	head, err := snap.Version(h.Context())
	must(h, err)
	var writes []kv.Write
	for e, err := range snap.Scan(h.Context(), "") {
		must(h, err)
		writes = append(writes, kv.Write{Key: e.Key, Value: e.Value})
	}
	engine := memkv.New()
	for at := kv.Version(0); at < head; {
		at, err = engine.Commit(h.Context(), &kv.Batch{ID: kv.NewCommitID(at), Writes: writes})
		must(h, err)
		writes = []kv.Write{{Key: "nothing", Value: []byte{1}}}
	}
	return h.homeOn(h.name, engine, h.clock)
}

// inner is the normal message in a pre-key message.
func inner(t testing.TB, m ratchet.Message) ratchet.Message {
	t.Helper()
	rest := m.Body[1+3*34+1:]
	_, n := binary.Uvarint(rest)
	return ratchet.Message{Type: ratchet.Normal, Body: rest[n:]}
}

// turn lets both begin a new chain.
func (w *world) turn(a, b *home) {
	w.Helper()
	b.take(a.made(b, "turn"))
	a.take(b.made(a, "turn"))
}

// TestEvidence: what counts is what no session and no key of ours reads, from the user
// whose key it is, as long as nothing newer was heard.
func TestEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		wedged bool
		why    error // of the first event; nil: it is taken
		events func(w *world, phone, laptop *home) []event
	}{
		"duplicate": {false, nil, func(w *world, phone, laptop *home) []event {
			e := laptop.made(phone, "hello")
			phone.take(e)
			return []event{e}
		}},
		"already processed": {false, nil, func(w *world, phone, laptop *home) []event {
			e := laptop.made(phone, "m.dummy")
			phone.take(e)
			return []event{e}
		}},
		"repacked": {false, nil, func(w *world, phone, laptop *home) []event {
			e := laptop.madeOn(phone, "hello", phone.key())
			phone.take(e)
			return []event{laptop.carries(phone, inner(w, message(w, phone, e)))}
		}},
		"repacked under a key that is gone": {false, nil, func(w *world, phone, laptop *home) []event {
			e := laptop.madeOn(phone, "m.dummy", phone.key())
			phone.take(e)
			m := message(w, phone, e)
			copy(m.Body[3:35], phone.key()[:]) // the one-time key that it names
			return []event{laptop.carries(phone, m)}
		}},
		"the same with another MAC": {false, ratchet.ErrMAC, func(w *world, phone, laptop *home) []event {
			e := laptop.made(phone, "hello")
			phone.take(e)
			m := message(w, phone, e)
			m.Body[len(m.Body)-1] ^= 1
			return []event{laptop.carries(phone, m)}
		}},
		"malformed": {false, ratchet.ErrMalformed, func(w *world, phone, laptop *home) []event {
			m := message(w, phone, laptop.made(phone, "hello"))
			return []event{
				laptop.carries(phone, ratchet.Message{Type: ratchet.Normal, Body: m.Body[:20]}),
				laptop.carries(phone, ratchet.Message{Type: ratchet.PreKey, Body: m.Body}),
				laptop.carries(phone, ratchet.Message{Type: 7, Body: m.Body}),
				laptop.carries(phone, ratchet.Message{Type: ratchet.Normal, Body: append([]byte{4}, m.Body[1:]...)}),
			}
		}},
		"key gone": {false, ratchet.ErrKeyGone, func(w *world, phone, laptop *home) []event {
			first := laptop.made(phone, "hello")
			for range 45 {
				laptop.made(phone, "hello")
			}
			phone.take(laptop.made(phone, "hello"))
			return []event{first}
		}},
		"pruned session": {false, session.ErrPruned, func(w *world, phone, laptop *home) []event {
			phone.take(laptop.madeOn(phone, "hello", phone.key()))
			second := laptop.made(phone, "hello")
			for range session.MaxPerPeer {
				phone.take(laptop.madeOn(phone, "hello", phone.key()))
			}
			return []event{second}
		}},
		"older than the session's chains": {false, ratchet.ErrKeyGone, func(w *world, phone, laptop *home) []event {
			w.turn(phone, laptop)
			late := laptop.made(phone, "hello")
			for range ratchet.MaxReceiverChains {
				w.turn(phone, laptop)
			}
			phone.take(laptop.made(phone, "hello"))
			if message(w, phone, late).Type != ratchet.Normal {
				w.Fatal("it is no normal message")
			}
			return []event{late}
		}},
		"a first message that is older than the session's chains": {false, ratchet.ErrKeyGone, func(w *world, phone, laptop *home) []event {
			phone.take(laptop.madeOn(phone, "hello", phone.key()))
			late := laptop.made(phone, "hello")
			for range session.MaxDropped + ratchet.MaxReceiverChains + 1 {
				w.turn(phone, laptop)
			}
			return []event{late}
		}},
		"damaged session": {false, kv.ErrCorrupt, func(w *world, phone, laptop *home) []event {
			phone.damage(records.Sessions.Kind)
			return []event{laptop.made(phone, "hello")}
		}},
		"damaged key": {false, kv.ErrCorrupt, func(w *world, phone, laptop *home) []event {
			e := laptop.madeOn(phone, "hello", phone.key())
			phone.damage(records.Keys.Kind)
			return []event{e}
		}},
		"outlived by a newer session": {false, todevice.ErrUnknownSession, func(w *world, phone, laptop *home) []event {
			lost := laptop.made(phone, "hello")
			phone.lose(laptop)
			return []event{lost, laptop.madeOn(phone, "hello", phone.key())}
		}},
		"outlived by a later message": {false, ratchet.ErrMAC, func(w *world, phone, laptop *home) []event {
			return []event{laptop.broken(phone), laptop.made(phone, "hello")}
		}},
		"another user's": {false, receive.ErrSenderKey, func(w *world, phone, laptop *home) []event {
			phone.lose(laptop)
			e := laptop.made(phone, "hello")
			e.Sender = "@mallory:example.org"
			return []event{e}
		}},

		"unknown session": {true, todevice.ErrUnknownSession, func(w *world, phone, laptop *home) []event {
			phone.lose(laptop)
			return []event{laptop.made(phone, "hello")}
		}},
		"changed on its way": {true, ratchet.ErrMAC, func(w *world, phone, laptop *home) []event {
			return []event{laptop.broken(phone)}
		}},
		"restored from an old copy": {true, ratchet.ErrUnknownChain, func(w *world, phone, laptop *home) []event {
			w.turn(phone, laptop)
			e := phone.made(laptop, "hello")
			old := laptop.copied()
			laptop.take(e)
			phone.take(laptop.made(phone, "hello"))
			old.take(e)
			return []event{old.made(phone, "hello")} // in a chain in whose place there is another
		}},
		"unknown one-time key": {true, todevice.ErrUnknownOneTimeKey, func(w *world, phone, laptop *home) []event {
			key := phone.key()
			phone.do(func(tx *txn.Tx) error { return phone.forget(tx, *key) })
			return []event{laptop.madeOn(phone, "hello", key)}
		}},
		"a one-time key handed out twice": {true, otk.ErrUsed, func(w *world, phone, laptop *home) []event {
			key := phone.key()
			other := w.home("@carol:example.org", "TABLET")
			phone.take(other.madeOn(phone, "hello", key))
			return []event{laptop.madeOn(phone, "hello", key)}
		}},
		"from too far ahead": {true, ratchet.ErrGap, func(w *world, phone, laptop *home) []event {
			for range ratchet.MaxGap + 1 {
				_, err := laptop.messages.Encrypt(w.Context(), phone.id.Curve25519, nil, todevice.Encryption{})
				must(w, err)
			}
			return []event{laptop.made(phone, "hello")}
		}},
		"a session that was set aside": {true, txn.ErrSetAside, func(w *world, phone, laptop *home) []event {
			phone.take(laptop.madeOn(phone, "hello", phone.key()))
			phone.damage(records.Sessions.Kind)
			phone.repair()
			return []event{laptop.made(phone, "hello")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
			w.meet(phone, laptop)
			events := c.events(w, phone, laptop)
			w.later(2 * time.Hour)
			out := phone.take(events...)
			if c.why == nil && len(out.Refused) > 0 || c.why != nil && (len(out.Refused) == 0 || !errors.Is(out.Refused[0].Err, c.why)) {
				t.Errorf("refused: %+v, want %v", out.Refused, c.why)
			}
			kinds := phone.send()
			if got := phone.wedge(laptop); got.IsWedged() != c.wedged || (got.Tries == 1) != c.wedged || slices.Contains(kinds, "claim") != c.wedged {
				t.Errorf("wedged: %v, want %v; it sends %q: %+v", got.IsWedged(), c.wedged, kinds, got)
			}
		})
	}
}

// damage damages all records of a kind.
func (h *home) damage(kind string) {
	h.Helper()
	snap := h.engine.Snapshot()
	defer snap.Close()
	var writes []kv.Write
	for e, err := range snap.Scan(h.Context(), "") {
		must(h, err)
		if _, of := txn.KindOf(e.Key); of == kind {
			writes = append(writes, kv.Write{Key: e.Key, Value: []byte("damaged")})
		}
	}
	_, err := h.engine.Commit(h.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: writes})
	must(h, err)
	if len(writes) == 0 {
		h.Fatalf("there is no record of kind %s", kind)
	}
}

// repair does what Store.Repair does for the account.
func (h *home) repair() {
	h.Helper()
	_, err := upkeep.Repair(h.Context(), h.account, func(ctx context.Context) ([]records.Finding, error) {
		return upkeep.Check(ctx, h.account, records.Kinds())
	})
	must(h, err)
}

// forget gives up a one-time key, as eviction does.
func (h *home) forget(tx *txn.Tx, key ratchet.PublicKey) error {
	pool, err := records.ReadPool(tx)
	if err != nil {
		return err
	}
	return errors.Join(records.Pool.Put(tx, pool.Forget(key)), records.Keys.Delete(tx, key))
}

// TestUnknownDevice: what comes from a device that is not known counts once the device
// is, and is its sender's; a user's devices are not asked for by each event.
func TestUnknownDevice(t *testing.T) {
	w := newWorld(t)
	phone, laptop, tablet := w.home(alice, "PHONE"), w.home(bob, "LAPTOP"), w.home("@carol:example.org", "TABLET")
	key := phone.key()
	phone.do(func(tx *txn.Tx) error { return phone.forget(tx, *key) })
	unread := laptop.madeOn(phone, "hello", key)
	copied := unread
	copied.Sender = tablet.name.User // says that it has the key
	phone.take(unread, copied)
	if got := phone.wedge(laptop); got.IsWedged() {
		t.Errorf("before the device is known: %+v", got)
	}
	kinds := phone.send()
	if slices.Contains(kinds, "claim") && kinds[0] != "query" {
		t.Errorf("it sends %q", kinds)
	}
	if got := phone.wedge(laptop); !got.IsWedged() || got.User != bob || got.Tries != 1 {
		t.Errorf("once it is known: %+v", got)
	}
	if got := phone.wedge(tablet); got.IsWedged() {
		t.Errorf("who claims its key: %+v", got)
	}
	laptop.sync() // its messages are normal ones from now on
	for i := range 3 * records.MaxUnheard {
		e := laptop.made(phone, "hello")
		e.Content = []byte(strings.Replace(string(e.Content), laptop.id.Curve25519.String(), ratchet.PublicKey{9, byte(i)}.String(), 1))
		phone.take(e)
	}
	for _, want := range [][]string{{"query"}, nil} {
		if kinds := phone.send(); !slices.Equal(kinds, want) {
			t.Errorf("events from keys that are nobody's make it send %q, want %q", kinds, want)
		}
		e := laptop.made(phone, "hello")
		e.Content = []byte(strings.Replace(string(e.Content), laptop.id.Curve25519.String(), ratchet.PublicKey{7}.String(), 1))
		phone.take(e)
	}
	kept := 0
	phone.do(func(tx *txn.Tx) error {
		u, _, err := records.Unheards.Get(tx, bob)
		kept = len(u.From)
		return err
	})
	if kept != records.MaxUnheard {
		t.Errorf("%d are kept, at most %d", kept, records.MaxUnheard)
	}
	w.later(records.UnheardPause)
	e := laptop.made(phone, "hello")
	e.Content = []byte(strings.Replace(string(e.Content), laptop.id.Curve25519.String(), ratchet.PublicKey{8}.String(), 1))
	phone.take(e)
	if kinds := phone.send(); !slices.Equal(kinds, []string{"query"}) {
		t.Errorf("an hour later it sends %q", kinds)
	}
	phone.check()
}

// TestNotices: m.no_olm counts as an event that cannot be read, if the device is known
// and shares an encrypted room with us, under the same limit.
func TestNotices(t *testing.T) {
	w := newWorld(t)
	phone, laptop, tablet := w.home(alice, "PHONE"), w.home(bob, "LAPTOP"), w.home("@carol:example.org", "TABLET")
	w.meet(phone, laptop)
	phone.do(func(tx *txn.Tx) error { return devices.Track(tx, tablet.name.User) })
	w.settle()
	w.later(2 * time.Hour)
	notice := func(of *home, sender matrix.UserID) event {
		return event{sender, "m.room_key.withheld", encode(t, map[string]any{
			"algorithm": account.Megolm, "code": "m.no_olm", "sender_key": of.id.Curve25519.String(),
		})}
	}
	claims := func() int { return w.claimed[laptop.name] + w.claimed[tablet.name] }
	before := claims()
	phone.take(notice(tablet, tablet.name.User), notice(laptop, tablet.name.User))
	phone.send()
	if claims() != before || phone.wedge(tablet).IsWedged() || phone.wedge(laptop).IsWedged() {
		t.Errorf("without a room, or by another: %+v, %+v", phone.wedge(tablet), phone.wedge(laptop))
	}
	for range 3 {
		phone.take(notice(laptop, bob))
		phone.send()
		w.later(10 * time.Minute)
	}
	if got := phone.wedge(laptop); claims() != before+1 || got.Tries != 1 || !got.IsWedged() {
		t.Errorf("%d keys were claimed, %+v", claims()-before, got)
	}
	laptop.sync()
	laptop.say(phone, "hello")
	phone.sync()
	phone.take(notice(laptop, bob))
	phone.send()
	if got := phone.wedge(laptop); claims() != before+1 {
		t.Errorf("%d keys were claimed in one hour, %+v", claims()-before, got)
	}
	phone.check()
}

// TestUnsentDummy: what comes while m.dummy waits to be sent was sent before it, and is
// no reason for another session.
func TestUnsentDummy(t *testing.T) {
	w := newWorld(t)
	phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
	w.meet(phone, laptop)
	w.later(2 * time.Hour)
	phone.lose(laptop)
	phone.take(laptop.made(phone, "hello"))
	phone.post(phone.outgoing()[0]) // the claim
	held := phone.outgoing()        // m.dummy, and the key
	for _, reason := range []outbox.Reason{outbox.NotSent, outbox.Unknown} {
		for _, r := range held {
			must(t, phone.box.MarkFailed(t.Context(), r.ID, outbox.Failure{Reason: reason}))
		}
		if again := phone.outgoing(); !slices.EqualFunc(again, held, func(a, b outbox.Request) bool { return a.ID == b.ID && bytes.Equal(a.Body, b.Body) }) {
			t.Fatalf("after %v it sends other requests, or other bytes: %d for %d", reason, len(again), len(held))
		}
	}
	w.later(time.Hour)
	phone.take(laptop.made(phone, "hello"))
	before := phone.wedge(laptop)
	if before.Tries != 1 || before.Last.Order > phone.sessions(laptop)[0].CreatedIn() {
		t.Errorf("%+v", before)
	}
	for _, r := range held {
		phone.post(r)
	}
	phone.take(laptop.made(phone, "hello")) // the laptop has not synced, but it might have
	w.later(time.Hour)
	phone.send()
	if got := phone.wedge(laptop); got.Tries != 2 {
		t.Errorf("%+v", got)
	}
}

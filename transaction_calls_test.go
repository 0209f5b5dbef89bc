package pawl_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/proof/port/transactions"
	"github.com/pawlkv/pawl/ratchet"
)

// calls collects the vectors of a setup.
type vectorCalls struct {
	m     *vectorMaker
	setup string
	at    time.Time
	all   []transactions.Vector
}

func (c *vectorCalls) params(o object) json.RawMessage {
	if o == nil {
		return nil
	}
	return line(c.m.t, o)
}

// call adds a call. Its name is what is said of it behind that of the call.
func (c *vectorCalls) call(call, what string, params object, body string) *transactions.Vector {
	name := call
	if what != "" {
		name += ", " + what
	}
	c.all = append(c.all, transactions.Vector{
		Name: name, Setup: c.setup, Time: c.at.UnixMilli(),
		Call: transactions.Call{Call: call, Params: c.params(params), Body: body},
	})
	return &c.all[len(c.all)-1]
}

// stream adds a stream of which some items are taken.
func (c *vectorCalls) stream(call string, items int, params object) {
	c.call(call, "", params, "").Items = items
}

// after adds calls that are made before.
func (c *vectorCalls) after(v *transactions.Vector, call string, params object, body string) {
	v.Before = append(v.Before, transactions.Call{Call: call, Params: c.params(params), Body: body})
}

func messageOf(m ratchet.Message) object {
	return object{"type": int(m.Type), "body": base64.RawStdEncoding.EncodeToString(m.Body)}
}

func incoming(from *device, m ratchet.Message) object {
	return object{"sender": from.id.Curve25519.String(), "message": messageOf(m)}
}

// uploadOf are the parameters of what came of an upload.
func uploadOf(u pawl.Upload) object {
	ids := []string{}
	for _, id := range u.OneTimeKeys {
		ids = append(ids, id.String())
	}
	o := object{"one_time_keys": ids}
	if u.Fallback != 0 {
		o["fallback"] = u.Fallback.String()
	}
	return o
}

// olmCalls are the calls of Olm, and those that look at a whole store: on a device that
// knows one other and has a room key.
func (m *vectorMaker) olmCalls() []transactions.Vector {
	alice, bob := newDevice(m.t, m.memory(), "@alice:example.org"), newDevice(m.t, newMemory(), "@bob:example.org")
	alice.meet(bob)
	known := alice.receive(bob, bob.send(alice, "before"))
	normal, later := bob.send(alice, "normal"), bob.send(alice, "later")
	opening := bob.send(alice, "opening", pawl.WithOneTimeKey(alice.oneTimeKey()))
	byFallback := newDevice(m.t, newMemory(), "@carol:example.org")
	fallback := byFallback.send(alice, "by fallback", pawl.WithOneTimeKey(alice.fallbackKey()))
	lost := bob.send(alice, "lost", pawl.WithOneTimeKey(byFallback.oneTimeKey()))
	bobsKey := bob.oneTimeKey()
	offered, _, _ := alice.upload(3)
	s := newRoomSender(m.t)
	if _, err := alice.ImportRoomKeys(alice.ctx, []pawl.RoomKey{s.exported()}); err != nil {
		m.t.Fatal(err)
	}
	alice.clock.pass(time.Hour)
	m.setup("olm", alice)
	c := &vectorCalls{m: m, setup: "olm", at: alice.clock.now()}
	peer := bob.id.Curve25519.String()

	c.call("decrypt", "the next message", incoming(bob, normal), "")
	c.call("decrypt", "one behind a gap", incoming(bob, later), "")
	c.call("decrypt", "one that opens a session", incoming(bob, opening), "")
	c.call("decrypt", "one that opens a session by the fallback key", incoming(byFallback, fallback), "")
	c.call("decrypt", "one for a key that there never was", incoming(bob, lost), "")
	flipped := ratchet.Message{Type: normal.Type, Body: append([]byte{}, normal.Body...)}
	flipped.Body[len(flipped.Body)-1] ^= 1
	c.call("decrypt", "one that was changed on its way", incoming(bob, flipped), "")
	c.call("decrypt", "one of nobody who is known", incoming(byFallback, normal), "")
	c.call("decrypt_batch", "", object{"messages": []object{incoming(bob, opening), incoming(bob, normal), incoming(bob, flipped)}}, "")
	c.call("encrypt", "in a session", object{"peer": peer}, "text")
	c.call("encrypt", "with a one-time key", object{"peer": peer, "one_time_key": bobsKey.String()}, "text")
	c.call("encrypt", "for nobody who is known", object{"peer": byFallback.id.Curve25519.String()}, "text")
	c.call("sessions", "", object{"peer": peer}, "")
	receipts := object{"receipts": []string{known.Receipt.String()}}
	c.call("acknowledge", "", receipts, "")
	c.call("acknowledge_known", "", receipts, "")

	c.call("keys_for_upload", "", object{"count": 2}, "")
	c.call("outstanding", "", nil, "")
	c.call("mark_published", "", uploadOf(offered), "")
	c.call("abandon", "", uploadOf(offered), "")
	c.call("identity", "", nil, "")
	c.call("sign", "", nil, `{"name":"value"}`)
	c.call("needs_recovery", "", nil, "")
	c.call("recover", "", nil, "")
	c.call("inspect", "", nil, "")
	c.call("check", "", nil, "")
	c.call("sweep", "", object{"now": alice.clock.now().Add(60 * 24 * time.Hour).UnixMilli()}, "")

	c.stream("events", 2, nil)
	c.stream("export_room_keys", 9, nil)
	c.call("room_key", "", object{"session": s.Key().ID().String()}, "")
	c.call("import_room_key_file", "", object{"passphrase": "secret"}, m.roomKeyFile(newRoomSender(m.t).exported()))

	user := string(alice.id.UserID)
	c.call("machine", "", object{"user": user, "device": "DEVICE"}, "")
	c.call("create", "", object{"user": user, "device": "NEW"}, "")
	c.call("create", "one that is there", object{"user": user, "device": "DEVICE"}, "")
	c.call("open_or_create", "", object{"user": user, "device": "NEW"}, "")
	c.call("delete", "", object{"user": user, "device": "DEVICE"}, "")
	c.call("accounts", "", nil, "")
	c.call("retirements", "", nil, "")
	c.call("change_key", "", nil, "a key that has thirty-two bytes.")
	c.call("check_store", "", nil, "")
	c.call("repair", "", nil, "")
	return c.all
}

// trackingCalls are those of requests on a device that has nothing to upload: fifty keys
// would be most of the file.
func (m *vectorMaker) trackingCalls() []transactions.Vector {
	d := newDevice(m.t, m.memory(), "@alice:example.org")
	for range 3 {
		all, err := d.OutgoingRequests(d.ctx)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, r := range all {
			answer := object{"one_time_key_counts": object{"signed_curve25519": 50}}
			if r.Kind == pawl.KeysQuery {
				answer = object{"device_keys": object{string(d.id.UserID): object{"DEVICE": d.deviceKeys()}}}
			}
			if err := d.MarkSent(d.ctx, r.ID, line(m.t, answer)); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	if err := d.TrackUsers(d.ctx, "@bob:example.org"); err != nil {
		m.t.Fatal(err)
	}
	m.setup("tracking", d)
	c := &vectorCalls{m: m, setup: "tracking", at: d.clock.now()}
	c.call("outgoing_requests", "", nil, "")
	return c.all
}

// roomKeyFile is a file of room keys whose passphrase is stretched by one round: as many
// as files have would take longer than all other calls.
func (m *vectorMaker) roomKeyFile(k pawl.RoomKey) string {
	m.t.Helper()
	exported, err := k.Key.Export(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	text := line(m.t, []object{{
		"algorithm": account.Megolm, "room_id": k.Room, "session_id": k.Key.ID().String(), "sender_key": k.Source.Sender.String(),
		"session_key": base64.RawStdEncoding.EncodeToString(exported), "sender_claimed_keys": object{}, "forwarding_curve25519_key_chain": []string{},
	}})
	var salt, iv [16]byte
	keys, err := pbkdf2.Key(sha512.New, "secret", salt[:], 1, 64)
	if err != nil {
		m.t.Fatal(err)
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		m.t.Fatal(err)
	}
	file := slices.Concat([]byte{1}, salt[:], iv[:], []byte{0, 0, 0, 1}, text)
	sealed := file[len(file)-len(text):]
	cipher.NewCTR(block, iv[:]).XORKeyStream(sealed, sealed)
	mac := hmac.New(sha256.New, keys[32:])
	mac.Write(file)
	return "-----BEGIN MEGOLM SESSION DATA-----\n" + base64.StdEncoding.EncodeToString(mac.Sum(file)) + "\n-----END MEGOLM SESSION DATA-----\n"
}

// clientCalls are the other calls, on a whole client.
func (m *vectorMaker) clientCalls() []transactions.Vector {
	w := newClientWardOn(m.t, m.memory())
	m.setup("client", w.phone)
	c := &vectorCalls{m: m, setup: "client", at: w.phone.clock.now()}
	bob := string(w.bob.id.UserID)

	toHold := string(syncOf(m.t, "next", nil, object{"type": "m.plain", "sender": bob, "content": object{}}))

	c.call("next_sync", "", nil, "")
	c.call("next_sliding_sync", "", nil, "")
	for _, what := range []struct {
		call, name string
		params     object
		body       string
	}{
		{"receive_sync", "", object{"ticket": 1}, string(w.response)},
		{"receive_sync", "one that says nothing", object{"ticket": 1}, string(syncOf(m.t, "next", nil))},
		{"receive_sync", "holding the token", object{"ticket": 1, "hold_token": true}, toHold},
		{"lost_sync", "", object{"ticket": 1}, ""},
	} {
		c.after(c.call(what.call, what.name, what.params, what.body), "next_sync", nil, "")
	}
	v := c.call("store_token", "", object{"held": 1}, "")
	c.after(v, "next_sync", nil, "")
	c.after(v, "receive_sync", object{"ticket": 1, "hold_token": true}, toHold)
	c.call("receive_transaction", "", object{"id": "1"}, string(w.transaction))
	c.call("mark_sent", "a query", object{"request": w.requests["keys/query"].ID.String()}, string(w.served(w.requests["keys/query"])))
	c.call("mark_sent", "a claim", object{"request": w.requests["keys/claim"].ID.String()}, string(w.served(w.requests["keys/claim"])))
	c.call("mark_sent", "a room key", object{"request": w.requests["busy"].ID.String()}, "{}")
	asked := w.requests["sendToDevice m.room_key_request"].ID.String()
	c.call("mark_failed", "refused", object{"request": asked, "why": "refused", "status": 403}, "")
	c.call("mark_failed", "not sent", object{"request": asked, "why": "not_sent"}, "")
	c.call("mark_failed", "unknown", object{"request": asked, "why": "unknown"}, "")

	c.call("track_users", "", object{"users": []string{"@henry:example.org", bob}}, "")
	c.call("devices", "", object{"user": bob}, "")
	master := w.bobs.master.Public().String()
	c.call("verify_identity", "", object{"user": bob, "master": master}, "")
	c.call("accept_identity", "", object{"user": bob, "master": master}, "")
	c.call("take_signature", "", m.signature(w), "")

	room := object{"room": string(testRoom)}
	c.call("room", "", room, "")
	c.call("members_changed", "", object{"room": string(testRoom), "changes": []object{{"user": bob, "membership": "leave"}}}, "")
	share := object{"room": string(testRoom), "members": w.members(), "strategy": "all_devices"}
	c.call("share_room_key", "", share, "")
	c.call("share_room_key", "with one who has it", object{"room": string(quietRoom), "members": w.members()[1:2], "strategy": "all_devices"}, "")
	c.call("share_room_key", "of another room", object{"room": "!new:example.org", "members": w.members()[1:2], "strategy": "all_devices"}, "")
	c.call("encrypt_room_event", "", object{"room": string(quietRoom), "type": "m.room.message"}, `{"body":"hi"}`)
	c.call("encrypt_room_event", "of a key that not all have", object{"room": string(busyRoom), "type": "m.room.message"}, `{"body":"hi"}`)
	c.call("rotate_room_key", "", room, "")

	for _, event := range []struct {
		name string
		pawl.RoomEvent
	}{{"read before", w.read}, {"the next", w.next}, {"one whose key is withheld", w.gone}} {
		e := event.RoomEvent
		c.call("decrypt_room_event", event.name, object{"room": string(e.Room), "id": string(e.ID), "sender": string(e.Sender)}, string(e.Content))
	}
	of := w.ofBob.Key().ID().String()
	c.call("wait_for_room_key", "one that is there", object{"room": string(testRoom), "session": of, "sender": bob}, "")
	c.call("request_room_key", "one that was asked for", object{"room": string(testRoom), "session": w.asked.String()}, "")
	c.call("request_room_key", "another", object{"room": string(testRoom), "session": newRoomSender(m.t).Key().ID().String()}, "")
	keys := object{"keys": []object{m.key(w.ofBob.exported()), m.key(newRoomSender(m.t).exported())}}
	c.call("import_room_keys", "", keys, "")
	c.call("put_room_keys", "", keys, "")
	c.call("inherit_room_keys", "of itself", object{"user": "@alice:example.org", "device": "DEVICE"}, "")
	c.call("forget_room_keys", "", object{"room": string(testRoom), "session": of}, "")

	c.call("extra", "", object{"space": "test", "name": "name"}, "")
	c.call("extras", "", object{"space": "test"}, "")
	value := base64.RawStdEncoding.EncodeToString
	c.call("change_extra", "", object{"space": "test", "name": "name", "old": value([]byte("value")), "new": value([]byte("other"))}, "")
	return c.all
}

// key is a room key as parameters have it.
func (m *vectorMaker) key(k pawl.RoomKey) object {
	m.t.Helper()
	b, err := k.Key.Export(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return object{
		"room_id": string(k.Room), "session_key": base64.RawStdEncoding.EncodeToString(b), "provenance": "file",
		"sender_key": k.Source.Sender.String(),
	}
}

// signature is one of our own user-signing key over Bob's master key, as take_signature has it.
func (m *vectorMaker) signature(w *clientWard) object {
	m.t.Helper()
	signed := w.own.sign(w.bobs.key("master", w.bobs.master), w.own.userSigning)
	by := w.own.userSigning.Public()
	text := signed["signatures"].(object)[string(w.own.user)].(object)["ed25519:"+by.String()]
	return object{"user": string(w.bobs.user), "master": w.bobs.master.Public().String(), "by": by.String(), "signature": fmt.Sprint(text)}
}

package pawl_test

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// In the quiet room only Carol is beside us, and the key of the busy one is on its way
// to her.
const (
	quietRoom = matrix.RoomID("!quiet:example.org")
	busyRoom  = matrix.RoomID("!busy:example.org")
)

// clientWard is a whole client with a record of every kind to damage. Its records are
// named by the step that made them, "device of bob" say.
type clientWard struct {
	t     testing.TB
	phone *device
	// Own devices, and others': of Erin's there are no one-time keys, Dave's and
	// Frank's nobody knows.
	tablet, laptop, bob, carol, erin, dave, frank *device
	own, bobs                                     crossSigner
	devices                                       map[matrix.UserID]object // as answers to /keys/query have them
	whole                                         backup
	keys                                          map[string]string // of the store, by name
	seen                                          map[string]bool   // keys that were there before the step

	ofBob, ofCarol, ofDave, withheld *roomSender
	read, next, carols, daves, gone  pawl.RoomEvent // read was read before
	asked                            group.SessionID
	requests                         map[string]pawl.Request // by kind, and type of event
	// spare are one-time keys for claims: all that is made of them is thrown away.
	spare       map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
	response    []byte
	transaction []byte
}

func newClientWard(t testing.TB) *clientWard { return newClientWardOn(t, newMemory()) }

// newClientWardOn is newClientWard with the phone's account in a store.
func newClientWardOn(t testing.TB, store kv.Store) *clientWard {
	w := &clientWard{t: t, keys: map[string]string{}, seen: map[string]bool{}, devices: map[matrix.UserID]object{}, requests: map[string]pawl.Request{}}
	const alice = matrix.UserID("@alice:example.org")
	w.phone = newDevice(t, store, alice)
	person := func(user matrix.UserID, id matrix.DeviceID) *device { return newDeviceOf(t, user, id, w.phone.clock) }
	w.tablet, w.laptop = person(alice, "TABLET"), person(alice, "LAPTOP")
	w.bob, w.carol, w.erin = person("@bob:example.org", "DEVICE"), person("@carol:example.org", "DEVICE"), person("@erin:example.org", "DEVICE")
	w.dave, w.frank = person("@dave:example.org", "DEVICE"), person("@frank:example.org", "DEVICE")
	w.own, w.bobs = newCrossSigner(t, alice), newCrossSigner(t, w.bob.id.UserID)
	w.step("phone")

	w.forgotten()
	w.met()
	w.roomsShared()
	w.keysCame()
	w.asksAndNotices()
	w.lostAndFound()
	w.outstanding()
	w.imported()
	w.unheard()

	w.arrives()
	w.whole = back(t, w.phone.kv)
	return w
}

// newDeviceOf is newDevice with an id and a clock of its user's.
func newDeviceOf(t testing.TB, user matrix.UserID, id matrix.DeviceID, c *clock) *device {
	t.Helper()
	d := &device{t: t, ctx: t.Context(), kv: newMemory(), clock: c}
	d.store = d.open()
	var err error
	if d.Machine, err = d.store.Create(d.ctx, user, id); err != nil {
		t.Fatal(err)
	}
	if d.id, err = d.Machine.Identity(d.ctx); err != nil {
		t.Fatal(err)
	}
	return d
}

// step names what came into being since the last one. Of a kind of which there is more
// than one new record none is named.
func (w *clientWard) step(name string) {
	w.t.Helper()
	count := map[string]int{}
	for _, e := range back(w.t, w.phone.kv).entries {
		if w.seen[e.Key] {
			continue
		}
		w.seen[e.Key] = true
		kind := strings.Split(e.Key, "/")[1]
		if count[kind]++; count[kind] == 1 {
			w.keys[kind+" of "+name] = e.Key
		} else {
			delete(w.keys, kind+" of "+name)
		}
	}
}

// forgotten leaves the mark of a session that was forgotten, and the note of the sweep.
func (w *clientWard) forgotten() {
	w.phone.receive(w.frank, w.frank.send(w.phone, "a stranger", pawl.WithOneTimeKey(w.phone.fallbackKey())))
	w.phone.synced(nil)
	w.step("stranger")
	w.phone.clock.pass(session.StrangerMemory + time.Hour)
	w.must(second(w.phone.Sweep(w.t.Context(), w.phone.clock.now())))
	w.step("sweep")
}

// met makes devices and identities known.
func (w *clientWard) met() {
	w.devices[w.own.user] = object{}
	for _, d := range []*device{w.phone, w.tablet, w.laptop} {
		w.devices[w.own.user][string(d.id.DeviceID)] = w.own.sign(d.deviceKeys(), w.own.self)
	}
	w.sendAll()
	w.step("own")
	w.must(w.phone.VerifyIdentity(w.t.Context(), w.own.user, w.own.master.Public()))
	w.step("verifying")
	for _, d := range []*device{w.bob, w.carol, w.erin} {
		w.devices[d.id.UserID] = object{"DEVICE": d.deviceKeys()}
		w.must(w.phone.TrackUsers(w.t.Context(), d.id.UserID))
		w.sendAll()
		w.step(d.name())
	}
}

// roomsShared shares the keys of two rooms, of one twice.
func (w *clientWard) roomsShared() {
	share := func(room matrix.RoomID, members ...matrix.UserID) {
		for range 10 {
			s, err := w.phone.ShareRoomKey(w.t.Context(), room, members, everybody)
			w.must(err)
			for _, r := range s.Requests {
				w.must(w.phone.MarkSent(w.t.Context(), r.ID, w.answer(r)))
			}
			w.sendAll()
			if s.Done {
				return
			}
		}
		w.t.Fatal("sharing comes to no end")
	}
	bob, carol := w.bob.id.UserID, w.carol.id.UserID
	share(quietRoom)
	w.step("quiet room")
	share(quietRoom, carol)
	w.step("carol in quiet room")
	share(testRoom)
	w.step("old session")
	w.must(w.phone.RotateRoomKey(w.t.Context(), testRoom))
	share(testRoom)
	w.step("room")
	share(testRoom, bob)
	w.step("bob in room")
	share(testRoom, bob, carol)
	w.step("carol in room")
	share(testRoom, w.members()...)
	w.step("erin in room")
}

// everybody are the settings of the rooms: all devices may have the key.
var everybody = pawl.RoomSettings{Strategy: group.AllDevices}

func (w *clientWard) members() []matrix.UserID {
	return []matrix.UserID{w.bob.id.UserID, w.carol.id.UserID, w.erin.id.UserID}
}

// keysCame lets room keys come, of which events are read.
func (w *clientWard) keysCame() {
	w.ofBob, w.ofCarol, w.ofDave, w.withheld = newRoomSender(w.t), newRoomSender(w.t), newRoomSender(w.t), newRoomSender(w.t)
	w.phone.synced(nil, w.bob.letter(w.phone, "m.room_key", roomKeyOf(w.t, w.ofBob)))
	w.step("bob's key")
	w.phone.synced(nil, w.carol.letter(w.phone, "m.room_key", roomKeyOf(w.t, w.ofCarol)))
	w.step("carol's key")
	w.phone.synced(nil, w.dave.letter(w.phone, "m.room_key", roomKeyOf(w.t, w.ofDave), pawl.WithOneTimeKey(w.phone.oneTimeKey())))
	w.step("dave's key")
	w.read, w.next, w.carols, w.daves = w.ofBob.event("$read"), w.ofBob.event("$next"), w.ofCarol.event("$carol"), w.ofDave.event("$dave")
	w.carols.Sender, w.daves.Sender = w.carol.id.UserID, w.dave.id.UserID
	w.must(second(w.phone.DecryptRoomEvent(w.t.Context(), w.read)))
	w.step("event")
}

// asksAndNotices lets devices ask for keys, and say that there are none.
func (w *clientWard) asksAndNotices() {
	bob := w.bob.id
	w.gone = w.withheld.event("$gone")
	w.phone.synced(nil, object{"type": "m.room_key.withheld", "sender": bob.UserID, "content": object{
		"algorithm": account.Megolm, "code": "m.blacklisted", "room_id": testRoom,
		"session_id": w.withheld.Key().ID().String(), "sender_key": bob.Curve25519.String(),
	}})
	w.step("notice")
	w.phone.synced(nil, object{"type": "m.room_key", "sender": "@mallory:example.org", "content": object{}})
	w.step("refusal")
	w.phone.synced(nil, w.asks(w.erin, w.ofBob))
	w.step("notice sent")
	w.phone.synced(nil, w.asks(w.laptop, w.ofBob))
	w.step("laptop's request")
	w.asked = newRoomSender(w.t).Key().ID()
	w.must(w.phone.RequestRoomKey(w.t.Context(), testRoom, w.asked))
	w.step("asking")
}

// asks is a request for a room key.
func (w *clientWard) asks(by *device, s *roomSender) object {
	return object{"type": "m.room_key_request", "sender": by.id.UserID, "content": object{
		"action": "request", "requesting_device_id": by.id.DeviceID, "request_id": "of " + string(by.id.DeviceID),
		"body": object{"algorithm": account.Megolm, "room_id": testRoom, "session_id": s.Key().ID().String()},
	}}
}

// lostAndFound leaves a copy of what was set aside, and an event that damage kept from
// being read; what it needs can be read again.
func (w *clientWard) lostAndFound() {
	w.phone.receive(w.bob, w.bob.send(w.phone, "its receipt is lost"))
	w.step("lost")
	putRaw(w.t, w.phone.kv, w.keys["receipt of lost"], "damaged")
	w.must(second(w.phone.store.Repair(w.t.Context())))
	delete(w.keys, "receipt of lost")
	w.step("repair")
	sessionKey := w.keys["session of dave's key"]
	value := valueOf(back(w.t, w.phone.kv), sessionKey)
	putRaw(w.t, w.phone.kv, sessionKey, "damaged")
	w.phone.synced(nil, w.dave.letter(w.phone, "m.call", object{}))
	putRaw(w.t, w.phone.kv, sessionKey, string(value))
	w.step("unread event")
}

// valueOf is what stands under a key, nil if nothing does.
func valueOf(b backup, key string) []byte {
	at, there := slices.BinarySearchFunc(b.entries, key, func(e kv.Entry, key string) int { return strings.Compare(e.Key, key) })
	if !there {
		return nil
	}
	return b.entries[at].Value[:len(b.entries[at].Value):len(b.entries[at].Value)]
}

// outstanding leaves requests that wait for their answers, and somebody who is
// outdated.
func (w *clientWard) outstanding() {
	handed := func(step string) {
		w.t.Helper()
		all, err := w.phone.OutgoingRequests(w.t.Context())
		w.must(err)
		for _, r := range all {
			w.requests[strings.TrimSpace(r.Kind.String()+" "+r.EventType)] = r
		}
		w.step(step)
	}
	handed("upload, and query for dave")
	w.must(w.phone.TrackUsers(w.t.Context(), "@grace:example.org"))
	w.step("grace")
	handed("query")
	w.phone.clock.pass(time.Minute)
	handed("claim")
	s, err := w.phone.ShareRoomKey(w.t.Context(), busyRoom, w.members()[1:2], everybody)
	w.must(err)
	w.requests["busy"] = s.Requests[0]
	w.step("busy room")
	w.phone.clock.pass(pawl.RequestLease + time.Minute)
	w.spare = map[matrix.UserID]map[matrix.DeviceID]json.RawMessage{}
	for _, d := range []*device{w.tablet, w.laptop, w.bob, w.carol} {
		if w.spare[d.id.UserID] == nil {
			w.spare[d.id.UserID] = map[matrix.DeviceID]json.RawMessage{}
		}
		w.spare[d.id.UserID][d.id.DeviceID] = d.signedKey()
	}
}

// unheard lets come what cannot be read, and that a device cannot open a session: what
// is done about either is due.
func (w *clientWard) unheard() {
	w.phone.synced(nil, w.unreadable(w.carol))
	w.step("what cannot be read")
	w.phone.synced(nil, w.unreadable(newDeviceOf(w.t, "@heidi:example.org", "DEVICE", w.phone.clock)))
	w.step("what nobody known sent")
	bob := w.bob.id
	w.phone.synced(nil, object{"type": "m.room_key.withheld", "sender": bob.UserID, "content": object{
		"algorithm": account.Megolm, "code": "m.no_olm", "sender_key": bob.Curve25519.String(),
	}})
	w.step("no olm")
}

// unreadable is an event of a device in a session that the phone does not have.
func (w *clientWard) unreadable(by *device) object {
	letter := by.letter(w.tablet, "m.lost", object{}, pawl.WithOneTimeKey(w.tablet.oneTimeKey()))
	content := letter["content"].(object)
	own := content["ciphertext"].(object)
	content["ciphertext"] = object{w.phone.id.Curve25519.String(): own[w.tablet.id.Curve25519.String()]}
	return letter
}

// arrives makes what comes next.
func (w *clientWard) arrives() {
	more := newRoomSender(w.t)
	events := []object{
		w.bob.letter(w.phone, "m.room_key", roomKeyOf(w.t, more)),
		w.bob.letter(w.phone, "m.bob", object{}),
		w.carol.letter(w.phone, "m.carol", object{}),
		w.dave.letter(w.phone, "m.room_key", roomKeyOf(w.t, newRoomSender(w.t))),
		w.tablet.letter(w.phone, "m.tablet", object{}, pawl.WithOneTimeKey(w.phone.oneTimeKey())),
		{"type": "m.plain", "sender": w.bob.id.UserID, "content": object{}},
		{"type": "m.room_key.withheld", "sender": w.bob.id.UserID, "content": object{
			"algorithm": account.Megolm, "code": "m.unverified", "room_id": testRoom,
			"session_id": more.Key().ID().String(), "sender_key": w.bob.id.Curve25519.String(),
		}},
		w.asks(w.laptop, w.ofCarol),
		{"type": "m.forwarded_room_key", "sender": w.own.user, "content": object{}},
	}
	w.step("last one-time key")
	if err := w.phone.ChangeExtra(w.t.Context(), "test", "name", func([]byte) ([]byte, error) { return []byte("value"), nil }); err != nil {
		w.t.Fatal(err)
	}
	w.step("extra")
	leaves := happens(becomes(w.erin.id.UserID, "leave"))
	w.response = syncOf(w.t, "next", object{
		"device_lists": object{"changed": []matrix.UserID{w.carol.id.UserID}, "left": []matrix.UserID{"@grace:example.org"}},
		"rooms":        leaves["rooms"], "device_one_time_keys_count": object{"signed_curve25519": 20},
	}, events...)
	var err error
	w.transaction, err = json.Marshal(object{"events": []object{}, "de.sorunome.msc2409.to_device": []object{{
		"type": "m.plain", "sender": w.bob.id.UserID, "content": object{},
		"to_user_id": w.own.user, "to_device_id": "DEVICE",
	}}})
	w.must(err)
}

// sendAll answers all requests of the phone.
func (w *clientWard) sendAll() {
	w.t.Helper()
	for range 20 {
		all, err := w.phone.OutgoingRequests(w.t.Context())
		w.must(err)
		if len(all) == 0 {
			return
		}
		for _, r := range all {
			w.must(w.phone.MarkSent(w.t.Context(), r.ID, w.answer(r)))
		}
	}
	w.t.Fatal("sending comes to no end")
}

// answer is the server's answer to a request: what is sent arrives.
func (w *clientWard) answer(r pawl.Request) []byte {
	w.t.Helper()
	out := object{"one_time_key_counts": object{"signed_curve25519": 50}}
	switch r.Kind {
	case pawl.KeysQuery:
		w.known(r, out)
	case pawl.KeysClaim, pawl.SendToDevice:
		return w.phone.answer(r, []*device{w.tablet, w.bob, w.carol})
	}
	raw, err := json.Marshal(out)
	w.must(err)
	return raw
}

// served is the server's answer to a request of which nothing remains.
func (w *clientWard) served(r pawl.Request) []byte {
	w.t.Helper()
	switch r.Kind {
	case pawl.SendToDevice:
		return []byte("{}")
	case pawl.KeysClaim:
		raw, err := json.Marshal(object{"one_time_keys": w.spare}) // of others too, which is no matter
		w.must(err)
		return raw
	}
	return w.answer(r)
}

// known adds the devices and identities of those who are asked for.
func (w *clientWard) known(r pawl.Request, out object) {
	w.t.Helper()
	var asked struct {
		Users map[matrix.UserID]any `json:"device_keys"`
	}
	w.must(json.Unmarshal(r.Body, &asked))
	users, masters := object{}, object{}
	for user := range asked.Users {
		users[string(user)] = object{}
		if all, has := w.devices[user]; has {
			users[string(user)] = all
		}
		switch user {
		case w.bobs.user:
			masters[string(user)] = w.bobs.key("master", w.bobs.master)
		case w.own.user:
			masters[string(user)] = w.own.key("master", w.own.master)
			out["self_signing_keys"] = object{string(user): w.own.sign(w.own.key("self_signing", w.own.self), w.own.master)}
		}
	}
	out["device_keys"], out["master_keys"] = users, masters
}

func (w *clientWard) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

// name is what the user of a device is called.
func (d *device) name() string {
	return strings.TrimPrefix(strings.TrimSuffix(string(d.id.UserID), ":example.org"), "@")
}

// imported notes that the account came from another program.
func (w *clientWard) imported() {
	w.t.Helper()
	w.step("all before") // nothing else is named after the import
	tools := machine.Tools{Now: w.phone.clock.now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(w.t.Context(), w.phone.kv, seal.RawKey([32]byte{9}), tools) // testKey
	w.must(err)
	at := w.phone.clock.now()
	a := s.Account(machine.AccountName{User: w.phone.id.UserID, Device: w.phone.id.DeviceID})
	w.must(a.Do(w.t.Context(), func(tx *txn.Tx) error {
		return records.Imports.Put(tx, records.Import{Program: "libolm", Begun: at, Finished: at})
	}))
	w.step("import")
}

// kindsOf are the kinds of an account's records.
func kindsOf(all []records.Kind) (names []string) {
	for _, k := range all {
		if k.Records != nil {
			names = append(names, k.Records.Kind)
		}
	}
	slices.Sort(names)
	return append(names, "account")
}

// harmed returns the ward with the value of one record changed, in a store of its own;
// nil: it is missing.
func (w *clientWard) harmed(t testing.TB, name string, value []byte) *clientWard {
	t.Helper()
	other := w.open(t)
	commit(t, other.phone.kv, kv.Write{Key: w.keys[name], Value: value, Delete: value == nil})
	return other
}

// in returns the ward on another state of its store. Its phone was open before it
// became so.
func (w *clientWard) in(t testing.TB, state backup) *clientWard {
	t.Helper()
	other := w.open(t)
	var changes []kv.Write
	for _, e := range state.entries {
		if string(valueOf(w.whole, e.Key)) != string(e.Value) {
			changes = append(changes, kv.Write{Key: e.Key, Value: e.Value})
		}
	}
	for _, e := range w.whole.entries {
		if valueOf(state, e.Key) == nil {
			changes = append(changes, kv.Write{Key: e.Key, Delete: true})
		}
	}
	if len(changes) > 0 {
		commit(t, other.phone.kv, changes...)
	}
	return other
}

// open returns the ward in a store of its own. Others are as they were.
func (w *clientWard) open(t testing.TB) *clientWard {
	t.Helper()
	other, phone := *w, *w.phone
	other.t, other.phone = t, &phone
	phone.t, phone.ctx, phone.kv, phone.clock = t, t.Context(), w.whole.restore(t), &clock{at: w.phone.clock.now()}
	phone.store = phone.open()
	var err error
	phone.Machine, err = phone.store.Machine(t.Context(), phone.id.UserID, phone.id.DeviceID)
	other.must(err)
	return &other
}

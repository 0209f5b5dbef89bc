package pawl_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// fullKinds are the kinds of which there are more records in a full store than one
// commit checks or writes at the floor.
var fullKinds = []string{
	"device", "group-in", "group-out", "group-shared", "key-request", "member", "otk", "outdated", "owner",
	"peer", "reach", "receipt", "refused", "replay", "request", "request-body", "room", "sender", "session", "told-no-olm",
	"unheard", "unsettled", "user", "wedge", "withheld",
}

// newFullWard returns the ward with a crowd of each kind of record beside those that
// it names.
func newFullWard(t testing.TB) *clientWard {
	w := newClientWard(t).open(t)
	w.crowdOfDevices()
	w.crowdOfRoomKeys()
	w.crowdOfRooms()
	last := w.keys["otk of last one-time key"]
	w.arrives()
	w.keys["otk of last one-time key"] = last
	w.whole = back(t, w.phone.kv)
	return w
}

// crowdOfDevices lets many write, among them many devices of Bob, and Carol in many
// sessions. Of what some of them send nothing can be read.
func (w *clientWard) crowdOfDevices() {
	w.must(second(w.phone.KeysForUpload(w.t.Context(), crowd)))
	key := w.phone.fallbackKey()
	bob := w.bob.id.UserID
	all := maps.Clone(w.devices[bob])
	store := openStore(w.t, newMemory(), testKey, pawl.WithClock(w.phone.clock.now))
	var keys, unheard, again, lost []object
	for i := range crowd {
		user := matrix.UserID(fmt.Sprintf("@user%d:example.org", i))
		keys = append(keys, w.made(store, user, "ONE").letter(w.phone, "m.room_key", roomKeyOf(w.t, newRoomSender(w.t)), pawl.WithOneTimeKey(key)))
		unheard = append(unheard, w.unreadable(w.made(store, user, "OTHER")))
		again = append(again, w.carol.letter(w.phone, "m.carol", object{}, pawl.WithOneTimeKey(key)))
		d := w.made(store, bob, fmt.Sprint("D", i))
		all[string(d.id.DeviceID)] = d.deviceKeys()
		lost = append(lost, w.unreadable(d))
	}
	w.devices[bob] = all
	w.phone.synced(nil, slices.Concat(keys, unheard, again)...)
	w.phone.synced(object{"device_lists": object{"changed": []matrix.UserID{bob}}})
	w.phone.clock.pass(pawl.RequestLease + time.Minute)
	w.sendAll()
	w.phone.synced(nil, lost...)
}

// made makes a device in a store.
func (w *clientWard) made(store *pawl.Store, user matrix.UserID, id string) *device {
	d := &device{t: w.t, ctx: w.t.Context(), clock: w.phone.clock, store: store}
	var err error
	d.Machine, err = store.Create(d.ctx, user, matrix.DeviceID(id))
	w.must(err)
	d.id, err = d.Machine.Identity(d.ctx)
	w.must(err)
	return d
}

// crowdOfRoomKeys lets many keys be asked for, withheld, refused and imported, and
// many events be read.
func (w *clientWard) crowdOfRoomKeys() {
	ctx := w.t.Context()
	var events []object
	var imported []pawl.RoomKey
	for i := range crowd {
		s := newRoomSender(w.t)
		imported = append(imported, s.exported())
		asks := w.asks(w.laptop, s)
		asks["content"].(object)["request_id"] = fmt.Sprint(i)
		events = append(events, asks,
			object{"type": "m.room_key", "sender": "@mallory:example.org", "content": object{"n": i}},
			object{"type": "m.room_key.withheld", "sender": w.bob.id.UserID, "content": object{
				"algorithm": account.Megolm, "code": "m.blacklisted", "room_id": testRoom,
				"session_id": newRoomSender(w.t).ID().String(), "sender_key": w.bob.id.Curve25519.String(),
			}})
		w.must(second(w.phone.DecryptRoomEvent(ctx, w.ofBob.event(matrix.EventID(fmt.Sprint("$more", i))))))
		w.must(w.phone.RequestRoomKey(ctx, testRoom, newRoomSender(w.t).ID()))
	}
	w.must(second(w.phone.ImportRoomKeys(ctx, imported)))
	w.phone.synced(nil, events...)
}

// crowdOfRooms shares keys in many rooms, and in one with many.
func (w *clientWard) crowdOfRooms() {
	ctx := w.t.Context()
	members := w.members()
	for i := range crowd {
		members = append(members, matrix.UserID(fmt.Sprintf("@user%d:example.org", i)))
		room := matrix.RoomID(fmt.Sprintf("!room%d:example.org", i))
		w.must(second(w.phone.ShareRoomKey(ctx, room, nil, everybody)))
	}
	for range 6 {
		s, err := w.phone.ShareRoomKey(ctx, testRoom, members, everybody)
		w.must(err)
		for _, r := range s.Requests {
			w.must(w.phone.MarkSent(ctx, r.ID, w.answer(r)))
		}
		w.phone.clock.pass(20 * time.Minute)
	}
	for i := range crowd {
		w.must(w.phone.TrackUsers(ctx, matrix.UserID(fmt.Sprintf("@late%d:example.org", i))))
	}
}

// TestFullStoreAtTheFloor: however many records of each kind there are, and whichever
// of them is damaged or missing, no call checks or writes more at once than the
// smallest engine takes.
func TestFullStoreAtTheFloor(t *testing.T) {
	defer func(was bool) { *atFloor = was }(*atFloor)
	*atFloor = true
	w := newFullWard(t)
	w.isFull(t)
	calls := slices.Sorted(maps.Keys(clientCalls))
	stride := 7 // which share of the calls meets each harm; all meet in some way
	if testing.Short() || raceEnabled {
		stride = 60
	}
	nth := 0
	for i, record := range append([]string{""}, harmedByClient...) {
		for _, way := range []string{"damaged", "missing"} {
			state := w.whole
			if record != "" {
				value := []byte("damaged")
				if way == "missing" {
					value = nil
				}
				state = back(t, w.harmed(t, record, value).phone.kv)
			}
			for _, name := range calls {
				// Where the pool is lost all calls are made: each looks for the keys.
				if nth++; nth%stride != 0 && (record != "" || way == "missing") && record != "otk-pool of stranger" {
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), callsEnd)
				got := clientCalls[name](ctx, w.in(t, state))
				cancel()
				if strings.Contains(got, "too_large") {
					t.Errorf("%s %s: %s says %s", record, way, name, got)
				}
			}
			if stride > 7 && i%8 != 0 {
				continue
			}
			if _, err := w.in(t, state).phone.store.Repair(t.Context()); err != nil {
				t.Errorf("%s %s: repair: %v", record, way, err)
			}
		}
	}
}

// isFull: there are as many of each kind as the test is about.
func (w *clientWard) isFull(t *testing.T) {
	t.Helper()
	count := map[string]int{}
	for _, e := range w.whole.entries {
		count[strings.Split(e.Key, "/")[1]]++
	}
	for _, kind := range fullKinds {
		if count[kind] <= kv.FloorChecks {
			t.Errorf("%d records of kind %s, want more than %d", count[kind], kind, kv.FloorChecks)
		}
	}
}

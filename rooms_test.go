package pawl_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// sendAll answers all requests of a device as a server does that has these devices, and
// delivers events to them.
func (d *device) sendAll(to ...*device) (n int) {
	d.t.Helper()
	for range 20 {
		all, err := d.OutgoingRequests(d.ctx)
		if err != nil {
			d.t.Fatal(err)
		}
		if len(all) == 0 {
			return n
		}
		for _, r := range all {
			n++
			if err := d.MarkSent(d.ctx, r.ID, d.answer(r, to)); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	d.t.Fatal("sending comes to no end")
	return n
}

// answer is the server's answer to a request.
func (d *device) answer(r pawl.Request, to []*device) []byte {
	d.t.Helper()
	var asked struct {
		Users    map[matrix.UserID]any                                 `json:"device_keys"`
		Claims   map[matrix.UserID]map[matrix.DeviceID]string          `json:"one_time_keys"`
		Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage `json:"messages"`
	}
	if r.Kind != pawl.KeysUpload {
		if err := json.Unmarshal(r.Body, &asked); err != nil {
			d.t.Fatal(err)
		}
	}
	users, claims := map[matrix.UserID]object{}, map[matrix.UserID]object{}
	for user := range asked.Users {
		users[user] = object{}
	}
	for _, other := range to {
		user, id := other.id.UserID, string(other.id.DeviceID)
		if users[user] != nil {
			users[user][id] = other.deviceKeys()
		}
		if asked.Claims[user] != nil {
			claims[user] = object{id: other.signedKey()}
		}
		if content, has := asked.Messages[user][other.id.DeviceID]; has {
			other.synced(nil, object{"type": r.EventType, "sender": d.id.UserID, "content": content})
		}
	}
	if users[d.id.UserID] != nil {
		users[d.id.UserID][string(d.id.DeviceID)] = d.deviceKeys()
	}
	if r.Kind == pawl.SendToDevice {
		return []byte("{}")
	}
	raw, err := json.Marshal(object{"device_keys": users, "one_time_keys": claims, "one_time_key_counts": object{"signed_curve25519": 50}})
	if err != nil {
		d.t.Fatal(err)
	}
	return raw
}

// signedKey is a one-time key as a server hands it out.
func (d *device) signedKey() json.RawMessage {
	d.t.Helper()
	u, err := d.KeysForUpload(d.ctx, 1)
	if err != nil {
		d.t.Fatal(err)
	}
	var body struct {
		Keys json.RawMessage `json:"one_time_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		d.t.Fatal(err)
	}
	return body.Keys
}

// synced takes in a response.
func (d *device) synced(more object, events ...object) {
	d.t.Helper()
	ticket := d.nextSync()
	if _, err := d.ReceiveSync(d.ctx, ticket, syncOf(d.t, ticket.Since+"+", more, events...)); err != nil {
		d.t.Fatal(err)
	}
}

// happens is what a sync says of the test's room.
func happens(events ...object) object {
	return object{"rooms": object{"join": object{string(testRoom): object{"timeline": object{"events": events}}}}}
}

func becomes(user matrix.UserID, membership string) object {
	return object{"type": "m.room.member", "state_key": user, "sender": user, "content": object{"membership": membership}}
}

var isEncrypted = object{"type": "m.room.encryption", "state_key": "", "content": object{"algorithm": account.Megolm}}

// shared shares the room's key until everybody has it.
func (d *device) shared(members []matrix.UserID, to ...*device) pawl.Sharing {
	d.t.Helper()
	for range 10 {
		s, err := d.ShareRoomKey(d.ctx, testRoom, members, pawl.RoomSettings{})
		if err != nil {
			d.t.Fatal(err)
		}
		if s.Done {
			return s
		}
		for _, r := range s.Requests {
			if err := d.MarkSent(d.ctx, r.ID, d.answer(r, to)); err != nil {
				d.t.Fatal(err)
			}
		}
		d.sendAll(to...)
	}
	d.t.Fatal("sharing comes to no end")
	return pawl.Sharing{}
}

// says encrypts an event.
func (d *device) says(text string) (pawl.RoomEvent, error) {
	d.t.Helper()
	content, err := d.EncryptRoomEvent(d.ctx, testRoom, "m.room.message", json.RawMessage(fmt.Sprintf(`{"body":%q}`, text)))
	return pawl.RoomEvent{Room: testRoom, Sender: d.id.UserID, Content: content}, err
}

func (d *device) mustSay(text string) pawl.RoomEvent {
	d.t.Helper()
	e, err := d.says(text)
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

func (d *device) hears(e pawl.RoomEvent, want string) {
	d.t.Helper()
	got, err := d.DecryptRoomEvent(d.ctx, e)
	if err != nil || string(got.Content) != fmt.Sprintf(`{"body":%q}`, want) || got.Type != "m.room.message" {
		d.t.Errorf("%s hears %q %s, %v", d.id.UserID, got.Type, got.Content, err)
	}
}

// TestRoom: what one says in a room others hear, and oneself, in every process; who
// left does not.
func TestRoom(t *testing.T) {
	alice, bob := pair(t)
	carol := newDevice(t, newMemory(), "@carol:example.org")
	other := alice.on(alice.kv)
	alice.synced(happens(isEncrypted))
	if i, err := other.Room(t.Context(), testRoom); err != nil || !i.Encrypted || i.Shared || i.Unsupported || i.Settings.Messages != group.DefaultMessages {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := alice.says("too early"); !errors.Is(err, pawl.ErrNotShared) || pawl.CodeOf(err) != "not_shared" {
		t.Errorf("too early: %v", err)
	}
	members := []matrix.UserID{alice.id.UserID, bob.id.UserID, carol.id.UserID}
	s := alice.shared(members, bob, carol)
	first := other.mustSay("hello")
	for _, d := range []*device{alice, other, bob, carol} {
		d.hears(first, "hello")
	}
	if i, err := other.Room(t.Context(), testRoom); err != nil || !i.Shared || i.Session != s.Session || i.Messages != 1 {
		t.Errorf("%+v, %v", i, err)
	}

	// Bob leaves, as one process hears; the other one does not send to him any more.
	alice.synced(happens(becomes(bob.id.UserID, "leave")))
	var rotate *pawl.RotateError
	if _, err := other.says("not to bob"); !errors.As(err, &rotate) || rotate.Why != group.SomebodyLeft || pawl.CodeOf(err) != "rotate" {
		t.Errorf("bob left: %v", err)
	}
	other.shared(members, bob, carol) // the list is of before
	second := other.mustSay("not to bob")
	carol.hears(second, "not to bob")
	if _, err := bob.DecryptRoomEvent(t.Context(), second); !errors.Is(err, group.ErrNoKey) {
		t.Errorf("bob hears it: %v", err)
	}

	// Without a sync, and by hand.
	if err := other.MembersChanged(t.Context(), testRoom, []pawl.MemberChange{{User: bob.id.UserID, Membership: pawl.Join}}, false); err != nil {
		t.Fatal(err)
	}
	alice.shared(members, bob, carol)
	bob.hears(alice.mustSay("bob is back"), "bob is back")
	if err := alice.RotateRoomKey(t.Context(), testRoom); err != nil {
		t.Fatal(err)
	}
	if _, err := other.says("in another"); !errors.As(err, &rotate) || rotate.Why != group.Asked {
		t.Errorf("rotated by hand: %v", err)
	}
	again := alice.shared(members, bob, carol)
	if again.Session == s.Session {
		t.Error("the session came back")
	}
	alice.intact()
}

// TestRoomAfterRecovery: the lost time may have used the session.
func TestRoomAfterRecovery(t *testing.T) {
	alice, bob := pair(t)
	members := []matrix.UserID{bob.id.UserID}
	s := alice.shared(members, bob)
	alice.mustSay("before")
	if _, err := alice.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	var rotate *pawl.RotateError
	if _, err := alice.says("after"); !errors.As(err, &rotate) || rotate.Why != group.Recovered {
		t.Errorf("after a recovery: %v", err)
	}
	if again := alice.shared(members, bob); again.Session == s.Session {
		t.Error("after a recovery the session is the same")
	}
	bob.hears(alice.mustSay("after"), "after")
}

// TestRoomClocks: a clock that goes back far, or on, makes another session and holds
// nobody up.
func TestRoomClocks(t *testing.T) {
	for name, by := range map[string]time.Duration{"a year back": -365 * 24 * time.Hour, "a year on": 365 * 24 * time.Hour} {
		alice, bob := pair(t)
		members := []matrix.UserID{bob.id.UserID}
		alice.shared(members, bob)
		alice.mustSay("before")
		alice.clock.pass(by)
		if _, err := alice.says("after"); !errors.Is(err, pawl.ErrRotate) {
			t.Errorf("%s: %v", name, err)
		}
		alice.shared(members, bob)
		bob.hears(alice.mustSay("after"), "after")
	}
}

// TestRoomRefusals: what a call is not given.
func TestRoomRefusals(t *testing.T) {
	alice, _ := pair(t)
	ctx := t.Context()
	share := func(s pawl.RoomSettings) error {
		_, err := alice.ShareRoomKey(ctx, testRoom, nil, s)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want pawl.Code
	}{
		"algorithm":        {share(pawl.RoomSettings{Algorithm: "m.other"}), "algorithm"},
		"strategy":         {share(pawl.RoomSettings{Strategy: 17}), "settings"},
		"the caller's":     {share(pawl.RoomSettings{Strategy: group.ByCaller}), "settings"},
		"and another":      {share(pawl.RoomSettings{Strategy: group.Verified, Allow: func(pawl.DeviceInfo) bool { return true }}), "settings"},
		"a rotation":       {alice.RotateRoomKey(ctx, "room"), "room_id"},
		"members":          {alice.MembersChanged(ctx, "room", nil, false), "room_id"},
		"members that are": {alice.MembersChanged(ctx, testRoom, []pawl.MemberChange{{User: "bob"}}, false), "user_id"},
	} {
		if got := pawl.CodeOf(c.err); got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, c.err, c.want)
		}
	}
	if _, err := alice.EncryptRoomEvent(ctx, testRoom, "m.room.message", json.RawMessage("7")); !errors.Is(err, pawl.ErrContent) {
		t.Errorf("no object: %v", err)
	}
	if _, err := alice.Room(ctx, "room"); !errors.Is(err, matrix.ErrRoomID) {
		t.Errorf("no room: %v", err)
	}
}

// What an event may be besides: a part of the room's state, and related to another one
// of which the server sees nothing, or less.
func TestRoomEventOptions(t *testing.T) {
	alice, bob := pair(t)
	alice.shared([]matrix.UserID{alice.id.UserID, bob.id.UserID}, bob)
	for _, outside := range []string{"", `{"rel_type":"m.thread"}`} {
		const content = `{"body":"hi","m.relates_to":{"event_id":"$a"}}`
		sent, err := alice.EncryptRoomEvent(t.Context(), testRoom, "m.reaction", []byte(content), pawl.RelationInside(json.RawMessage(outside)), pawl.StateKey("k"))
		if err != nil {
			t.Fatal(err)
		}
		var outer map[string]json.RawMessage
		if err := json.Unmarshal(sent, &outer); err != nil || string(outer["m.relates_to"]) != outside {
			t.Errorf("outside stands %s, want %s: %v", outer["m.relates_to"], outside, err)
		}
		got, err := bob.DecryptRoomEvent(t.Context(), pawl.RoomEvent{Room: testRoom, Sender: alice.id.UserID, Content: sent})
		if err != nil || string(got.Content) != content || got.StateKey == nil || *got.StateKey != "k" || got.Type != "m.reaction" {
			t.Errorf("bob reads %s %s, %v", got.Type, got.Content, err)
		}
	}
	before, err := alice.Room(t.Context(), testRoom)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.EncryptRoomEvent(t.Context(), testRoom, "m.reaction", []byte("{}"), pawl.RelationInside(json.RawMessage("{"))); !errors.Is(err, pawl.ErrContent) {
		t.Errorf("a relation that is no JSON: %v", err)
	}
	if after, err := alice.Room(t.Context(), testRoom); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("it used an index: %+v, %v", after, err)
	}
}

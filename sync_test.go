package pawl_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/matrix"
)

type object = map[string]any

// letter is what a client sends to another one's device, encrypted.
func (d *device) letter(to *device, kind string, content any, opts ...pawl.EncryptOption) object {
	d.t.Helper()
	plaintext, err := json.Marshal(object{
		"type": kind, "content": content, "sender": d.id.UserID, "recipient": to.id.UserID,
		"recipient_keys": object{"ed25519": to.id.Ed25519.String()}, "keys": object{"ed25519": d.id.Ed25519.String()},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	e, err := d.Encrypt(d.ctx, to.id.Curve25519, plaintext, opts...)
	if err != nil {
		d.t.Fatal(err)
	}
	return object{"type": "m.room.encrypted", "sender": d.id.UserID, "content": object{
		"algorithm": account.Olm, "sender_key": d.id.Curve25519.String(), "ciphertext": object{
			to.id.Curve25519.String(): object{"type": e.Message.Type, "body": base64.RawStdEncoding.EncodeToString(e.Message.Body)},
		},
	}}
}

// roomKeyOf is the content of m.room_key.
func roomKeyOf(t testing.TB, s *roomSender) object {
	t.Helper()
	key, err := s.Share()
	if err != nil {
		t.Fatal(err)
	}
	return object{"algorithm": account.Megolm, "room_id": testRoom, "session_id": s.ID().String(), "session_key": base64.RawStdEncoding.EncodeToString(key)}
}

func syncOf(t testing.TB, next string, more object, events ...object) []byte {
	t.Helper()
	body := object{"next_batch": next, "to_device": object{"events": append([]object{}, events...)}}
	for k, v := range more {
		body[k] = v
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (d *device) nextSync() pawl.SyncTicket {
	d.t.Helper()
	ticket, err := d.NextSync(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	return ticket
}

// TestReceiveSync: a room key that a sync brings reads the room's events in every
// process, what is the caller's is returned until it is acknowledged, and a response
// that comes again, or late, changes nothing.
func TestReceiveSync(t *testing.T) {
	alice, bob := pair(t)
	again := alice.on(alice.kv)
	s := newRoomSender(t)
	key := bob.letter(alice, "m.room_key", roomKeyOf(t, s), pawl.WithOneTimeKey(alice.oneTimeKey()))
	call := bob.letter(alice, "m.call", object{"n": 1})
	ticket := alice.nextSync()
	response := syncOf(t, "T1", object{
		"device_lists": object{"changed": []string{"@bob:example.org"}, "left": []string{"@carol:example.org"}},
		"rooms": object{"join": object{string(testRoom): object{"timeline": object{"events": []object{
			{"type": "m.room.encryption", "state_key": "", "sender": "@bob:example.org", "content": object{"algorithm": account.Megolm}},
		}}}}},
		"device_one_time_keys_count": object{"signed_curve25519": 20},
	}, key, call)
	got, err := alice.ReceiveSync(t.Context(), ticket, response)
	want := []pawl.ReceivedRoomKey{{Room: testRoom, Session: s.ID()}}
	if err != nil || !got.Advanced || !slices.Equal(got.RoomKeys, want) || len(got.Events) != 1 || len(got.Refused) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if e, err := again.DecryptRoomEvent(t.Context(), s.event("$1")); err != nil || e.Sender.Ed25519 != bob.id.Ed25519 || e.Provenance != group.Direct {
		t.Errorf("%+v, %v", e.Sender, err)
	}
	e := got.Events[0]
	if e.Type != "m.call" || string(e.Content) != `{"n":1}` || !e.Encrypted || e.Duplicate || e.Ed25519 != bob.id.Ed25519 || e.Device != "" {
		t.Errorf("%q %s %+v", e.Type, e.Content, e)
	}
	late, err := again.ReceiveSync(t.Context(), ticket, syncOf(t, "T0", nil, call, bob.letter(alice, "m.late", object{})))
	if err != nil || late.Advanced || len(late.Events) != 2 || !late.Events[0].Duplicate || late.Events[1].Duplicate {
		t.Errorf("late: %+v, %v", late, err)
	}
	if next := again.nextSync(); next.Since != "T1" {
		t.Errorf("the next sync is from %q", next.Since)
	}
	if err := again.Acknowledge(t.Context(), e.Receipt); err != nil {
		t.Fatal(err)
	}
	last, err := again.ReceiveSync(t.Context(), ticket, response)
	if err != nil || len(last.Events) != 0 || last.Duplicates != 2 || !last.Advanced {
		t.Errorf("again: %+v, %v", last, err)
	}
	alice.intact()
}

// TestReceiveSyncInParts: what is more than one commit takes is taken in several. A
// process that dies between two leaves the token where it was, and the next one does
// the rest, each thing once.
func TestReceiveSyncInParts(t *testing.T) {
	alice, bob := smallest(t), newDevice(t, newMemory(), "@bob:example.org")
	var letters []object
	var senders []*roomSender
	key := alice.oneTimeKey()
	for i := range 12 {
		s := newRoomSender(t)
		senders = append(senders, s)
		var opts []pawl.EncryptOption
		if i == 0 {
			opts = append(opts, pawl.WithOneTimeKey(key))
		}
		letters = append(letters, bob.letter(alice, "m.room_key", roomKeyOf(t, s), opts...))
	}
	changed, join := []string{}, object{}
	for i := range crowd {
		changed = append(changed, fmt.Sprintf("@user%d:example.org", i))
		join[fmt.Sprintf("!room%d:example.org", i)] = object{"state": object{"events": []object{
			{"type": "m.room.encryption", "state_key": "", "content": object{"algorithm": account.Megolm}},
		}}}
	}
	response := syncOf(t, "T1", object{"device_lists": object{"changed": changed}, "rooms": object{"join": join}}, letters...)
	ticket := alice.nextSync()
	for dies := 0; ; dies++ {
		faults := append(make([]faulty.Fault, dies), faulty.DiskFull)
		process := alice.on(faulty.Commits(alice.kv, faults...))
		got, err := process.ReceiveSync(t.Context(), ticket, response)
		if err == nil {
			if !got.Advanced || dies < 3 {
				t.Errorf("advanced %t after %d deaths", got.Advanced, dies)
			}
			break
		}
		if !errors.Is(err, kv.ErrDiskFull) || alice.nextSync().Since != "" {
			t.Fatalf("after %d commits: %v, token %q", dies, err, alice.nextSync().Since)
		}
	}
	if next := alice.nextSync(); next.Since != "T1" {
		t.Errorf("the next sync is from %q", next.Since)
	}
	for i, s := range senders {
		if _, err := alice.DecryptRoomEvent(t.Context(), s.event(matrix.EventID(fmt.Sprint("$", i)))); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	alice.intact()
}

// TestReceiveNothing: what is no response has one error.
func TestReceiveNothing(t *testing.T) {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	if _, err := alice.ReceiveSync(t.Context(), pawl.SyncTicket{}, []byte("{}")); !errors.Is(err, pawl.ErrResponse) {
		t.Errorf("%v, want %v", err, pawl.ErrResponse)
	}
	if _, err := alice.ReceiveTransaction(t.Context(), "1", []byte("[]")); !errors.Is(err, pawl.ErrResponse) {
		t.Errorf("%v, want %v", err, pawl.ErrResponse)
	}
	got, err := alice.ReceiveTransaction(t.Context(), "1", []byte("{}"))
	if err != nil || !got.Advanced {
		t.Errorf("%+v, %v", got, err)
	}
	ticket, err := alice.NextSlidingSync(t.Context())
	if err != nil || ticket.Pos != "" {
		t.Errorf("%+v, %v", ticket, err)
	}
	if got, err = alice.ReceiveSync(t.Context(), ticket, []byte(`{"pos":"P1","extensions":{"to_device":{"next_batch":"D1","events":[]}}}`)); err != nil || !got.Advanced {
		t.Errorf("%+v, %v", got, err)
	}
	if ticket, err = alice.NextSlidingSync(t.Context()); err != nil || ticket.Pos != "P1" || ticket.ToDeviceSince != "D1" {
		t.Errorf("%+v, %v", ticket, err)
	}
	if err := alice.LostSync(t.Context(), ticket); err != nil {
		t.Error(err)
	}
	if ticket, err = alice.NextSlidingSync(t.Context()); err != nil || ticket.Pos != "" || ticket.ToDeviceSince != "D1" {
		t.Errorf("lost: %+v, %v", ticket, err)
	}
}

// TestHoldToken: with HoldToken a token is stored once the events were handled, by
// StoreToken; in simplified sliding sync both its tokens are.
func TestHoldToken(t *testing.T) {
	alice, _ := pair(t)
	event := object{"type": "m.custom", "sender": "@bob:example.org", "content": object{}}
	sliding, err := json.Marshal(object{"pos": "P1", "extensions": object{"to_device": object{"next_batch": "D1", "events": []object{event}}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		next     func() (pawl.SyncTicket, error)
		response []byte
		want     string
	}{
		"sync":    {func() (pawl.SyncTicket, error) { return alice.NextSync(alice.ctx) }, syncOf(t, "T1", nil, event), "T1  "},
		"sliding": {func() (pawl.SyncTicket, error) { return alice.NextSlidingSync(alice.ctx) }, sliding, " P1 D1"},
	} {
		t.Run(name, func(t *testing.T) {
			var held *pawl.HeldToken
			for range 2 { // the second is another process's, or the same after a crash
				ticket, err := c.next()
				if err != nil || ticket.Since+ticket.Pos+ticket.ToDeviceSince != "" {
					t.Fatalf("the token is stored before the event was handled: %+v, %v", ticket, err)
				}
				got, err := alice.ReceiveSync(t.Context(), ticket, c.response, pawl.HoldToken())
				if err != nil || got.Advanced || got.Held == nil || len(got.Events) != 1 {
					t.Fatalf("%+v, %v", got, err)
				}
				held = got.Held
			}
			for range 2 {
				advanced, err := alice.StoreToken(t.Context(), held)
				next, nextErr := c.next()
				if all := next.Since + " " + next.Pos + " " + next.ToDeviceSince; err != nil || nextErr != nil || !advanced || all != c.want {
					t.Errorf("stored %q, want %q: %v, %v, %v", all, c.want, advanced, err, nextErr)
				}
			}
		})
	}
	if advanced, err := alice.StoreToken(t.Context(), nil); err != nil || advanced {
		t.Errorf("no token: %v, %v", advanced, err)
	}
}

package pawl_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

const testRoom = matrix.RoomID("!room:example.org")

// roomSender is a device that sends in a room, as far as a receiver sees it.
type roomSender struct {
	t testing.TB
	group.Sender
}

func newRoomSender(t testing.TB) *roomSender {
	t.Helper()
	s, err := group.NewSender(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &roomSender{t, s}
}

// event encrypts the next event.
func (s *roomSender) event(id matrix.EventID) pawl.RoomEvent {
	s.t.Helper()
	next, body, err := s.Encrypt([]byte(fmt.Sprintf(`{"type":"m.room.message","content":{"body":%q},"room_id":%q}`, id, testRoom)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.Sender = next
	content, err := json.Marshal(map[string]any{
		"algorithm": account.Megolm, "session_id": s.Key().ID().String(), "ciphertext": base64.RawStdEncoding.EncodeToString(body),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return pawl.RoomEvent{Room: testRoom, ID: id, Sender: "@bob:example.org", Content: content}
}

// exported is the key from now on, as a file has it.
func (s *roomSender) exported() pawl.RoomKey {
	return pawl.RoomKey{Room: testRoom, Key: s.Key(), Source: group.Source{Provenance: group.File, Sender: [32]byte{1}}}
}

// TestRoomEvents: what a client sees of a room whose keys it imports: reading, a
// replay that another process finds, forgetting, and importing again.
func TestRoomEvents(t *testing.T) {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	again := alice.on(alice.kv)
	s := newRoomSender(t)
	first := s.event("$0")
	keys := []pawl.RoomKey{s.exported()}
	for range crowd {
		keys = append(keys, newRoomSender(t).exported())
	}
	done, err := alice.ImportRoomKeys(t.Context(), keys)
	if err != nil || done.New != len(keys) || done.Better+done.Same+len(done.Refused) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := alice.DecryptRoomEvent(t.Context(), first); pawl.CodeOf(err) != "too_early" {
		t.Errorf("before the first known: %v", err)
	}
	e := s.event("$1")
	for _, process := range []*device{alice, again} {
		got, err := process.DecryptRoomEvent(t.Context(), e)
		if err != nil || string(got.Content) != `{"body":"$1"}` || got.Index != 1 || got.Provenance != group.File || got.Sender.State != pawl.DeviceUnknown {
			t.Fatalf("%s, %d, %v of %v, %v", got.Content, got.Index, got.Provenance, got.Sender.State, err)
		}
	}
	replayed := e
	replayed.ID = "$2"
	if _, err := again.DecryptRoomEvent(t.Context(), replayed); !errors.Is(err, pawl.ErrReplay) || pawl.CodeOf(err) != "replay" {
		t.Errorf("replayed: %v", err)
	}
	if n, err := alice.ForgetRoomKeys(t.Context(), pawl.Forgetting{Room: testRoom}); err != nil || n != len(keys) {
		t.Errorf("%d forgotten, %v", n, err)
	}
	if done, err := again.ImportRoomKeys(t.Context(), keys); err != nil || len(done.Refused) != len(keys) || !errors.Is(done.Refused[0].Err, group.ErrForgotten) {
		t.Errorf("%d refused, %v", len(done.Refused), err)
	}
	if _, err := again.DecryptRoomEvent(t.Context(), e); pawl.CodeOf(err) != "forgotten" {
		t.Errorf("forgotten: %v", err)
	}
	alice.intact()
}

// TestSessionOfAnEvent: an event names the session that is waited for where its key is
// not there, and what is none names none.
func TestSessionOfAnEvent(t *testing.T) {
	s := newRoomSender(t)
	e := s.event("$0")
	if got, err := e.Session(); err != nil || got != s.Key().ID() {
		t.Errorf("the session is %v, %v, want %v", got, err, s.Key().ID())
	}
	for content, want := range map[string]error{
		`{"algorithm":"m.megolm.v1.aes-sha2","session_id":"short"}`: pawl.ErrContent,
		`{"algorithm":"m.megolm.v1.aes-sha2"}`:                      pawl.ErrContent,
		`{"algorithm":"m.olm.v1.curve25519-aes-sha2"}`:              pawl.ErrAlgorithm,
		`[]`: pawl.ErrContent,
	} {
		e.Content = json.RawMessage(content)
		if _, err := e.Session(); !errors.Is(err, want) {
			t.Errorf("of %s: %v, want %v", content, err, want)
		}
	}
}

// TestRoomKeysOfNobody: where the store is closed nothing is taken or read.
func TestRoomKeysOfNobody(t *testing.T) {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	alice.kv.Close()
	s := newRoomSender(t)
	_, importing := alice.ImportRoomKeys(t.Context(), []pawl.RoomKey{s.exported()})
	_, reading := alice.DecryptRoomEvent(t.Context(), s.event("$1"))
	_, forgetting := alice.ForgetRoomKeys(t.Context(), pawl.Forgetting{Room: testRoom})
	for _, err := range []error{importing, reading, forgetting} {
		if !errors.Is(err, kv.ErrClosed) {
			t.Errorf("%v, want %v", err, kv.ErrClosed)
		}
	}
}

// TestRoomKeyOfAnUnknownDevice: the key of a device that nobody knows yet is kept,
// marked, and its user asked for; it is no less there when asking fails; and the
// answer settles it, whether the device is the one that it said it was or not.
func TestRoomKeyOfAnUnknownDevice(t *testing.T) {
	for _, honest := range []bool{true, false} {
		alice, bob := pair(t)
		s := newRoomSender(t)
		key := bob.letter(alice, "m.room_key", roomKeyOf(t, s), pawl.WithOneTimeKey(alice.oneTimeKey()))
		if _, err := alice.ReceiveSync(t.Context(), alice.nextSync(), syncOf(t, "T1", nil, key)); err != nil {
			t.Fatal(err)
		}
		marked := func(want int) {
			t.Helper()
			if got := alice.inspect().Records["unsettled"]; got != want {
				t.Errorf("%d devices are marked, want %d", got, want)
			}
		}
		e := s.event("$1")
		unknown := func() {
			t.Helper()
			marked(1)
			got, err := alice.DecryptRoomEvent(t.Context(), e)
			if err != nil || got.Sender.State != pawl.DeviceUnknown || got.Sender.Device.Device != "" {
				t.Errorf("%+v, %v", got.Sender, err)
			}
		}
		unknown()
		asked := alice.query(bob.id.UserID)
		if err := alice.MarkFailed(t.Context(), asked.ID, pawl.Unknown()); err != nil {
			t.Fatal(err)
		}
		unknown()
		alice.clock.pass(time.Hour)
		asked = alice.query(bob.id.UserID)
		answering := bob
		if !honest { // another device has bob's name
			answering = newDevice(t, newMemory(), bob.id.UserID)
		}
		answer, err := json.Marshal(object{"device_keys": object{string(bob.id.UserID): object{"DEVICE": answering.deviceKeys()}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.MarkSent(t.Context(), asked.ID, answer); err != nil {
			t.Fatal(err)
		}
		if !honest {
			unknown()
			continue
		}
		marked(0)
		got, err := alice.DecryptRoomEvent(t.Context(), e)
		if err != nil || got.Sender.State != pawl.DeviceKnown || got.Sender.Device.Device != bob.id.DeviceID {
			t.Errorf("%+v, %v", got.Sender, err)
		}
		e.Sender = "@mallory:example.org"
		if _, err := alice.DecryptRoomEvent(t.Context(), e); !errors.Is(err, pawl.ErrOtherUser) {
			t.Errorf("as another's: %v", err)
		}
		e.AllowMismatched = true
		if got, err := alice.DecryptRoomEvent(t.Context(), e); err != nil || got.Sender.State != pawl.DeviceMismatched || got.Sender.Device.User != bob.id.UserID {
			t.Errorf("as another's, allowed: %+v, %v", got.Sender, err)
		}
		alice.intact()
	}
}

// query returns the request that asks for a user.
func (d *device) query(user matrix.UserID) pawl.Request {
	d.t.Helper()
	all, err := d.OutgoingRequests(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range all {
		if r.Kind == pawl.KeysQuery && strings.Contains(string(r.Body), string(user)) {
			return r
		}
	}
	d.t.Fatalf("nobody asks for %s", user)
	return pawl.Request{}
}

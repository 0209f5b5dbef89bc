package stored

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// began is when those devices and sessions were made that only are there.
var began = time.Unix(1_800_000_000, 0)

// roomID is where events of rooms are.
const roomID = "!of_forty_characters_in_all:example.org"

// RoomEvent is an event of a room, encrypted.
type RoomEvent struct {
	Room    matrix.RoomID
	ID      matrix.EventID
	Sender  matrix.UserID
	Content json.RawMessage
}

// Said is the content of the events of rooms: 200 characters.
var Said = json.RawMessage(`{"body":"` + strings.Repeat("ten chars ", 20) + `","msgtype":"m.text"}`)

// Room is a room that Alice writes in.
type Room struct {
	of     Device
	sender group.Sender
	events int
}

// NewRoom makes a session of a device's.
func NewRoom(of Device) (*Room, error) {
	s, err := group.NewSender(rand.Reader)
	return &Room{of: of, sender: s}, err
}

// Key is what is shared of the room's session.
func (r *Room) Key() (peer.RoomKey, error) {
	key, err := r.sender.Share()
	return peer.RoomKey{RoomID: roomID, SessionID: r.sender.ID().String(), SessionKey: base64.RawStdEncoding.EncodeToString(key)}, err
}

// Event is the next event.
func (r *Room) Event() (e RoomEvent, err error) {
	payload, err := json.Marshal(map[string]any{"type": "m.room.message", "content": Said, "room_id": roomID})
	if err != nil {
		return e, err
	}
	next, message, err := r.sender.Encrypt(payload)
	if err != nil {
		return e, err
	}
	content, err := json.Marshal(map[string]string{
		"algorithm": "m.megolm.v1.aes-sha2", "sender_key": r.of.Curve25519, "device_id": string(r.of.ID),
		"session_id": r.sender.ID().String(), "ciphertext": base64.RawStdEncoding.EncodeToString(message),
	})
	r.sender = next
	r.events++
	id := matrix.EventID(fmt.Sprintf("$%043d", r.events))
	return RoomEvent{roomID, id, r.of.User, content}, err
}

// writeRoom measures encrypting events, after the room's key was shared with Alice.
func (s System) writeRoom(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	bob, alice, err := s.acquainted(ctx, t.Dir)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	share, err := bob.Share(roomID, []Device{alice.Device()})
	if err == nil {
		err = share(ctx)
	}
	if err != nil {
		return o, err
	}
	calls := make([]Call, t.Messages)
	for i := range calls {
		if calls[i], err = bob.Write(roomID, Said); err != nil {
			return o, err
		}
	}
	return measured(ctx, calls)
}

// readRoom measures decrypting Alice's events, one after the other.
func (s System) readRoom(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	bob, alice, err := s.acquainted(ctx, t.Dir)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	room, err := NewRoom(alice.Device())
	if err != nil {
		return o, err
	}
	if err := alice.shares(ctx, room, bob); err != nil {
		return o, err
	}
	calls := make([]Call, t.Messages)
	for i := range calls {
		e, err := room.Event()
		if err != nil {
			return o, err
		}
		if calls[i], err = bob.Read(e); err != nil {
			return o, err
		}
	}
	return measured(ctx, calls)
}

// shares gives Bob the key of a room.
func (a *Alice) shares(ctx context.Context, r *Room, bob Bob) error {
	key, err := r.Key()
	if err != nil {
		return err
	}
	e, err := a.Event(ctx, peer.Sharing, key)
	if err != nil {
		return err
	}
	call, err := bob.Sync([]json.RawMessage{e}, peer.Sharing)
	if err != nil {
		return err
	}
	return call(ctx)
}

// measured measures calls that deal with a message each.
func measured(ctx context.Context, calls []Call) (o peer.Outcome, err error) {
	meter := peer.NewMeter(len(calls))
	for _, call := range calls {
		if err := meter.Call(func() error { return call(ctx) }); err != nil {
			return o, err
		}
	}
	return meter.Stop(len(calls)), nil
}

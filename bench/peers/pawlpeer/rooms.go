package pawlpeer

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// settings let one session serve for all that is measured, as the others' do.
var settings = pawl.RoomSettings{Messages: group.MaxMessages, Strategy: group.AllDevices}

// Share does what a client does until sharing is done.
func (b *bob) Share(room matrix.RoomID, devices []stored.Device) (stored.Call, error) {
	members := users(devices)
	return func(ctx context.Context) error {
		for range 5 {
			s, err := b.machine.ShareRoomKey(ctx, room, members, settings)
			if err != nil || s.Done {
				return err
			}
			if err := b.send(ctx, s.Requests); err != nil {
				return err
			}
		}
		return errors.New("sharing comes to no end")
	}, nil
}

func (b *bob) Told() (int, error) { return stored.Told(b.server.sent) }

func users(devices []stored.Device) []matrix.UserID {
	members := make([]matrix.UserID, len(devices))
	for i, d := range devices {
		members[i] = d.User
	}
	return members
}

// Claim is the answer to the claims that sharing a room's key made.
func (b *bob) Claim(ctx context.Context, devices []stored.Device, claimed []stored.Claim) (stored.Call, error) {
	s, err := b.machine.ShareRoomKey(ctx, "!claims:example.org", users(devices), settings)
	if err != nil {
		return nil, err
	}
	if len(s.Requests) != 1 || s.Requests[0].Kind != pawl.KeysClaim {
		return nil, errors.New("sharing does not begin with one claim")
	}
	answer, err := claims(claimed)
	return func(ctx context.Context) error { return b.machine.MarkSent(ctx, s.Requests[0].ID, answer) }, err
}

// Missing begins to share a room's key, which asks for the sessions that are missing.
func (b *bob) Missing(users []matrix.UserID) (stored.Call, error) {
	return func(ctx context.Context) error {
		s, err := b.machine.ShareRoomKey(ctx, "!missing:example.org", users, settings)
		b.asked = s.Requests
		return err
	}, nil
}

// Lacking counts the devices in all claims that were made.
func (b *bob) Lacking(ctx context.Context) (n int, err error) {
	rest, err := b.machine.OutgoingRequests(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range append(b.asked, rest...) {
		var asked struct {
			Claims map[matrix.UserID]map[matrix.DeviceID]string `json:"one_time_keys"`
		}
		if r.Kind != pawl.KeysClaim {
			continue
		}
		if err := json.Unmarshal(r.Body, &asked); err != nil {
			return 0, err
		}
		for _, devices := range asked.Claims {
			n += len(devices)
		}
	}
	return n, nil
}

func (b *bob) Write(room matrix.RoomID, content json.RawMessage) (stored.Call, error) {
	return func(ctx context.Context) error {
		_, err := b.machine.EncryptRoomEvent(ctx, room, "m.room.message", content)
		return err
	}, nil
}

func (b *bob) Read(e stored.RoomEvent) (stored.Call, error) {
	event := pawl.RoomEvent{Room: e.Room, ID: e.ID, Sender: e.Sender, Content: e.Content}
	return func(ctx context.Context) error {
		_, err := b.machine.DecryptRoomEvent(ctx, event)
		return err
	}, nil
}

//go:build peers

package mautrix

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/matrix"
)

// messagesOfSession lets one session serve for all that is measured.
const messagesOfSession = 10_000

// errLacks: see lacks.
var errLacks = errors.New("mautrix-go does not do this by itself")

func (b *bob) Share(room matrix.RoomID, devices []stored.Device) (stored.Call, error) {
	b.state.Encryption[id.RoomID(room)] = &event.EncryptionEventContent{
		Algorithm: id.AlgorithmMegolmV1, RotationPeriodMessages: messagesOfSession,
	}
	users := make([]id.UserID, 0, len(devices))
	for _, d := range devices {
		if user := id.UserID(d.User); !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	return func(ctx context.Context) error {
		return b.machine.ShareGroupSession(ctx, id.RoomID(room), users)
	}, nil
}

func (b *bob) Told() (int, error) { return stored.Told(b.server.sent) }

func (b *bob) Claim(context.Context, []stored.Device, []stored.Claim) (stored.Call, error) {
	return nil, errLacks
}

func (b *bob) Missing([]matrix.UserID) (stored.Call, error) { return nil, errLacks }

func (b *bob) Lacking(context.Context) (int, error) { return 0, errLacks }

func (b *bob) Write(room matrix.RoomID, content json.RawMessage) (stored.Call, error) {
	return func(ctx context.Context) error {
		_, err := b.machine.EncryptMegolmEvent(ctx, id.RoomID(room), event.EventMessage, content)
		return err
	}, nil
}

func (b *bob) Read(e stored.RoomEvent) (stored.Call, error) {
	encrypted := &event.Event{
		RoomID: id.RoomID(e.Room), ID: id.EventID(e.ID), Sender: id.UserID(e.Sender), Type: event.EventEncrypted,
		Content: event.Content{VeryRaw: e.Content},
	}
	if err := encrypted.Content.ParseRaw(event.EventEncrypted); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := b.machine.DecryptMegolmEvent(ctx, encrypted)
		return err
	}, nil
}

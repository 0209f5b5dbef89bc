package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// said is the content of the events of rooms: 200 characters.
var said = json.RawMessage(`{"body":"` + strings.Repeat("ten chars ", 20) + `","msgtype":"m.text"}`)

// system is a kind of bot.
type system struct {
	name string // unique in the program, for entries' ids
	row  result.Row
	open func(ctx context.Context, dir string, s *server) (*bot, error)
}

// bot is a client of Bob's device with its encryption.
type bot struct {
	client *mautrix.Client
	rooms  *mautrix.MemoryStateStore
	keys   crypto.Store // what it has
	since  string

	// say sends a message to a room: it encrypts, and gives the room's key to whom it is
	// to be given.
	say func(ctx context.Context, room id.RoomID) error
	// take prepares to take in a response, of which the next request's token is given. What
	// it returns ends when all is stored that is ever going to be.
	take func(response []byte, next string) (call, error)
	// meet lets it know the devices of a user.
	meet  func(ctx context.Context, user matrix.UserID) error
	close func() error
}

type call func(context.Context) error

// newClient is a client of a device, with a StateStore in memory.
func newClient(s *server, user matrix.UserID, device matrix.DeviceID) (*mautrix.Client, *mautrix.MemoryStateStore, error) {
	c, err := mautrix.NewClient(s.URL, id.UserID(user), token(user, device))
	if err != nil {
		return nil, nil, err
	}
	c.DeviceID, c.Log = id.DeviceID(device), zerolog.Nop()
	state := mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
	c.StateStore = state
	return c, state, nil
}

// enter has the client know that users are in an encrypted room, whose sessions serve for
// all that is measured.
func (b *bot) enter(ctx context.Context, room id.RoomID, users ...matrix.UserID) error {
	err := b.rooms.SetEncryptionEvent(ctx, room, &event.EncryptionEventContent{
		Algorithm: id.AlgorithmMegolmV1, RotationPeriodMessages: group.MaxMessages,
	})
	for _, u := range append(users, bob) {
		err = errors.Join(err, b.rooms.SetMembership(ctx, room, id.UserID(u), event.MembershipJoin))
	}
	return errors.Join(err, b.rooms.MarkMembersFetched(ctx, room))
}

// send is how programs of mautrix-go send: the client encrypts, with its helper.
func (b *bot) send(ctx context.Context, room id.RoomID) error {
	_, err := b.client.SendMessageEvent(ctx, room, event.EventMessage, said)
	return err
}

// process is how programs of mautrix-go take in a response, but for its parsing.
func (b *bot) process(response []byte, next string) (call, error) {
	parsed := &mautrix.RespSync{}
	if err := json.Unmarshal(response, parsed); err != nil {
		return nil, err
	}
	since := b.since
	b.since = next
	return func(ctx context.Context) error {
		if err := b.client.Store.SaveNextBatch(ctx, b.client.UserID, next); err != nil {
			return err
		}
		return b.client.Syncer.ProcessResponse(ctx, parsed, since)
	}, nil
}

// response is one with to-device events.
func response(next string, events ...json.RawMessage) ([]byte, error) {
	list, err := json.Marshal(events)
	return fmt.Appendf(nil, `{"next_batch":%q,"to_device":{"events":%s},%s}`, next, list, counts), err
}

// takes has a bot take in events at once.
func (b *bot) takes(ctx context.Context, next string, events ...json.RawMessage) error {
	body, err := response(next, events...)
	if err != nil {
		return err
	}
	do, err := b.take(body, next)
	if err != nil {
		return err
	}
	return do(ctx)
}

// has counts the room keys that the bot has.
func (b *bot) has(ctx context.Context, keys []peer.RoomKey) (n int, err error) {
	for _, k := range keys {
		igs, err := b.keys.GetGroupSession(ctx, id.RoomID(k.RoomID), id.SessionID(k.SessionID))
		if err != nil {
			return n, err
		}
		if igs != nil {
			n++
		}
	}
	return n, nil
}

// knows waits until Pawl knows all devices of a user.
func knows(ctx context.Context, m *pawl.Machine, user matrix.UserID) error {
	for {
		info, err := m.Devices(ctx, user)
		if err != nil || info.Current && len(info.Devices) > 0 {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

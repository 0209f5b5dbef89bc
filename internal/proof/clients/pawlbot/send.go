package pawlbot

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// send encrypts a message and sends it. An event that was encrypted goes out as it is
// until the server has it, under one transaction id.
func (c *client) send(ctx context.Context, room matrix.RoomID, body string) (matrix.EventID, error) {
	content, err := json.Marshal(message{"m.text", body})
	if err != nil {
		return "", err
	}
	if content, err = patiently(ctx, func() ([]byte, error) { return c.encrypt(ctx, room, content) }); err != nil {
		return "", err
	}
	path := "rooms/" + url.PathEscape(string(room)) + "/send/" + encryptedType + "/" + rand.Text()
	answer, err := patiently(ctx, func() ([]byte, error) { return c.server.ask(ctx, "PUT", path, content) })
	if err != nil {
		return "", err
	}
	var sent event
	err = json.Unmarshal(answer, &sent)
	return sent.ID, err
}

// encrypt shares the room's key with all who are there now, and encrypts a message.
// Another process may hear of a change in between, and then it is shared again.
func (c *client) encrypt(ctx context.Context, room matrix.RoomID, content []byte) ([]byte, error) {
	known, err := c.machine.Room(ctx, room)
	if err != nil {
		return nil, err
	}
	if !known.Encrypted {
		return nil, errors.New("the room is not known to be encrypted")
	}
	for {
		if err := c.share(ctx, room); err != nil {
			return nil, err
		}
		out, err := c.machine.EncryptRoomEvent(ctx, room, plainType, content)
		if !errors.Is(err, pawl.ErrNotShared) && !errors.Is(err, pawl.ErrRotate) {
			return out, err
		}
	}
}

// share gives the key to all devices that can be had.
func (c *client) share(ctx context.Context, room matrix.RoomID) error {
	for pause := pause(); ; {
		members, err := c.members(ctx, room) // of now: somebody may come meanwhile
		if err != nil {
			return err
		}
		s, err := c.machine.ShareRoomKey(ctx, room, members, pawl.RoomSettings{})
		for _, r := range s.Requests {
			_ = c.deliver(ctx, r) // what came of it is known to Pawl
		}
		if err != nil || s.Done {
			return err
		}
		if len(s.Requests) > 0 {
			continue
		}
		// Another process has them, or they have to wait.
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// members are those who are in a room and those who are invited.
func (c *client) members(ctx context.Context, room matrix.RoomID) ([]matrix.UserID, error) {
	path := "rooms/" + url.PathEscape(string(room)) + "/members"
	answer, err := c.server.ask(ctx, "GET", path, nil)
	if err != nil {
		return nil, err
	}
	var all struct{ Chunk []event }
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, err
	}
	var users []matrix.UserID
	for _, e := range all.Chunk {
		var is struct{ Membership pawl.Membership }
		if err := json.Unmarshal(e.Content, &is); err != nil {
			return nil, err
		}
		if is.Membership == pawl.Join || is.Membership == pawl.Invite {
			users = append(users, matrix.UserID(e.StateKey))
		}
	}
	return users, nil
}

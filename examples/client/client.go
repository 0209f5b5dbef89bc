package client

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// Client is a device: its keys, where it is logged in, and who reads what comes.
type Client struct {
	*pawl.Machine
	Homeserver
	Reader
	// Kept is a file for the response that is being handled, for a program that dies
	// over it. "": what it had not handled of the rooms is lost.
	Kept string

	unhandled *kept          // the response that is being handled; nil: none is
	waits     sync.WaitGroup // for room keys
}

// Reader is given what came. What fails comes again: it is called at least once for
// each event, and at the same time where an event had to wait for its key.
type Reader interface {
	// Message is given an event of a room that was read.
	Message(ctx context.Context, e pawl.RoomEvent, opened pawl.DecryptedRoomEvent) error
	// ToDevice is given a to-device event that is not Pawl's.
	ToDevice(ctx context.Context, e pawl.ToDeviceEvent) error
	// Invited is told of a room.
	Invited(ctx context.Context, room matrix.RoomID) error
}

// What failed is tried again after soonest, and after twice as long each time.
const (
	soonest = 100 * time.Millisecond
	latest  = time.Minute
)

// Run syncs until the context ends. Where the server or the store is away it tries
// again, at most a minute later.
func (c *Client) Run(ctx context.Context) error {
	defer c.waits.Wait()
	for wait := soonest; ctx.Err() == nil; {
		err := c.Once(ctx)
		if err == nil {
			wait = soonest
			continue
		}
		if ctx.Err() == nil {
			slog.WarnContext(ctx, "it is tried again", "in", wait, "error", err)
		}
		_ = pause(ctx, wait) // the loop ends with the context
		wait = min(2*wait, latest)
	}
	return ctx.Err()
}

// Event is an event of a room as the server has it.
type Event struct {
	Type    string          `json:"type"`
	ID      matrix.EventID  `json:"event_id"`
	Room    matrix.RoomID   `json:"room_id"`
	Sender  matrix.UserID   `json:"sender"`
	Content json.RawMessage `json:"content"`
}

// Encrypted is the event as a Machine reads it, if it is of m.room.encrypted.
func (e Event) Encrypted() (pawl.RoomEvent, bool) {
	return pawl.RoomEvent{Room: e.Room, ID: e.ID, Sender: e.Sender, Content: e.Content}, e.Type == "m.room.encrypted"
}

// handle hands on what is the program's: to-device events, invitations, and the
// events of rooms.
func (c *Client) handle(ctx context.Context, events []pawl.ToDeviceEvent, response []byte) error {
	for _, e := range events {
		if err := c.ToDevice(ctx, e); err != nil {
			return err
		}
	}
	var news struct {
		Rooms struct {
			Join   map[matrix.RoomID]struct{ Timeline struct{ Events []Event } }
			Invite map[matrix.RoomID]json.RawMessage
		}
	}
	if err := json.Unmarshal(response, &news); err != nil {
		return err
	}
	for room := range news.Rooms.Invite {
		if err := c.Invited(ctx, room); err != nil {
			return err
		}
	}
	for room, joined := range news.Rooms.Join {
		for _, e := range joined.Timeline.Events {
			e.Room = room // which the events of a sync do not name
			if encrypted, ok := e.Encrypted(); ok {
				if err := c.Read(ctx, encrypted); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Members are those who are in a room.
func (c *Client) Members(ctx context.Context, room matrix.RoomID) ([]matrix.UserID, error) {
	answer, err := c.Do(ctx, "GET", "/_matrix/client/v3/rooms/"+url.PathEscape(string(room))+"/joined_members", nil)
	var in struct {
		Joined map[matrix.UserID]json.RawMessage
	}
	if err == nil {
		err = json.Unmarshal(answer, &in)
	}
	var members []matrix.UserID
	for user := range in.Joined {
		members = append(members, user)
	}
	return members, err
}

// tell says that an event could not be read.
func (c *Client) tell(ctx context.Context, e pawl.RoomEvent, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		slog.WarnContext(ctx, "an event is not read", "room", e.Room, "event", e.ID, "code", pawl.CodeOf(err))
	}
}

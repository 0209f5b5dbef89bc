package pawlbot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/matrix"
)

// The types of events that are looked at.
const (
	plainType     = "m.room.message"
	encryptedType = "m.room.encrypted"
)

// event is one of a room.
type event struct {
	ID       matrix.EventID `json:"event_id"`
	Type     string
	Sender   matrix.UserID
	StateKey string `json:"state_key"`
	Content  json.RawMessage
}

// message is the content of an m.text.
type message struct {
	Type string `json:"msgtype"`
	Body string `json:"body"`
}

// showOne tells an event of a sync. One that has no key yet is told once more when it
// has come, to whichever process.
func (c *client) showOne(ctx context.Context, room matrix.RoomID, e event) {
	tell := func(body string, err error) {
		told := bot.Event{Name: "message", Room: string(room), Event: string(e.ID), Sender: string(e.Sender), Body: body, Encrypted: e.Type == encryptedType}
		if err != nil {
			told.Name, told.Error = "undecryptable", err.Error()
		}
		c.tell(told)
	}
	if e.Type != plainType && e.Type != encryptedType {
		return
	}
	body, err := c.open(ctx, room, e)
	tell(body, err)
	if !errors.Is(err, group.ErrNoKey) {
		return
	}
	c.busy.Go(func() {
		if body, err := c.openLater(c.life, room, e); err == nil {
			tell(body, nil)
		}
	})
}

// open returns the text of a message.
func (c *client) open(ctx context.Context, room matrix.RoomID, e event) (string, error) {
	content := e.Content
	if e.Type == encryptedType {
		d, err := patiently(ctx, func() (pawl.DecryptedRoomEvent, error) {
			return c.machine.DecryptRoomEvent(ctx, pawl.RoomEvent{Room: room, ID: e.ID, Sender: e.Sender, Content: e.Content})
		})
		if err != nil {
			return "", err
		}
		if d.Type != plainType {
			return "", fmt.Errorf("a %s was encrypted", d.Type)
		}
		content = d.Content
	}
	var m message
	err := json.Unmarshal(content, &m)
	return m.Body, err
}

// openLater is open that waits for the key, until ctx ends.
func (c *client) openLater(ctx context.Context, room matrix.RoomID, e event) (string, error) {
	for {
		body, err := c.open(context.WithoutCancel(ctx), room, e)
		if !errors.Is(err, group.ErrNoKey) {
			return body, err
		}
		var within struct {
			Session string `json:"session_id"`
		}
		if err := json.Unmarshal(e.Content, &within); err != nil {
			return "", err
		}
		session, malformed := group.ParseSessionID(within.Session)
		if malformed != nil {
			return "", malformed
		}
		if _, never := patiently(ctx, func() (struct{}, error) {
			return struct{}{}, c.machine.WaitForRoomKey(ctx, room, session, e.Sender)
		}); never != nil {
			return "", fmt.Errorf("%w; waiting for it: %w", err, never)
		}
	}
}

// read fetches an event and reads it, as an extension does that is told of it by a
// push message.
func (c *client) read(ctx context.Context, room matrix.RoomID, id matrix.EventID, timeout time.Duration) (a bot.Answer, err error) {
	path := "rooms/" + url.PathEscape(string(room)) + "/event/" + url.PathEscape(string(id))
	text, err := patiently(ctx, func() ([]byte, error) { return c.server.ask(ctx, "GET", path, nil) })
	if err != nil {
		return a, err
	}
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body, err := c.openLater(ctx, room, e)
	return bot.Answer{Body: body, Sender: string(e.Sender)}, err
}

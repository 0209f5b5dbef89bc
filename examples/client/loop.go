package client

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
)

// Once sends what is to be sent, syncs once, and handles what came. After an error
// it is called again, and handles the same response again.
func (c *Client) Once(ctx context.Context) error {
	if err := c.Send(ctx); err != nil {
		return err
	}
	ticket, response, err := c.next(ctx) // NextSync, and GET /sync from ticket.Since on
	if err != nil {
		return err
	}
	got, err := c.ReceiveSync(ctx, ticket, response) // then the token is stored
	if errors.Is(err, pawl.ErrResponse) {
		return errors.Join(err, c.done()) // of a proxy, perhaps: the server is asked again
	}
	if err != nil {
		return err
	}
	for _, r := range got.Refused {
		slog.WarnContext(ctx, "a to-device event was not taken", "sender", r.Sender, "code", pawl.CodeOf(r.Err))
	}
	if err := c.handle(ctx, got.Events, response); err != nil { // Read, for those of rooms
		return err
	}
	for _, e := range got.Events {
		if e.Encrypted {
			err = errors.Join(err, c.Acknowledge(ctx, e.Receipt))
		}
	}
	return errors.Join(err, c.done())
}

// Read decrypts an event of a room and hands it on. One without a key waits for it
// for an hour, whichever process it comes to.
func (c *Client) Read(ctx context.Context, e pawl.RoomEvent) error {
	opened, err := c.DecryptRoomEvent(ctx, e)
	if err == nil {
		return c.Message(ctx, e, opened)
	}
	if session, bad := e.Session(); bad == nil && errors.Is(err, group.ErrNoKey) {
		c.waits.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			err := c.WaitForRoomKey(ctx, e.Room, session, e.Sender)
			if err == nil {
				err = c.Read(ctx, e)
			}
			c.tell(ctx, e, err)
		})
		return nil
	}
	switch pawl.CodeOf(err).Remedy() {
	case pawl.RemedyNone, pawl.RemedyCall, pawl.RemedyRepair: // it is about this event
		c.tell(ctx, e, err)
		return nil
	}
	return err // of the store: the event comes again
}

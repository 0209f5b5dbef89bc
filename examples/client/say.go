package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// Say sends an event to the members of an encrypted room. Said again under the same
// name it is one event: servers know the transactions of the last half hour.
func (c *Client) Say(ctx context.Context, room matrix.RoomID, name, eventType string, content json.RawMessage) error {
	for {
		members, err := c.Members(ctx, room) // of now: somebody may come while requests are under way
		if err != nil {
			return err
		}
		sharing, err := c.ShareRoomKey(ctx, room, members, pawl.RoomSettings{})
		if err != nil {
			return err
		}
		if err := c.Deliver(ctx, sharing.Requests); err != nil {
			return err
		}
		if !sharing.Done {
			if len(sharing.Requests) == 0 { // they are another process's, or the server asked to wait
				if err := pause(ctx, time.Second); err != nil {
					return err
				}
			}
			continue
		}
		encrypted, err := c.EncryptRoomEvent(ctx, room, eventType, content)
		if err == nil {
			path := "/_matrix/client/v3/rooms/" + url.PathEscape(string(room)) + "/send/m.room.encrypted/" + url.PathEscape(name)
			_, err = c.Do(ctx, "PUT", path, encrypted)
			return err
		}
		if !errors.Is(err, pawl.ErrNotShared) && !errors.Is(err, pawl.ErrRotate) {
			return err // else somebody came, left or has a new device
		}
	}
}

// pause waits, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

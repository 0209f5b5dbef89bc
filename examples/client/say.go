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
	members, err := c.Members(ctx, room)
	for err == nil {
		var sharing pawl.Sharing
		if sharing, err = c.ShareRoomKey(ctx, room, members, pawl.RoomSettings{}); err != nil {
			break
		}
		if err = c.Deliver(ctx, sharing.Requests); err != nil {
			break
		}
		if !sharing.Done {
			if len(sharing.Requests) == 0 { // they are another process's, or the server asked to wait
				err = pause(ctx, time.Second)
			}
			continue
		}
		var encrypted json.RawMessage
		encrypted, err = c.EncryptRoomEvent(ctx, room, eventType, content)
		if err == nil {
			path := "/_matrix/client/v3/rooms/" + url.PathEscape(string(room)) + "/send/m.room.encrypted/" + url.PathEscape(name)
			_, err = c.Do(ctx, "PUT", path, encrypted)
			return err
		}
		if errors.Is(err, pawl.ErrNotShared) || errors.Is(err, pawl.ErrRotate) {
			members, err = c.Members(ctx, room) // somebody came, left or has a new device
		}
	}
	return err
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

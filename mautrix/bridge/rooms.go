package pawlbridge

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// Decrypt implements matrix.Crypto.
func (c *bridgeCrypto) Decrypt(ctx context.Context, evt *event.Event) (*event.Event, error) {
	run := c.running()
	if run == nil {
		return nil, pawlmautrix.ErrNotReady
	}
	d, err := run.helper.Decrypt(ctx, evt)
	if errors.Is(err, matrix.NoSessionFound) {
		run.missed.late()
	}
	return d, err
}

// Encrypt implements matrix.Crypto: the content becomes what is to be sent.
func (c *bridgeCrypto) Encrypt(ctx context.Context, room id.RoomID, kind event.Type, content *event.Content) error {
	h, err := c.helper()
	if err != nil {
		return err
	}
	encrypted, err := h.Encrypt(ctx, room, kind, content)
	if err != nil {
		return err
	}
	content.Parsed, content.Raw, content.VeryRaw = encrypted, nil, nil
	return nil
}

// WaitForSession implements matrix.Crypto.
func (c *bridgeCrypto) WaitForSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, timeout time.Duration) bool {
	h, err := c.helper()
	return err == nil && h.WaitForSession(ctx, room, sender, session, timeout)
}

// RequestSession implements matrix.Crypto.
func (c *bridgeCrypto) RequestSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, user id.UserID, device id.DeviceID) {
	if h, err := c.helper(); err == nil {
		h.RequestSession(ctx, room, sender, session, user, device)
	}
}

// ResetSession implements matrix.Crypto.
func (c *bridgeCrypto) ResetSession(ctx context.Context, room id.RoomID) {
	h, err := c.helper()
	if err == nil {
		err = h.ResetSession(ctx, room)
	}
	if err != nil {
		c.log.Err(err).Stringer("room_id", room).Msg("Failed to give up the session that a room's events are encrypted in")
	}
}

// HandleMemberEvent implements matrix.Crypto.
func (c *bridgeCrypto) HandleMemberEvent(ctx context.Context, evt *event.Event) {
	h, err := c.helper()
	if err == nil {
		err = h.HandleMemberEvent(ctx, evt)
	}
	if err != nil {
		c.log.Err(err).Stringer("room_id", evt.RoomID).Msg("Failed to store who is in a room")
	}
}

// roomChanged is told of a room's settings for encryption.
func (c *bridgeCrypto) roomChanged(_ context.Context, evt *event.Event) {
	if h, err := c.helper(); err == nil {
		h.RoomChanged(evt.RoomID)
	}
}

// ShareKeys implements matrix.Crypto.
func (c *bridgeCrypto) ShareKeys(ctx context.Context) error {
	h, err := c.helper()
	if err != nil {
		return err
	}
	return h.ShareKeys(ctx)
}

// BeeperStreamPublisher implements matrix.Crypto.
func (c *bridgeCrypto) BeeperStreamPublisher() bridgev2.BeeperStreamPublisher {
	if run := c.running(); run != nil {
		return run.streams
	}
	return nil
}

// resync asks for the settings of rooms that the StateStore has marked: it once stored
// that a room is encrypted, and not how.
func (c *bridgeCrypto) resync(run *running) {
	const marked = `encryption='{"resync":true}'`
	db := c.bridge.StateStore
	rows, err := db.Query(run.ctx, "SELECT room_id FROM mx_room_state WHERE "+marked)
	rooms, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[id.RoomID], err).AsList()
	if err != nil {
		c.log.Err(err).Msg("Failed to look for rooms whose settings are to be asked for")
		return
	}
	for _, room := range rooms {
		var content event.EncryptionEventContent
		err := run.client.StateEvent(run.ctx, room, event.StateEncryption, "", &content)
		if err == nil {
			err = db.SetEncryptionEvent(run.ctx, room, &content)
			run.helper.RoomChanged(room)
		} else if run.ctx.Err() == nil {
			_, noted := db.Exec(run.ctx, "UPDATE mx_room_state SET encryption=NULL WHERE room_id=$1 AND "+marked, room)
			if noted != nil {
				err = noted
			}
		}
		if err != nil {
			c.log.Err(err).Stringer("room_id", room).Msg("Failed to get a room's settings for encryption")
		}
	}
}

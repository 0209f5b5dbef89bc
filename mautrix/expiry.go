package pawlmautrix

import (
	"context"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/group"
)

// keepExpiry stores when a room key came, or was made here, and how long its room uses
// one, if that is to be stored. A key that comes anew may reach further back: its time
// stays.
func (h *CryptoHelper) keepExpiry(ctx context.Context, room id.RoomID, session id.SessionID, came bool) error {
	if !h.KeepExpiry || !came && h.olm.DontStoreOutboundKeys {
		return nil
	}
	had, there, err := read[inbound](ctx, h.keys, spaceInbound, string(session))
	if err != nil || there && !had.ReceivedAt.IsZero() && had.MaxAge > 0 {
		return err
	}
	most, age, err := h.lifeOf(ctx, room)
	if err != nil {
		return err
	}
	return change(ctx, h.keys, spaceInbound, string(session), func(v *inbound, had bool) (bool, error) {
		if !had {
			v.Source = id.KeySourceDirect
		}
		if v.ReceivedAt.IsZero() {
			v.ReceivedAt = time.Now()
		}
		if v.MaxAge == 0 {
			v.MaxAge = age.Milliseconds()
		}
		if v.MaxMessages == 0 {
			v.MaxMessages = most
		}
		return true, nil
	})
}

// lifeOf is how many messages, and how long, a room uses a key: what mautrix-go takes for
// a room that does not say.
func (h *CryptoHelper) lifeOf(ctx context.Context, room id.RoomID) (most int, age time.Duration, err error) {
	most, age = group.DefaultMessages, group.DefaultAge
	encryption, err := h.olm.StateStore.GetEncryptionEvent(ctx, room)
	if err != nil || encryption == nil {
		return most, age, err
	}
	if encryption.RotationPeriodMessages > 0 {
		most = encryption.RotationPeriodMessages
	}
	if encryption.RotationPeriodMillis > 0 {
		age = time.Duration(min(encryption.RotationPeriodMillis, group.MaxAge.Milliseconds())) * time.Millisecond
	}
	return most, age, nil
}

package pawlmautrix

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// What an application service's transactions bring one by one, once mautrix-go has
// answered them.

// transactionTypes are the to-device events that are Pawl's or Machine()'s.
var transactionTypes = []event.Type{
	event.ToDeviceEncrypted, event.ToDeviceRoomKeyRequest, event.ToDeviceRoomKeyWithheld, event.ToDeviceOrgMatrixRoomKeyWithheld,
	event.ToDeviceBeeperRoomKeyAck, event.ToDeviceSecretRequest, event.ToDeviceVerificationRequest, event.ToDeviceVerificationReady,
	event.ToDeviceVerificationStart, event.ToDeviceVerificationAccept, event.ToDeviceVerificationKey, event.ToDeviceVerificationMAC,
	event.ToDeviceVerificationDone, event.ToDeviceVerificationCancel,
}

// listenTo takes in what comes by an event processor; nil: the program calls
// ReceiveTransaction and the like by itself.
func (h *CryptoHelper) listenTo(ep crypto.ASEventProcessor) {
	if ep == nil {
		return
	}
	for _, kind := range transactionTypes {
		ep.On(kind, h.takeEvent)
	}
	ep.OnOTK(func(ctx context.Context, counts *mautrix.OTKCount) {
		h.takeTransaction(ctx, map[string]any{"org.matrix.msc3202.device_one_time_keys_count": map[id.UserID]any{
			counts.UserID: map[id.DeviceID]any{counts.DeviceID: map[string]int{"signed_curve25519": counts.SignedCurve25519}},
		}})
	})
	ep.OnDeviceList(func(ctx context.Context, lists *mautrix.DeviceLists, _ string) {
		h.takeTransaction(ctx, map[string]any{"org.matrix.msc3202.device_lists": lists})
	})
	ep.On(event.StateMember, func(ctx context.Context, evt *event.Event) {
		err := waiting(ctx, h.log, "Failed to store who is in a room, trying again", notFinal, func() error { return h.HandleMemberEvent(ctx, evt) })
		if err != nil {
			h.log.Warn().Err(err).Stringer("room_id", evt.RoomID).Msg("Failed to store who is in a room")
		}
	})
	changed := func(_ context.Context, evt *event.Event) { h.RoomChanged(evt.RoomID) }
	ep.On(event.StateHistoryVisibility, changed)
	ep.On(event.StateEncryption, changed)
	ep.On(event.EventEncrypted, h.HandleEncrypted)
}

// takeEvent takes in a to-device event, as it came.
func (h *CryptoHelper) takeEvent(ctx context.Context, evt *event.Event) {
	content := evt.Content.VeryRaw
	if content == nil {
		var err error
		if content, err = json.Marshal(&evt.Content); err != nil {
			h.log.Warn().Err(err).Str("type", evt.Type.Type).Msg("A to-device event has no content")
			return
		}
	}
	h.takeTransaction(ctx, map[string]any{"de.sorunome.msc2409.to_device": []any{map[string]any{
		"type": evt.Type.Type, "sender": evt.Sender, "to_user_id": evt.ToUserID, "to_device_id": evt.ToDeviceID, "content": content,
	}}})
}

// takeTransaction takes in a part of a transaction, which does not come again: a store
// that is away is waited for.
func (h *CryptoHelper) takeTransaction(ctx context.Context, part map[string]any) {
	body, err := json.Marshal(part)
	if err == nil {
		err = waiting(ctx, h.log, "Failed to store what a transaction brought, trying again", notFinal, func() error {
			return h.ReceiveTransaction(ctx, rand.Text(), body)
		})
	}
	if err != nil {
		h.log.Err(err).Msg("Failed to store what a transaction brought")
	}
}

func notFinal(err error) bool { return !final(err) }

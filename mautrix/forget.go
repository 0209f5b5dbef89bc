package pawlmautrix

import (
	"context"
	"slices"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/ratchet"
)

// keysCame does what fields of mautrix-go's machine say is to be done with room keys that
// came.
func (r *receiver) keysCame(ctx context.Context, came []pawl.ReceivedRoomKey) {
	for _, c := range came {
		if err := r.expiry(ctx, id.RoomID(c.Room), id.SessionID(c.Session.String()), true); err != nil {
			r.log.Warn().Err(err).Msg("Failed to store when a room key came")
		}
	}
	if r.olm.SessionReceived == nil && !r.olm.DeletePreviousKeysOnReceive {
		return
	}
	for _, c := range came {
		key, err := r.machine.RoomKey(ctx, c.Session)
		if err != nil {
			continue // given up meanwhile
		}
		session := id.SessionID(c.Session.String())
		if r.olm.DeletePreviousKeysOnReceive && key.Source.Provenance == group.Direct {
			sender := id.SenderKey(key.Source.Sender.String())
			if _, err := r.keys.redact(ctx, "received new key from device", func(igs *crypto.InboundGroupSession) bool {
				return string(igs.RoomID) == string(c.Room) && igs.SenderKey == sender && igs.ID() != session && igs.KeySource != id.KeySourceForward
			}); err != nil {
				r.log.Warn().Err(err).Msg("Failed to delete a device's previous room keys")
			}
		}
		if r.olm.SessionReceived != nil {
			r.olm.SessionReceived(ctx, id.RoomID(c.Room), session, key.Key.Index())
		}
	}
}

// missedMost is how many messages behind the newest one is waited for, as in mautrix-go.
const missedMost = 10

// read does what fields of mautrix-go's machine say is to be done with a room key that
// has read an event.
func (h *CryptoHelper) read(ctx context.Context, evt *event.Event, d pawl.DecryptedRoomEvent) error {
	if h.olm.DisableRatchetTracking || !h.olm.RatchetKeysOnDecrypt && !h.olm.DeleteFullyUsedKeysOnDecrypt {
		return nil
	}
	most, err := h.mostMessages(ctx, evt.RoomID)
	if err != nil {
		return err
	}
	session := id.SessionID(d.Session.String())
	var safety crypto.RatchetSafety
	err = change(ctx, h.keys, spaceInbound, string(session), func(v *inbound, had bool) (bool, error) {
		if !had {
			v.Source, v.ReceivedAt = sourceOf(d.Provenance), time.Now()
		}
		if v.MaxMessages > 0 {
			most = v.MaxMessages
		}
		v.Safety = seen(v.Safety, uint(d.Index))
		safety = v.Safety
		return true, nil
	})
	if err != nil {
		return err
	}
	from := safety.NextIndex
	if len(safety.MissedIndices) > 0 {
		from = safety.MissedIndices[0]
	}
	switch {
	case h.olm.DeleteFullyUsedKeysOnDecrypt && most > 0 && len(safety.MissedIndices) == 0 && from >= uint(most):
		return h.keys.RedactGroupSession(ctx, evt.RoomID, session, "maximum messages reached")
	case h.olm.RatchetKeysOnDecrypt && from > 0:
		_, err = h.keys.machine.ForgetRoomKeys(ctx, pawl.Forgetting{Session: d.Session, Below: uint64(from)})
	}
	return err
}

// seen notes that a message was read.
func seen(s crypto.RatchetSafety, index uint) crypto.RatchetSafety {
	s.MissedIndices = slices.Clone(s.MissedIndices)
	if index < s.NextIndex {
		s.MissedIndices = slices.DeleteFunc(s.MissedIndices, func(i uint) bool { return i == index })
	} else {
		for i := max(s.NextIndex, index-min(index, missedMost)); i < index; i++ {
			s.MissedIndices = append(s.MissedIndices, i)
		}
		s.NextIndex = index + 1
	}
	for len(s.MissedIndices) > 0 && s.MissedIndices[0]+missedMost < s.NextIndex {
		s.LostIndices, s.MissedIndices = append(s.LostIndices, s.MissedIndices[0]), s.MissedIndices[1:]
	}
	return s
}

// mostMessages is how many messages a session of a room has at most; 0: nobody knows.
func (h *CryptoHelper) mostMessages(ctx context.Context, room id.RoomID) (int, error) {
	encryption, err := h.olm.StateStore.GetEncryptionEvent(ctx, room)
	switch {
	case err != nil || encryption == nil:
		return 0, err
	case encryption.RotationPeriodMessages == 0:
		return group.DefaultMessages, nil
	}
	return encryption.RotationPeriodMessages, nil
}

// forgetOwn gives up the own copy of a session that a room key was shared of.
func (h *CryptoHelper) forgetOwn(ctx context.Context, session group.SessionID) error {
	if !h.olm.DontStoreOutboundKeys {
		return nil
	}
	_, err := h.keys.machine.ForgetRoomKeys(ctx, pawl.Forgetting{Session: session})
	return err
}

// forgetGone gives up the room keys of devices that were deleted, once a field of
// mautrix-go's machine says so: whichever process hears that one is gone.
func (h *CryptoHelper) forgetGone() {
	if !h.olm.DeleteKeysOnDeviceDelete || !h.watching.CompareAndSwap(false, true) {
		return
	}
	h.sender.ended.Go(func() {
		for e, err := range h.keys.machine.Events(h.sender.ctx, "") {
			if err != nil {
				if h.sender.ctx.Err() == nil {
					h.log.Warn().Err(err).Msg("Failed to look for devices that were deleted")
				}
				h.watching.Store(false)
				return
			}
			if e.Kind != pawl.EventDevice || e.Device.Gone.IsZero() || e.Device.Curve25519 == (ratchet.PublicKey{}) || !h.olm.DeleteKeysOnDeviceDelete {
				continue
			}
			if _, err := h.keys.machine.ForgetRoomKeys(h.sender.ctx, pawl.Forgetting{Device: e.Device.Curve25519}); err != nil {
				h.log.Warn().Err(err).Msg("Failed to delete the room keys of a device that was deleted")
			}
		}
	})
}

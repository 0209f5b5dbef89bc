package pawlmautrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// Decrypt decrypts an event of a room. Errors are those of Machine.DecryptRoomEvent,
// and satisfy errors.Is with mautrix-go's too: crypto.ErrNoSessionFound,
// crypto.ErrGroupSessionWithheld, crypto.ErrDuplicateMessageIndex, crypto.ErrWrongRoom,
// olm.ErrUnknownMessageIndex, and so on.
func (h *CryptoHelper) Decrypt(ctx context.Context, evt *event.Event) (decrypted *event.Event, err error) {
	err = h.call(ctx, func(ctx context.Context, m *pawl.Machine) (err error) {
		decrypted, err = h.decryptWith(ctx, m, evt)
		return err
	})
	return decrypted, err
}

func (h *CryptoHelper) decryptWith(ctx context.Context, m *pawl.Machine, evt *event.Event) (*event.Event, error) {
	if evt == nil {
		return nil, crypto.ErrIncorrectEncryptedContentType
	}
	content, err := evt.Content.VeryRaw, error(nil)
	if content == nil {
		if content, err = json.Marshal(&evt.Content); err != nil {
			return nil, fmt.Errorf("%w: %w", crypto.ErrIncorrectEncryptedContentType, err)
		}
	}
	if err := h.checkFields(); err != nil {
		return nil, err
	}
	of := pawl.RoomEvent{
		Room: h.encryptedIn(evt), ID: matrix.EventID(evt.ID), Sender: matrix.UserID(evt.Sender), Content: content,
		AllowMismatched: true, // as mautrix-go does: bridges encrypt for others
	}
	d, err := m.DecryptRoomEvent(ctx, of)
	if err == nil && d.Sender.State == pawl.DeviceUnknown && h.askFor(ctx, m, of.Sender) {
		d, err = m.DecryptRoomEvent(ctx, of)
	}
	if err == nil {
		err = h.read(ctx, evt, d)
	}
	if err != nil {
		return nil, asMautrix(err)
	}
	out := &event.Event{
		Sender: evt.Sender, Type: event.Type{Type: d.Type, Class: evt.Type.Class}, Timestamp: evt.Timestamp, ID: evt.ID,
		RoomID: evt.RoomID, Unsigned: evt.Unsigned,
		Mautrix: event.MautrixInfo{
			WasEncrypted: true, ReceivedAt: evt.Mautrix.ReceivedAt, EventSource: evt.Mautrix.EventSource | event.SourceDecrypted,
		},
	}
	if evt.StateKey != nil && d.StateKey != nil && h.olm.AllowEncryptedState {
		out.StateKey, out.Type.Class = d.StateKey, event.StateEventType
	}
	trust(&out.Mautrix, d, evt.Sender)
	if err := out.Content.UnmarshalJSON(d.Content); err != nil {
		return nil, fmt.Errorf("failed to parse the decrypted content: %w", err)
	}
	if err := out.Content.ParseRaw(out.Type); err != nil && !errors.Is(err, event.ErrUnsupportedContentType) && !h.olm.IgnorePostDecryptionParseErrors {
		return nil, fmt.Errorf("failed to parse the decrypted content: %w", err)
	}
	return out, nil
}

// encryptedIn is the room that an event was encrypted for: a server may
// move events between rooms that no other server is in, where a field of mautrix-go's
// machine lets them.
func (h *CryptoHelper) encryptedIn(evt *event.Event) matrix.RoomID {
	const local = ".local"
	was, ok := evt.Content.Raw["com.beeper.original_room_id"].(string)
	if ok && h.olm.AllowBeeperRoomReroute && strings.HasSuffix(was, local) && strings.HasSuffix(string(evt.RoomID), local) {
		return matrix.RoomID(was)
	}
	return matrix.RoomID(evt.RoomID)
}

// askFor asks for the devices of a sender of whom nothing is known, once, unless a field
// of mautrix-go's machine forbids it. It returns whether there is an answer. Where another
// process is asking, its answer is waited for, and after a while this one asks as well: it
// may be stopped.
func (h *CryptoHelper) askFor(ctx context.Context, m *pawl.Machine, sender matrix.UserID) bool {
	if h.olm.DisableDecryptKeyFetching {
		return false
	}
	if _, before := h.asked.LoadOrStore(sender, struct{}{}); before {
		return false
	}
	err := m.TrackUsers(ctx, sender)
	if err == nil {
		err = h.sender.sendAll(ctx)
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 10*time.Millisecond, 200*time.Millisecond
	for end := time.Now().Add(firstWait); err == nil; {
		var of pawl.UserInfo
		if of, err = m.Devices(ctx, sender); err == nil && (of.Current || time.Now().After(end)) {
			return of.Current
		}
		select {
		case <-time.After(pause.NextBackOff()):
			err = h.sender.sendAll(ctx)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	h.log.Debug().Err(err).Stringer("sender", id.UserID(sender)).Msg("Failed to ask for the sender's devices")
	return false
}

// trust says who sent an event, in mautrix-go's words.
func trust(info *event.MautrixInfo, d pawl.DecryptedRoomEvent, sender id.UserID) {
	who := d.Sender
	switch d.Provenance {
	case group.File, group.Backup:
		info.TrustState = id.TrustStateBackup
		return
	case group.Forwarded, group.Bundle:
		info.ForwardedKeys = true
		if d.Forwarder == nil {
			info.TrustState = id.TrustStateForwarded
			return
		}
		who = *d.Forwarder
	}
	info.TrustState = trustState(who)
	if !info.ForwardedKeys && who.State == pawl.DeviceMismatched && (who.Device.Device == "" || id.UserID(who.Device.User) != sender) {
		info.TrustState = id.TrustStateUnknownDevice // mautrix-go looks for it among the sender's devices
	}
	if who.State == pawl.DeviceKnown || who.State == pawl.DeviceGone {
		info.TrustSource = &id.Device{
			UserID: id.UserID(who.Device.User), DeviceID: id.DeviceID(who.Device.Device),
			IdentityKey: id.IdentityKey(who.Curve25519.String()), SigningKey: id.SigningKey(who.Ed25519.String()),
			Trust: info.TrustState, Deleted: who.State == pawl.DeviceGone,
		}
	}
}

func trustState(who pawl.Party) id.TrustState {
	switch who.State {
	case pawl.DeviceUnknown:
		return id.TrustStateUnknownDevice
	case pawl.DeviceDisputed, pawl.DeviceMismatched:
		return id.TrustStateDeviceKeyMismatch
	}
	switch {
	case who.Trust == device.Verified:
		return id.TrustStateCrossSignedVerified
	case who.Trust == device.CrossSigned && who.Identity == pawl.IdentityChanged:
		return id.TrustStateCrossSignedUntrusted
	case who.Trust == device.CrossSigned:
		return id.TrustStateCrossSignedTOFU
	}
	return id.TrustStateUnset
}

// mautrixError is an error that is also one of mautrix-go's.
type mautrixError struct {
	error
	is error
}

// Unwrap lets errors.Is find both.
func (e mautrixError) Unwrap() []error { return []error{e.error, e.is} }

// errorsOf are mautrix-go's errors, by ours. The first that fits counts.
var errorsOf = []struct{ ours, theirs error }{
	{group.ErrTooEarly, olm.ErrUnknownMessageIndex},
	{group.ErrNoKey, crypto.ErrNoSessionFound},
	{group.ErrForgotten, crypto.ErrNoSessionFound},
	{pawl.ErrReplay, crypto.ErrDuplicateMessageIndex},
	{pawl.ErrOtherRoom, crypto.ErrWrongRoom},
	{pawl.ErrAlgorithm, crypto.ErrUnsupportedAlgorithm},
	{group.ErrSignature, olm.ErrBadSignature},
	{group.ErrMAC, olm.ErrBadMAC},
	{group.ErrVersion, olm.ErrWrongProtocolVersion},
	{group.ErrMalformed, crypto.ErrCorruptedMegolmPayload},
	{pawl.ErrContent, crypto.ErrCorruptedMegolmPayload},
}

func asMautrix(err error) error {
	var withheld *group.WithheldError
	if errors.As(err, &withheld) && errors.Is(err, group.ErrNoKey) {
		return mautrixError{err, &event.RoomKeyWithheldEventContent{
			Code: event.RoomKeyWithheldCode(withheld.Code), Reason: withheld.Reason,
		}}
	}
	for _, e := range errorsOf {
		if errors.Is(err, e.ours) {
			return mautrixError{err, e.theirs}
		}
	}
	return err
}

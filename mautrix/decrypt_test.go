package pawlmautrix

import (
	"errors"
	"fmt"
	"testing"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
)

// Each failure satisfies errors.Is with ours and with mautrix-go's, and with no other of
// theirs.
func TestErrors(t *testing.T) {
	withheld := func(err error) error {
		return &group.WithheldError{Code: group.Unverified, Reason: "a reason", Err: err}
	}
	theirs := []error{
		crypto.ErrNoSessionFound, crypto.ErrDuplicateMessageIndex, crypto.ErrWrongRoom, crypto.ErrDeviceKeyMismatch, crypto.ErrUnsupportedAlgorithm,
		crypto.ErrCorruptedMegolmPayload, crypto.ErrGroupSessionWithheld, olm.ErrUnknownMessageIndex, olm.ErrBadSignature, olm.ErrBadMAC, olm.ErrWrongProtocolVersion,
	}
	for _, c := range []struct{ ours, theirs error }{
		{group.ErrNoKey, crypto.ErrNoSessionFound},
		{withheld(group.ErrNoKey), crypto.ErrGroupSessionWithheld},
		{group.ErrForgotten, crypto.ErrNoSessionFound},
		{&group.IndexError{First: 7, Index: 3}, olm.ErrUnknownMessageIndex},
		{withheld(&group.IndexError{First: 7, Index: 3}), olm.ErrUnknownMessageIndex},
		{pawl.ErrReplay, crypto.ErrDuplicateMessageIndex},
		{pawl.ErrOtherRoom, crypto.ErrWrongRoom},
		{pawl.ErrAlgorithm, crypto.ErrUnsupportedAlgorithm},
		{group.ErrSignature, olm.ErrBadSignature},
		{group.ErrMAC, olm.ErrBadMAC},
		{&group.VersionError{}, olm.ErrWrongProtocolVersion},
		{group.ErrMalformed, crypto.ErrCorruptedMegolmPayload},
		{pawl.ErrContent, crypto.ErrCorruptedMegolmPayload},
	} {
		t.Run(fmt.Sprint(c.ours), func(t *testing.T) {
			got := asMautrix(fmt.Errorf("in a call: %w", c.ours))
			if !errors.Is(got, c.ours) {
				t.Errorf("%v is not %v any more", got, c.ours)
			}
			for _, e := range theirs {
				if errors.Is(got, e) != (e == c.theirs) {
					t.Errorf("errors.Is(%v, %v) = %v", got, e, e != c.theirs)
				}
			}
		})
	}
	got := asMautrix(withheld(group.ErrNoKey))
	if !errors.Is(got, &event.RoomKeyWithheldEventContent{Code: event.RoomKeyWithheldUnverified}) || errors.Is(got, &event.RoomKeyWithheldEventContent{Code: event.RoomKeyWithheldBlacklisted}) {
		t.Errorf("%v does not tell its code", got)
	}
	if other := errors.New("another"); asMautrix(other) != other {
		t.Error("an error that mautrix-go has none for was changed")
	}
}

// What is known of a sender is told in mautrix-go's words.
func TestTrust(t *testing.T) {
	party := func(state pawl.DeviceState, trust device.Trust, identity pawl.IdentityState) pawl.Party {
		return pawl.Party{State: state, Trust: trust, Identity: identity, Device: device.Name{User: "@bob:example.org", Device: "LAPTOP"}}
	}
	another := party(pawl.DeviceMismatched, 0, 0)
	another.Device.User = "@netbot:example.org"
	nobody := party(pawl.DeviceMismatched, 0, 0)
	nobody.Device.Device = ""
	helper := party(pawl.DeviceKnown, device.Verified, pawl.IdentityVerified)
	for name, c := range map[string]struct {
		of     pawl.DecryptedRoomEvent
		trust  id.TrustState
		source bool
	}{
		"unknown":      {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceUnknown, 0, 0)}, id.TrustStateUnknownDevice, false},
		"unsigned":     {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceKnown, device.Unsigned, 0)}, id.TrustStateUnset, true},
		"gone":         {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceGone, device.Unsigned, 0)}, id.TrustStateUnset, true},
		"cross-signed": {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceKnown, device.CrossSigned, pawl.IdentityPinned)}, id.TrustStateCrossSignedTOFU, true},
		"changed":      {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceKnown, device.CrossSigned, pawl.IdentityChanged)}, id.TrustStateCrossSignedUntrusted, true},
		"verified":     {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceKnown, device.Verified, pawl.IdentityVerified)}, id.TrustStateCrossSignedVerified, true},
		"mismatched":   {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceMismatched, 0, 0)}, id.TrustStateDeviceKeyMismatch, false},
		"another's":    {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: another}, id.TrustStateUnknownDevice, false},
		"nobody's":     {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: nobody}, id.TrustStateUnknownDevice, false},
		"disputed":     {pawl.DecryptedRoomEvent{Provenance: group.Direct, Sender: party(pawl.DeviceDisputed, 0, 0)}, id.TrustStateDeviceKeyMismatch, false},
		"backup":       {pawl.DecryptedRoomEvent{Provenance: group.Backup, Sender: helper}, id.TrustStateBackup, false},
		"file":         {pawl.DecryptedRoomEvent{Provenance: group.File, Sender: helper}, id.TrustStateBackup, false},
		"forwarded":    {pawl.DecryptedRoomEvent{Provenance: group.Forwarded, Sender: party(pawl.DeviceUnknown, 0, 0), Forwarder: &helper}, id.TrustStateCrossSignedVerified, true},
		"by nobody":    {pawl.DecryptedRoomEvent{Provenance: group.Forwarded, Sender: helper}, id.TrustStateForwarded, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got event.MautrixInfo
			trust(&got, c.of, bob)
			forwarded := c.of.Provenance == group.Forwarded
			if got.TrustState != c.trust || (got.TrustSource != nil) != c.source || got.ForwardedKeys != forwarded {
				t.Errorf("got %v, by %+v, forwarded %v; want %v, %v, %v", got.TrustState, got.TrustSource, got.ForwardedKeys, c.trust, c.source, forwarded)
			}
		})
	}
}

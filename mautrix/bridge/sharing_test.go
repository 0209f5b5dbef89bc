package pawlbridge

import (
	"errors"
	"testing"

	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// showsSharing shows that keys are given, and taken, as VerificationLevels and
// AllowKeySharing say.
var showsSharing = map[string]func(*testing.T){
	"VerificationLevels.Receive": func(t *testing.T) {
		b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
			c.Encryption.VerificationLevels.Receive = id.TrustStateCrossSignedTOFU
		})
		b.say(room, "not for all")
		p.withheld(event.RoomKeyWithheldUnverified)
	},
	"VerificationLevels.Send": func(t *testing.T) {
		b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
			c.Encryption.VerificationLevels.Send = id.TrustStateCrossSignedTOFU
			c.Matrix.MessageErrorNotices = true
		})
		p.say(room, "from a device that is not signed")
		p.awaits("that it is refused", func() bool {
			b.push()
			return p.heard("your device is not trusted")
		})
		if n := b.count("from a device that is not signed"); n != 0 {
			t.Errorf("it was handed on %d times", n)
		}
	},
	"VerificationLevels.Share": func(t *testing.T) {
		for level, want := range map[id.TrustState]event.RoomKeyWithheldCode{id.TrustStateUnset: "", id.TrustStateCrossSignedTOFU: event.RoomKeyWithheldUnverified} {
			b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
				c.Encryption.AllowKeySharing, c.Encryption.VerificationLevels.Share = true, level
			})
			b.portal(room)
			b.say(room, "so that carol is followed")
			p.reads("so that carol is followed")
			b.decides(carol, "LAPTOP", room, want)
		}
	},
	"AllowKeySharing": func(t *testing.T) {
		t.Run("who", func(t *testing.T) {
			b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
				c.Encryption.AllowKeySharing = true
				c.Bridge.Permissions[string(carol)] = &bridgeconfig.PermissionLevelUser
			})
			b.say(room, "so that carol is followed")
			p.reads("so that carol is followed")
			b.decides(carol, "LAPTOP", room, event.RoomKeyWithheldUnavailable)
			b.portal(room)
			b.decides(carol, "LAPTOP", room, event.RoomKeyWithheldUnauthorized)
			b.connector.Config.Encryption.AllowKeySharing = false
			b.decides(carol, "LAPTOP", room, "none")
		})
		both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.AllowKeySharing = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
			b, p, room := w.with(set)
			b.portal(room)
			name := b.say(room, "hello")
			p.reads("hello")
			late := w.person(carol, "TABLET")
			session := b.sessionOf(room, name)
			olm := late.helper.Machine()
			content := b.event(room, name).Content.AsEncrypted()
			if err := olm.SendRoomKeyRequest(w.Context(), room, content.SenderKey, session, "", map[id.UserID][]id.DeviceID{bridgeBot: {b.connector.Crypto.Client().DeviceID}}); err != nil {
				w.Fatal(err)
			}
			late.awaits("an answer", func() bool {
				b.push()
				igs, err := olm.CryptoStore.GetGroupSession(w.Context(), room, session)
				if on {
					return igs != nil
				}
				return errors.Is(err, crypto.ErrGroupSessionWithheld)
			})
		})(t)
	},
}

// portal makes a room one of the bridge's, whose carol is a user.
func (b *bridge) portal(room id.RoomID) {
	b.Helper()
	portal, err := b.GetPortalByKey(b.Context(), networkid.PortalKey{ID: "chat"})
	if err == nil {
		portal.MXID = room
		err = portal.Save(b.Context())
	}
	if err == nil {
		_, err = b.GetUserByMXID(b.Context(), carol)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// decides compares what is answered to a device that asks for a key: "" is the key.
func (b *bridge) decides(user id.UserID, device id.DeviceID, room id.RoomID, want event.RoomKeyWithheldCode) {
	b.Helper()
	d, err := b.olm().CryptoStore.GetDevice(b.Context(), user, device)
	if err != nil || d == nil {
		b.Fatalf("the device is %v, %v", d, err)
	}
	got := event.RoomKeyWithheldCode("")
	if r := b.crypto().keyShare(b.Context(), d, event.RequestedKeyInfo{RoomID: room}); r == &crypto.KeyShareRejectNoResponse {
		got = "none"
	} else if r != nil {
		got = r.Code
	}
	if got != want {
		b.Errorf("the answer is %q, want %q", got, want)
	}
}

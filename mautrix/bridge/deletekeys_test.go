package pawlbridge

import (
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/matrix"
)

// ages changes when a session's key came, and starts the bridge again.
func (b *bridge) ages(p *person, room id.RoomID, name id.EventID, to time.Time) *bridge {
	b.Helper()
	session := b.sessionOf(room, name)
	b.push()
	igs, err := b.olm().CryptoStore.GetGroupSession(b.Context(), room, session)
	if err != nil || igs == nil {
		b.Fatalf("the session is %v, %v", igs, err)
	}
	igs.ReceivedAt = to
	if err := b.olm().CryptoStore.PutGroupSession(b.Context(), igs); err != nil {
		b.Fatal(err)
	}
	return b.again()
}

// showsDeleting shows of each field of DeleteKeys that it is honoured.
var showsDeleting = map[string]func(*testing.T){
	"DeleteKeys.DeleteOutboundOnAck": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeleteOutboundOnAck = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		name := b.say(room, "hello")
		ack := event.Content{Parsed: &event.BeeperRoomKeyAckEventContent{RoomID: room, SessionID: b.sessionOf(room, name)}}
		if _, err := p.client.SendToDevice(w.Context(), event.ToDeviceBeeperRoomKeyAck, &mautrix.ReqSendToDevice{Messages: map[id.UserID]map[id.DeviceID]*event.Content{
			bridgeBot: {b.connector.Crypto.Client().DeviceID: &ack},
		}}); err != nil {
			w.Fatal(err)
		}
		b.push()
		b.readable("its own", room, name, !on)
	}),
	"DeleteKeys.DontStoreOutbound": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DontStoreOutbound = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		name := b.say(room, "hello")
		p.reads("hello")
		b.readable("its own", room, name, !on)
	}),
	"DeleteKeys.RatchetOnDecrypt": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.RatchetOnDecrypt = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		name := p.say(room, "one")
		b.reads("one")
		b.readable("what was read", room, name, !on)
		p.say(room, "two")
		b.reads("two")
	}),
	"DeleteKeys.DeleteFullyUsedOnDecrypt": both(func(c *bridgeconfig.EncryptionConfig, on bool) {
		c.DeleteKeys.DeleteFullyUsedOnDecrypt = on
		c.Rotation.EnableCustom, c.Rotation.Messages, c.Rotation.Milliseconds = true, 2, 604_800_000
	}, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		first := p.say(room, "one")
		b.reads("one")
		b.readable("one of two", room, first, true)
		p.say(room, "two")
		b.reads("two")
		b.readable("one of two, when both were read", room, first, !on)
	}),
	"DeleteKeys.DeletePrevOnNewSession": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeletePrevOnNewSession = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		first := p.say(room, "one")
		b.reads("one")
		p.rotates(room)
		second := p.say(room, "two")
		b.reads("two")
		b.readable("what came in the previous session", room, first, !on)
		b.readable("what came in the last session", room, second, true)
	}),
	"DeleteKeys.DeleteOnDeviceDelete": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeleteOnDeviceDelete = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		b.say(room, "so that carol is followed")
		late := w.person(carol, "TABLET")
		late.awaits("the room's encryption", func() bool {
			is, err := late.client.StateStore.IsEncrypted(w.Context(), room)
			return err == nil && is
		})
		name := late.say(room, "from the tablet")
		b.reads("from the tablet")
		b.knows(p, carol, 2)
		w.s.Logout(matrix.UserID(carol), "TABLET")
		b.goes(p, carol, "TABLET")
		if on {
			b.forgets(p, "what a device said that is gone", room, name)
		} else {
			b.readable("what a device said that is gone", room, name, true)
		}
	}),
	"DeleteKeys.PeriodicallyDeleteExpired": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.PeriodicallyDeleteExpired = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		old := p.say(room, "old")
		b.reads("old")
		p.rotates(room)
		young := p.say(room, "young")
		b.reads("young")
		b = b.ages(p, room, old, time.Now().Add(-15*24*time.Hour))
		if on {
			b.forgets(p, "what is older than twice a week", room, old)
		}
		b.readable("what is old", room, old, !on)
		b.readable("what is young", room, young, true)
	}),
	"DeleteKeys.DeleteOutdatedInbound": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeleteOutdatedInbound = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		w.config = func(c *bridgeconfig.Config) {} // before it was set
		b := w.start()
		p := w.person(carol, "LAPTOP")
		room := b.room(p)
		old := p.say(room, "old")
		b.reads("old")
		w.config = set
		b = b.again()
		b.readable("what came before it was set", room, old, !on)
		p.rotates(room)
		young, own := p.say(room, "young"), b.say(room, "own")
		b.reads("young")
		b = b.again()
		b.readable("what came since", room, young, true)
		b.readable("its own", room, own, true)
	}),
}

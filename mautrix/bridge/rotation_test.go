package pawlbridge

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	bridgematrix "maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// showsRotation shows of each field of Rotation that it is honoured.
var showsRotation = map[string]func(*testing.T){
	"Rotation.EnableCustom": both(func(c *bridgeconfig.EncryptionConfig, on bool) {
		c.Rotation.EnableCustom, c.Rotation.Messages, c.Rotation.Milliseconds = on, 1, 7_200_000
	}, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, _, room := w.with(set)
		if got := b.sessionOf(room, b.say(room, "one")) != b.sessionOf(room, b.say(room, "two")); got != on {
			w.Errorf("%v: another session: %v", on, got)
		}
	}),
	"Rotation.Messages": func(t *testing.T) {
		b, _, room := newWorld(t).with(func(c *bridgeconfig.Config) {
			r := &c.Encryption.Rotation
			r.EnableCustom, r.Messages, r.Milliseconds = true, 2, 7_200_000
		})
		var sessions []id.SessionID
		for _, body := range []string{"one", "two", "three"} {
			sessions = append(sessions, b.sessionOf(room, b.say(room, body)))
		}
		if sessions[0] != sessions[1] || sessions[1] == sessions[2] {
			t.Errorf("sessions %v", sessions)
		}
	},
	"Rotation.Milliseconds": func(t *testing.T) {
		w := newWorld(t)
		store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
		if err != nil {
			t.Fatal(err)
		}
		w.store = store
		b, _, room := w.with(func(c *bridgeconfig.Config) {
			r := &c.Encryption.Rotation
			r.EnableCustom, r.Messages, r.Milliseconds = true, 100, 7_200_000
		})
		b.say(room, "hello")
		m, err := store.Machine(t.Context(), matrix.UserID(bridgeBot), matrix.DeviceID(b.connector.Crypto.Client().DeviceID))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := m.Room(t.Context(), matrix.RoomID(room)); err != nil || info.Settings.Age != 2*time.Hour {
			t.Errorf("a session is used for %v, %v", info.Settings.Age, err)
		}
	},
	"Rotation.DisableDeviceChangeKeyRotation": func(t *testing.T) {
		w, log := newWorld(t), &lines{}
		w.log = zerolog.New(log)
		b, p, room := w.with(func(c *bridgeconfig.Config) { c.Encryption.Rotation.DisableDeviceChangeKeyRotation = true })
		if !log.has("one that is gone always does") {
			t.Error("no warning")
		}
		first := b.sessionOf(room, b.say(room, "one"))
		late := w.person(carol, "TABLET")
		b.knows(p, carol, 2)
		second := b.sessionOf(room, b.say(room, "two"))
		late.reads("two")
		w.s.Logout(matrix.UserID(carol), "TABLET")
		b.goes(p, carol, "TABLET")
		if third := b.sessionOf(room, b.say(room, "three")); first != second || third == second {
			t.Errorf("sessions %s, with a new device %s, without it %s", first, second, third)
		}
	},
}

// The command discard-megolm-session, and members that go, have the next event go in
// another session; whoever has gone does not read it.
func TestRotation(t *testing.T) {
	b, p, room := newWorld(t).with(nil)
	leaver := b.world.person(dave, "PHONE")
	if err := b.Bot.(*bridgematrix.ASIntent).Matrix.EnsureInvited(t.Context(), room, dave); err != nil {
		t.Fatal(err)
	}
	if _, err := leaver.client.JoinRoomByID(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	b.push()
	first := b.sessionOf(room, b.say(room, "one"))
	leaver.reads("one")
	log := zerolog.Nop()
	bridgematrix.CommandDiscardMegolmSession.Func(&commands.Event{Bot: b.Bot, Bridge: b.Bridge, RoomID: room, OrigRoomID: room, Ctx: t.Context(), Log: &log})
	second := b.sessionOf(room, b.say(room, "two"))
	leaver.reads("two")
	if _, err := leaver.client.LeaveRoom(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	b.push()
	third := b.sessionOf(room, b.say(room, "three"))
	p.reads("three")
	if first == second || second == third {
		t.Errorf("sessions %s, %s and %s", first, second, third)
	}
	if igs, err := leaver.helper.Machine().CryptoStore.GetGroupSession(t.Context(), room, third); igs != nil {
		t.Errorf("who has gone has the key: %v", err)
	}
}

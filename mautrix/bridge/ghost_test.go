package pawlbridge

import (
	"strings"
	"testing"

	bridgematrix "maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// What a ghost says the bridge's bot encrypts. A client with mautrix-go's own helper and one
// with Pawl's read it, and say the same of who sent it: a device that is none of the ghost's.
func TestGhosts(t *testing.T) {
	b, p, room := newWorld(t).with(nil)
	d := b.world.personOnPawl(dave, "PHONE")
	for _, u := range []id.UserID{dave, ghost} {
		if err := b.Bot.(*bridgematrix.ASIntent).Matrix.EnsureInvited(t.Context(), room, u); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.client.JoinRoomByID(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	speaker := b.connector.GhostIntent("ghost").(*bridgematrix.ASIntent)
	if speaker.Matrix.UserID != ghost {
		t.Fatalf("the ghost is %s", speaker.Matrix.UserID)
	}
	if err := speaker.EnsureJoined(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	d.awaits("the room's encryption", func() bool {
		is, err := d.client.StateStore.IsEncrypted(t.Context(), room)
		return err == nil && is
	})
	b.push()
	message := &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgText, Body: "from a ghost"}}
	if _, err := speaker.SendMessage(t.Context(), room, event.EventMessage, message, nil); err != nil {
		t.Fatal(err)
	}
	for name, who := range map[string]*person{"with mautrix-go's helper": p, "with Pawl's helper": d} {
		e := who.reads("from a ghost")
		if got := e.Mautrix; e.Sender != ghost || !got.WasEncrypted || got.TrustState != id.TrustStateUnknownDevice || got.TrustSource != nil {
			t.Errorf("%s it is by %s, encrypted %v, %v, %+v", name, e.Sender, got.WasEncrypted, got.TrustState, got.TrustSource)
		}
	}
	b.say(room, "from the bot")
	for name, who := range map[string]*person{"with mautrix-go's helper": p, "with Pawl's helper": d} {
		if got := who.reads("from the bot").Mautrix; got.TrustState != id.TrustStateUnset || got.TrustSource == nil {
			t.Errorf("%s what the bot says is %v, %+v", name, got.TrustState, got.TrustSource)
		}
	}
	asked := 0
	for _, e := range b.world.s.Exchanges("keys/query") {
		if id.UserID(e.User) != b.connector.AS.BotMXID() {
			continue
		}
		asked++
		if strings.Contains(string(e.Request), string(ghost)) {
			t.Errorf("the bot asked for the devices of a ghost, which has none: %s", e.Request)
		}
	}
	if asked == 0 {
		t.Error("the bot asked for nobody's devices")
	}
}

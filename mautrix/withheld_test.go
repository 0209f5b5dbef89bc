package pawlmautrix

import (
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// Who waits for a key is woken by the notice that it is withheld, where the key of the
// device that sent the message says whose notice that is; and by nobody else's.
func TestWaitForSessionThatIsWithheld(t *testing.T) {
	s := server(t, carol)
	bot := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	peer, other := startMautrix(t, s, bob, "LAPTOP"), startMautrix(t, s, carol, "TABLET")
	room := makeRoom(t, bot, peer, other)
	bot.say(room, "so that their devices are known")
	peer.reads("so that their devices are known")
	session := id.SessionID(strings.Repeat("B", 42) + "A")
	theirs := peer.helper.(*cryptohelper.CryptoHelper).Machine().OwnIdentity().IdentityKey
	woken := make(chan bool, 1)
	h := bot.helper.(*CryptoHelper)
	go func() { woken <- h.WaitForSession(t.Context(), room, theirs, session, patience) }()
	withhold := func(p *program, code event.RoomKeyWithheldCode) {
		t.Helper()
		notice := &event.Content{Parsed: &event.RoomKeyWithheldEventContent{
			RoomID: room, Algorithm: id.AlgorithmMegolmV1, SessionID: session, SenderKey: theirs, Code: code,
		}}
		all := map[id.UserID]map[id.DeviceID]*event.Content{alice: {phone: notice}}
		if _, err := p.client.SendToDevice(t.Context(), event.ToDeviceRoomKeyWithheld, &mautrix.ReqSendToDevice{Messages: all}); err != nil {
			t.Fatal(err)
		}
	}
	withhold(other, event.RoomKeyWithheldBlacklisted)
	other.say(room, "after the other's notice")
	bot.reads("after the other's notice")
	select {
	case <-woken:
		t.Fatal("woken by somebody else's notice")
	default:
	}
	withhold(peer, event.RoomKeyWithheldUnverified)
	if !<-woken {
		t.Error("not woken")
	}
	if h.WaitForSession(t.Context(), room, "nobody's", session, time.Millisecond) {
		t.Error("woken by a notice of nobody known")
	}
}

// What has no key is refused, by an error.
func TestSessionsWithoutAKey(t *testing.T) {
	store := newStoreOf(t, memkv.New(), alice, phone)
	for name, err := range map[string]error{
		"nothing to receive": store.PutGroupSession(t.Context(), nil),
		"no key to receive":  store.PutGroupSession(t.Context(), &crypto.InboundGroupSession{}),
		"nothing to send in": store.AddOutboundGroupSession(t.Context(), nil),
		"no key to send in":  store.AddOutboundGroupSession(t.Context(), &crypto.OutboundGroupSession{}),
	} {
		if err == nil || !strings.Contains(err.Error(), "without its key") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

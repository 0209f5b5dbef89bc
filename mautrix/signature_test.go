package pawlmautrix

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// Whom mautrix-go's machine signs Pawl sees verified at once, and by its strategies: nothing
// comes from the server in between.
func TestSignatureIsSeenAtOnce(t *testing.T) {
	s := server(t)
	bot := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	olm, m := olmOf(bot), bot.helper.(*CryptoHelper).machine
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, bot, peer)
	theirs := identify(t, peer)
	identify(t, bot)
	sees(t, m, alice, "the own identity", func(u pawl.UserInfo) bool { return u.Verified && u.Current })
	if _, err := olm.FetchKeys(t.Context(), []id.UserID{bob}, true); err != nil {
		t.Fatal(err)
	}
	sees(t, m, bob, "whom mautrix-go asked for", func(u pawl.UserInfo) bool {
		return u.Current && !u.Verified && len(u.Devices) == 1 && u.Devices[0].Trust == device.CrossSigned
	})
	for _, endpoint := range []string{"sync", "keys/query"} {
		s.Fail(hs.Fault{Endpoint: endpoint, User: matrix.UserID(alice), Do: hs.Effect{Status: http.StatusInternalServerError}})
	}
	asked := len(s.Exchanges("keys/query"))
	if err := olm.SignUser(t.Context(), bob, theirs); err != nil {
		t.Fatal(err)
	}
	u, err := m.Devices(t.Context(), matrix.UserID(bob))
	if err != nil || !u.Verified || u.Devices[0].Trust != device.Verified {
		t.Errorf("who is signed is verified: %v, his device is %v, %v", u.Verified, u.Devices[0].Trust, err)
	}
	if now := s.Exchanges("keys/query"); slices.ContainsFunc(now[asked:], func(e hs.Exchange) bool { return e.User == matrix.UserID(alice) && e.Status == http.StatusOK }) {
		t.Error("the server was asked in between")
	}
	s.Heal()
	send := bot.helper.(*CryptoHelper).sender.send
	for done := false; !done; {
		sharing, err := m.ShareRoomKey(t.Context(), matrix.RoomID(room), []matrix.UserID{matrix.UserID(alice), matrix.UserID(bob)}, pawl.RoomSettings{Strategy: group.Verified})
		if err != nil || sharing.NobodyVerified {
			t.Fatalf("a key that only the verified get: %+v, %v", sharing, err)
		}
		for _, r := range sharing.Requests {
			if err := send(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if done = sharing.Done; len(sharing.Requests) == 0 && !done {
			<-time.After(5 * time.Millisecond) // the bot is asking
		}
	}
	// The test asks, or the bot, which sends what is waiting at the same time.
	if !slices.ContainsFunc(s.Exchanges("keys/claim"), func(e hs.Exchange) bool {
		return e.User == matrix.UserID(alice) && strings.Contains(string(e.Request), `"LAPTOP"`)
	}) {
		t.Error("nothing was claimed of his device for a key that only the verified get")
	}
	if got := trustOf(t, olm, bob, "LAPTOP"); got != id.TrustStateCrossSignedVerified {
		t.Errorf("mautrix-go has him as %v", got)
	}
}

// That mautrix-go has put a signature by own keys on a master key does not verify it while
// nobody has verified the own user: Pawl's word goes first, as for who gets keys.
func TestSignatureOfUnverifiedKeys(t *testing.T) {
	s := server(t)
	bot := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	m := bot.helper.(*CryptoHelper).machine
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, bot, peer)
	theirs, another := identify(t, peer), id.Ed25519(strings.Repeat("A", 43))
	bot.say(room, "hello") // so that Pawl follows bob
	sees(t, m, bob, "whom Pawl follows", func(u pawl.UserInfo) bool { return u.Current && !u.Identity.IsZero() })
	store := olmOf(bot).CryptoStore
	for key, want := range map[id.Ed25519]bool{theirs: false, another: true} { // Pawl knows nothing of the other
		if err := store.PutSignature(t.Context(), bob, key, alice, another, "a signature"); err != nil {
			t.Fatal(err)
		}
		if is, err := store.IsKeySignedBy(t.Context(), bob, key, alice, another); err != nil || is != want {
			t.Errorf("%s is signed: %v, %v, want %v", key, is, err, want)
		}
	}
}

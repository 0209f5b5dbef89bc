package pawlmautrix

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/matrix"
)

// during is a transport that does something once it is set, before the next request of a
// path goes out.
type during struct {
	path string
	do   atomic.Pointer[func()]
}

func (d *during) RoundTrip(q *http.Request) (*http.Response, error) {
	if strings.HasSuffix(q.URL.Path, d.path) {
		if do := d.do.Swap(nil); do != nil {
			(*do)()
		}
	}
	return http.DefaultTransport.RoundTrip(q)
}

// Who comes while the room's key is shared gets it: what is encrypted then is read by all
// who were in the room when it was sent, and so is what comes later.
func TestNewcomerWhileSharing(t *testing.T) {
	const carol = id.UserID("@carol:example.org")
	for _, path := range []string{"/keys/query", "/keys/claim"} {
		t.Run(path[1:], func(t *testing.T) {
			s := server(t, carol)
			shares := &during{path: path}
			bot := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
			bot.client.Client = &http.Client{Transport: shares}
			came := make(chan struct{}, 10)
			bot.client.Syncer.(*mautrix.DefaultSyncer).OnEventType(event.StateMember, func(_ context.Context, e *event.Event) {
				if e.GetStateKey() == string(carol) && e.Content.AsMember().Membership == event.MembershipJoin {
					came <- struct{}{}
				}
			})
			h, err := NewCryptoHelper(bot.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
			if err != nil {
				t.Fatal(err)
			}
			bot.start(h)
			peer, newcomer := startMautrix(t, s, bob, "LAPTOP"), startMautrix(t, s, carol, "TABLET")
			room := makeRoom(t, bot, peer)
			comes := func() {
				_, err := bot.client.InviteUser(t.Context(), room, &mautrix.ReqInviteUser{UserID: carol})
				if err == nil {
					_, err = newcomer.client.JoinRoomByID(t.Context(), room)
				}
				if err != nil {
					t.Error(err)
					return
				}
				<-came
			}
			shares.do.Store(&comes)
			bot.say(room, "one")
			bot.say(room, "two")
			for _, body := range []string{"one", "two"} {
				peer.reads(body)
				newcomer.reads(body)
			}
		})
	}
}

// restless is a StateStore of which something else becomes known between two answers.
type restless struct {
	*mautrix.MemoryStateStore
	change atomic.Pointer[func()]
}

func (c *restless) GetHistoryVisibility(ctx context.Context, room id.RoomID) (*event.HistoryVisibilityEventContent, error) {
	if do := c.change.Swap(nil); do != nil {
		(*do)()
	}
	return c.MemoryStateStore.GetHistoryVisibility(ctx, room)
}

// What RoomChanged tells while a key is shared under what was known before counts from the
// next event on.
func TestRoomChangedWhileSharing(t *testing.T) {
	s := server(t)
	state := &restless{MemoryStateStore: mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)}
	bot := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	bot.client.StateStore = state
	h, err := NewCryptoHelper(bot.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	bot.start(h)
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, bot, peer)
	bot.say(room, "one")
	changes := func() {
		if err := state.SetEncryptionEvent(t.Context(), room, &event.EncryptionEventContent{
			Algorithm: id.AlgorithmMegolmV1, RotationPeriodMessages: 1,
		}); err != nil {
			t.Error(err)
		}
		h.RoomChanged(room)
	}
	h.RoomChanged(room) // so that the next event looks at the settings
	state.change.Store(&changes)
	bot.say(room, "two")
	sessions := map[id.SessionID]bool{}
	for _, body := range []string{"three", "four"} {
		sessions[sessionOf(t, bot, room, bot.say(room, body))] = true
		peer.reads(body)
	}
	if len(sessions) != 2 {
		t.Error("two events are in one session of a room that has one event a session")
	}
}

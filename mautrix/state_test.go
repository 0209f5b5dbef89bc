package pawlmautrix

import (
	"context"
	"sync"
	"testing"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	"maunium.net/go/mautrix/sqlstatestore"

	"github.com/pawlkv/pawl/matrix"
)

const carol = id.UserID("@carol:example.org")

// startWithState starts a client that has a StateStore of its own.
func startWithState(t *testing.T, p *program, store string, state mautrix.StateStore) *CryptoHelper {
	t.Helper()
	p.client.StateStore = state
	p.client.Syncer.(*mautrix.DefaultSyncer).OnEvent(p.client.StateStoreSyncHandler)
	h, err := NewCryptoHelper(p.client, []byte("secret"), store)
	if err != nil {
		t.Fatal(err)
	}
	h.DecryptErrorCallback = p.undecryptable
	p.start(h)
	return h
}

// tokens notes which token was stored when somebody's membership was kept first.
type tokens struct {
	*mautrix.MemoryStateStore
	stored func() string

	mu sync.Mutex
	at map[id.UserID]string
}

func (s *tokens) SetMember(ctx context.Context, room id.RoomID, user id.UserID, m *event.MemberEventContent) error {
	s.mu.Lock()
	if _, before := s.at[user]; !before && m.Membership == event.MembershipJoin {
		s.at[user] = s.stored()
	}
	s.mu.Unlock()
	return s.MemoryStateStore.SetMember(ctx, room, user, m)
}

// Whoever dies after a token was stored has put the state that it covers into the
// client's StateStore: the token of that moment still brings the event.
func TestStateIsKeptBeforeTheToken(t *testing.T) {
	s := server(t)
	app := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	state := &tokens{MemoryStateStore: mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore), at: map[id.UserID]string{}}
	var h *CryptoHelper
	state.stored = func() string {
		next, err := h.machine.NextSync(context.Background())
		if err != nil {
			t.Error(err)
		}
		return next.Since
	}
	ready := make(chan struct{})
	app.client.Syncer.(*mautrix.DefaultSyncer).OnSync(func(context.Context, *mautrix.RespSync, string) bool {
		<-ready
		return true
	})
	h = startWithState(t, app, at(t.TempDir(), stores["sqlite"]), state)
	close(ready)
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, app, peer)
	app.say(room, "hello")
	peer.reads("hello")

	state.mu.Lock()
	since, kept := state.at[bob]
	state.mu.Unlock()
	if !kept {
		t.Fatal("bob's membership was not kept")
	}
	again, err := app.client.FullSyncRequest(t.Context(), mautrix.ReqSync{Since: since})
	if err != nil {
		t.Fatal(err)
	}
	joined := again.Rooms.Join[room]
	for _, e := range append(joined.State.Events, joined.Timeline.Events...) {
		if e.GetStateKey() == bob.String() {
			return
		}
	}
	t.Errorf("the token %q that was stored then covers bob's joining", since)
}

// Somebody who joined while another process of the device synced is given the key,
// though the client's StateStore never heard of them.
func TestMembersWhileAway(t *testing.T) {
	s := server(t, carol)
	token, path := s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), stores["sqlite"])
	state := mautrix.NewMemoryStateStore()
	app := newProgram(t, s, alice, phone, token)
	startWithState(t, app, path, state)
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, app, peer)
	app.say(room, "two")
	peer.reads("two")
	app.stop()

	twin, third := startPawl(t, s, token, path), startMautrix(t, s, carol, "TABLET")
	if _, err := twin.client.InviteUser(t.Context(), room, &mautrix.ReqInviteUser{UserID: carol}); err != nil {
		t.Fatal(err)
	}
	if _, err := third.client.JoinRoomByID(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	third.awaitEncrypted(room)
	third.say(room, "three")
	twin.reads("three")
	twin.stop()

	app = newProgram(t, s, alice, phone, token)
	startWithState(t, app, path, state)
	app.say(room, "four")
	for _, p := range []*program{peer, third} {
		p.reads("four")
	}
}

// Any number of processes may make the tables of a state at once.
func TestUpgradesAtOnce(t *testing.T) {
	for range 20 {
		at := place{path: t.TempDir() + "/bot.pawl"}
		var done sync.WaitGroup
		for range 4 {
			raw, err := at.openState()
			if err != nil {
				t.Fatal(err)
			}
			db, err := dbutil.NewWithDB(raw, "sqlite3")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			done.Go(func() {
				if err := upgrade(t.Context(), sqlstatestore.NewSQLStateStore(db, nil, false)); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	}
}

package pawlmautrix

import (
	"context"
	"errors"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/matrix"
)

// refusing is a StateStore that does not take somebody, as one does not that a process has
// locked which is stopped.
type refusing struct {
	*mautrix.MemoryStateStore
	user id.UserID
	all  bool // lists of members too
}

func (s *refusing) SetMember(ctx context.Context, room id.RoomID, user id.UserID, m *event.MemberEventContent) error {
	if user == s.user {
		return errors.New("database is locked")
	}
	return s.MemoryStateStore.SetMember(ctx, room, user, m)
}

func (s *refusing) ReplaceCachedMembers(ctx context.Context, room id.RoomID, all []*event.Event, only ...event.Membership) error {
	if s.all {
		return errors.New("database is locked")
	}
	return s.MemoryStateStore.ReplaceCachedMembers(ctx, room, all, only...)
}

// Somebody whom the StateStore did not take is given the key all the same: the server is
// asked who is in the room, and believed also where the StateStore does not take that.
func TestMembersThatAreNotKept(t *testing.T) {
	for name, all := range map[string]bool{"one": false, "all": true} {
		t.Run(name, func(t *testing.T) {
			s := server(t, carol)
			app := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
			state := &refusing{MemoryStateStore: mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore), user: carol}
			startWithState(t, app, at(t.TempDir(), stores["sqlite"]), state)
			peer, third := startMautrix(t, s, bob, "LAPTOP"), startMautrix(t, s, carol, "TABLET")
			room := makeRoom(t, app, peer)
			app.say(room, "two")
			peer.reads("two")
			state.all = all
			if _, err := peer.client.InviteUser(t.Context(), room, &mautrix.ReqInviteUser{UserID: carol}); err != nil {
				t.Fatal(err)
			}
			if _, err := third.client.JoinRoomByID(t.Context(), room); err != nil {
				t.Fatal(err)
			}
			third.awaitEncrypted(room)
			peer.say(room, "three")
			app.reads("three") // and has had her join before
			app.say(room, "four")
			third.reads("four")
			app.say(room, "five")
			third.reads("five")
		})
	}
}

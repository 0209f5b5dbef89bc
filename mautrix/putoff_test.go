package pawlmautrix

import (
	"context"
	"errors"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"github.com/pawlkv/pawl/matrix"
)

// A process that is stopped while it has the StateStore locked holds nobody up: others read
// and write in the room, also to who has joined since, and what the StateStore is to have
// is written, in its order, once it lets go.
func TestStateStoreThatIsLocked(t *testing.T) {
	s := server(t, carol)
	store := at(t.TempDir(), stores["sqlite"])
	app := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), store)
	peer, third := startMautrix(t, s, bob, "LAPTOP"), startMautrix(t, s, carol, "TABLET")
	room := makeRoom(t, app, peer)
	app.say(room, "before")
	peer.reads("before")

	file, err := placeOf(store)
	if err != nil {
		t.Fatal(err)
	}
	stopped, err := file.openState()
	if err != nil {
		t.Fatal(err)
	}
	defer stopped.Close()
	held, err := stopped.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := peer.client.InviteUser(t.Context(), room, &mautrix.ReqInviteUser{UserID: carol}); err != nil {
		t.Fatal(err)
	}
	if _, err := third.client.JoinRoomByID(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	third.awaitEncrypted(room)
	for _, topic := range []string{"first", "last"} {
		rules := &event.JoinRulesEventContent{JoinRule: event.JoinRule(topic)}
		if _, err := peer.client.SendStateEvent(t.Context(), room, event.StateJoinRules, "", rules); err != nil {
			t.Fatal(err)
		}
	}
	peer.say(room, "to all")
	app.reads("to all")
	app.say(room, "to all, too")
	third.reads("to all, too")

	state := app.client.StateStore
	if err := state.MarkMembersFetched(t.Context(), room); !errors.Is(err, ErrStateLater) {
		t.Errorf("writing while it is locked = %v", err)
	}
	if is, err := state.TryGetMember(t.Context(), room, carol); err != nil || is != nil && is.Membership == event.MembershipJoin {
		t.Errorf("it was not locked: %v, %v", is, err)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		err := state.MarkMembersFetched(ctx, room)
		if err == nil { // nothing waits before it
			tick.Stop()
			break
		}
		if !errors.Is(err, ErrStateLater) {
			t.Fatal(err)
		}
		<-tick.C
	}
	if is, err := state.TryGetMember(t.Context(), room, carol); err != nil || is == nil || is.Membership != event.MembershipJoin {
		t.Errorf("who joined meanwhile is %v, %v", is, err)
	}
	if rules, err := state.GetJoinRules(t.Context(), room); err != nil || rules == nil || rules.JoinRule != "last" {
		t.Errorf("the last of two writes is %v, %v", rules, err)
	}
}

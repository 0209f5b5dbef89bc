package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/matrix"
)

// TestPeersAmongThemselves is the control of all that follows: clients that are not
// Pawl's understand each other on this server, and it sees nothing in the clear.
func TestPeersAmongThemselves(t *testing.T) {
	for _, kinds := range [][2]string{{"mautrix", "mautrix"}, {"mautrix", "node"}, {"node", "node"}} {
		t.Run(kinds[0]+" and "+kinds[1], func(t *testing.T) {
			needKinds(t, kinds[:]...)
			talk(t, kinds)
		})
	}
}

func talk(t *testing.T, kinds [2]string) {
	s := server(t, alice, bob)
	room := as(t, s, admin).room(nil)
	both := []*device{start(t, s, kinds[0], alice, "PHONE"), start(t, s, kinds[1], bob, "LAPTOP")}
	for _, d := range both {
		d.join(room)
	}
	settle(t, s, both...)
	for i := range 10 {
		from, to := both[i%2], both[1-i%2]
		body := fmt.Sprint("message ", i)
		sent := from.do(bot.Command{Name: "send", Room: room, Body: body})
		got := to.await(body, func(e bot.Event) bool { return e.Event == sent.Event && e.Name == "message" })
		if got.Body != body || got.Sender != string(from.User) || !got.Encrypted {
			t.Errorf("message %d is %+v", i, got)
		}
		read := to.do(bot.Command{Name: "read", Room: room, Event: sent.Event, Timeout: 10_000})
		if read.Body != body || read.Sender != string(from.User) {
			t.Errorf("fetched, message %d is %+v", i, read)
		}
	}
	for _, e := range s.Timeline(matrix.RoomID(room)) {
		if e.Type == "m.room.message" || strings.Contains(string(e.Content), "message 0") {
			t.Errorf("in the clear: %s %s", e.Type, e.Content)
		}
	}
}

package clients

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/matrix"
)

// everyMessage is the encryption of a room with a new key for every message.
var everyMessage = object{"rotation_period_msgs": 1}

// The device is killed while keys come in: when their response is lost, when it has
// arrived, and when it was applied. It reads all of them afterwards.
func restartsWhileReceiving(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	y.meet(bob)
	y.talk("first")
	bobs := y.peers[0]
	for i := range 6 {
		if i%3 == 0 {
			y.fail("sync", 1, hs.Lose)
		}
		id := y.says(bobs, fmt.Sprint("message ", i))
		if i%3 == 2 {
			y.seen(id)
		}
		y.mine.restart()
	}
	y.talk("last")
}

// Keys come from devices that are not known, and that the server will not tell of.
func queriesWhileReceiving(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	y.meet(bob)
	y.talk("first")
	y.fail("keys/query", 4, hs.Gateway)
	carols := y.peer(carol, "TABLET")
	carols.join(y.room)
	settle(t, y.server, y.peers...)
	id := y.says(carols, "you do not know me")
	y.mine.restart()
	if a, err := y.reads(y.mine.processes[0], id, patience/4); err != nil || a.Body != "you do not know me" {
		t.Errorf("it reads %q: %v", a.Body, err)
	}
	y.untilRead(carols)
	y.talk("last")
}

// Four users talk at once, and each is read by all in the order of the room. One
// process syncs, so that there is an order in which it tells.
func inOrder(t *testing.T, c cast) {
	y := tell(t, c, object{"rotation_period_msgs": 10})
	y.meet(bob, carol, dave)
	for _, d := range y.mine.processes[1:] {
		d.do(bot.Command{Name: "stop"})
	}
	const messages = 30
	speakers := append([]*device{y.mine.processes[0]}, y.peers...)
	ended := make(chan error)
	for _, from := range speakers {
		go func() {
			for i := range messages {
				if _, err := y.say(from, fmt.Sprint(i)); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	for range speakers {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	y.judge()
	for _, from := range y.peers {
		var last matrix.EventID
		for _, m := range y.sent {
			if m.Sender == from.User {
				last = m.Event
			}
		}
		y.seen(last)
	}
	y.ordered(y.mine.processes[0])
}

// ordered checks that a process told each sender's messages in their order.
func (y *story) ordered(by *device) {
	y.t.Helper()
	next, told := map[string]int{}, map[string]bool{}
	for _, e := range by.Events() {
		if e.Name != "message" || told[e.Event] {
			continue
		}
		told[e.Event] = true
		if want := fmt.Sprint(next[e.Sender]); e.Body != want {
			y.t.Errorf("%s told message %s of %s, want %s", by.name, e.Body, e.Sender, want)
		}
		next[e.Sender]++
	}
}

// All one-time keys are gone, and two peers get the same fallback key.
func fallbackForTwo(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.meet()
	y.stocked(25)
	for _, d := range y.mine.processes {
		d.do(bot.Command{Name: "stop"})
	}
	y.claim(y.server.KeyCount(y.mine.User, y.mine.ID))
	for _, user := range []matrix.UserID{bob, carol} {
		y.peer(user, "LAPTOP").join(y.room)
	}
	settle(t, y.server, y.peers...)
	for _, from := range y.peers {
		y.says(from, "this is of "+from.name)
	}
	if used := y.keysThatOpen(); len(used) != 1 {
		t.Errorf("the peers used %d keys, want the fallback key", len(used))
	}
	for _, d := range y.mine.processes {
		d.begin()
	}
	y.settle()
	y.talk("last")
}

// keysThatOpen are the one-time and fallback keys that peers used with the device.
func (y *story) keysThatOpen() map[string]bool {
	used := map[string]bool{}
	for _, e := range y.server.Exchanges("keys/claim") {
		if e.User == y.mine.User || e.Device == "BROWSER" {
			continue
		}
		var a struct {
			Keys map[matrix.UserID]map[matrix.DeviceID]map[string]json.RawMessage `json:"one_time_keys"`
		}
		if err := json.Unmarshal(e.Answer, &a); err != nil {
			y.t.Fatal(err)
		}
		for id := range a.Keys[y.mine.User][y.mine.ID] {
			used[id] = true
		}
	}
	return used
}

// A stranger hands on a message of bob's as its own: the server tells the truth about
// senders, and the message says whose it is. Nothing of it is believed, and bob's own
// messages are read as before.
func spoofed(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	y.meet(bob)
	y.talk("first")
	bobs := y.peers[0]
	// Taken on the way, and said to have arrived.
	y.server.Fail(hs.Fault{Endpoint: "sendToDevice", User: bob, Device: bobs.ID, Times: 1, Do: hs.Effect{Status: 200}})
	before := len(y.server.Exchanges("sendToDevice"))
	stolen := y.says(bobs, "who may read this?")
	y.excuse(stolen)
	taken := y.server.Exchanges("sendToDevice")[before]
	_, path, _ := strings.Cut(taken.Path, "/client/v3/")
	as(t, y.server, eve).ask("PUT", path, json.RawMessage(taken.Request))
	for _, d := range y.mine.processes {
		if a, err := y.reads(d, stolen, time.Second); err == nil {
			t.Errorf("%s reads %q with a key that a stranger brought", d.name, a.Body)
		}
	}
	y.talk("last")
}

package pawlmautrix

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/proof/synapse"
)

var (
	bridgeMessages = flag.Int("bridge.messages", 40, "messages each way in the story of the bridge")
	bridgeKills    = flag.Int("bridge.kills", 4, "how often its bridge is killed")
	bridgeRooms    = flag.Int("bridge.rooms", 5, "the rooms in it")
	bridgeGhosts   = flag.Int("bridge.ghosts", 12, "the ghosts in it, at least one a room")
	bridgeSeed     = flag.Uint64("bridge.seed", 0, "the seed of its kills (0: by the clock)")
)

const bridgeBot = id.UserID("@echobot:example.org")

// bridgeStory is a bridge that is killed while two peers talk to its ghosts, and a
// program that reads along on the bridge's device.
type bridgeStory struct {
	t        *testing.T
	server   *synapse.Server
	gate     *gate
	config   string // a file
	store    string
	programs [2]string // the bridge, and who reads along
	random   *rand.Rand
	bob      *program
	carol    *sdk
	alice    *program // on Pawl; she only reads

	mu      sync.Mutex
	bridge  *talker
	kills   int
	along   *reader
	changed chan struct{} // closed when anything below has changed
	rooms   []id.RoomID
	device  id.DeviceID
	ready   bool
	handled map[string]string // events of Matrix that have arrived in the network: their bodies
	failed  map[string]string // events that the bridge could not read: why
	sent    map[string]bool   // messages of the network that have arrived in Matrix
	said    []line            // messages of the network
	spoken  map[string]string // events that peers have sent: their bodies
	left    int               // of them, those that Synapse sent only after a refusal
}

// A bridge on bridgev2 with Pawl's crypto is killed at random instants, also within
// transactions and while it starts: after the last start every event of a room that
// Synapse accepted is read by the bridge's device, by a program that read along, by both
// peers and by a client on Pawl, and no to-device event was lost.
func TestBridge(t *testing.T) {
	if *where == "" {
		t.Skip("without Synapse: run make e2e")
	}
	needsNode(t)
	programs := [2]string{build(t, "./internal/echobridge"), build(t, "./internal/alongside")}
	for _, mode := range []struct {
		name                string
		appservice, msc4190 bool
	}{
		{"transactions with MSC4190", true, true},
		{"sync without MSC4190", false, false},
		{"transactions without MSC4190", true, false},
		{"sync with MSC4190", false, true},
	} {
		t.Run(mode.name, func(t *testing.T) {
			y := newBridgeStory(t, programs, mode.appservice, mode.msc4190)
			for _, part := range []func(){y.begin, y.play, y.end, y.judge} {
				if part(); t.Failed() {
					return
				}
			}
		})
	}
}

func (y *bridgeStory) note(do func()) {
	y.mu.Lock()
	defer y.mu.Unlock()
	do()
	close(y.changed)
	y.changed = make(chan struct{})
}

// await returns when something holds, or the test has failed: nothing happens any more.
func (y *bridgeStory) await(what string, holds func() bool) {
	y.t.Helper()
	for {
		y.mu.Lock()
		is, changed := holds(), y.changed
		y.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-time.After(2 * patience):
			y.t.Errorf("%s: it never came", what)
			return
		}
	}
}

// hear takes what a bridge tells.
func (y *bridgeStory) hear(l line) {
	y.note(func() {
		switch l.Event {
		case "room":
			y.rooms[l.Room] = id.RoomID(l.ID)
		case "ready":
			y.ready, y.device = true, id.DeviceID(l.ID)
		case "handled":
			y.handled[l.ID] = l.Body
		case "failed":
			y.failed[l.ID] = l.Error
		case "sent":
			y.sent[l.ID] = true
		case "unsent":
			y.t.Logf("message %s of the network: %s", l.ID, l.Error)
		}
	})
}

// play has peers and ghosts talk while the bridge is killed.
func (y *bridgeStory) play() {
	y.t.Helper()
	strikes := y.strikes()
	var struck sync.WaitGroup
	for i := range *bridgeMessages {
		if y.t.Failed() {
			break
		}
		if k, is := strikes[i]; is {
			struck.Wait() // one after the other
			struck.Go(func() { y.strike(k) })
		}
		y.say(line{Room: i % len(y.rooms), Ghost: y.ghost(i), ID: fmt.Sprint("n", i), Body: fmt.Sprint("from the network ", i)})
		y.speak(i, fmt.Sprint("to the network ", i))
	}
	struck.Wait()
}

// ghost is one in the room of a message, another each time.
func (y *bridgeStory) ghost(i int) int {
	rooms := len(y.rooms)
	room, turn := i%rooms, i/rooms
	inRoom := (*bridgeGhosts - room + rooms - 1) / rooms
	return room + turn%inRoom*rooms
}

// say gives the bridge a message of the network, which is given again until it has
// arrived.
func (y *bridgeStory) say(l line) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.said = append(y.said, l)
	y.bridge.say(l)
}

// speak has one of the peers say something in a room.
func (y *bridgeStory) speak(i int, body string) string {
	y.t.Helper()
	room, event := y.rooms[i%len(y.rooms)], ""
	if (i+i/len(y.rooms))%2 == 0 {
		event = y.bob.say(room, body).String()
	} else {
		event, _ = y.carol.do("send", map[string]any{"room": room, "body": body})["event_id"].(string)
	}
	y.note(func() { y.spoken[event] = body })
	return event
}

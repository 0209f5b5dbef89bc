package pawlmautrix

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/proof/synapse"
	"github.com/pawlkv/pawl/matrix"
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

func newBridgeStory(t *testing.T, programs [2]string, appservice, msc4190 bool) *bridgeStory {
	t.Helper()
	seed := *bridgeSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("play it again with -bridge.seed=%d", seed)
	y := &bridgeStory{
		t: t, programs: programs, rooms: make([]id.RoomID, *bridgeRooms), random: rand.New(rand.NewPCG(seed, 0)), changed: make(chan struct{}),
		handled: map[string]string{}, failed: map[string]string{}, sent: map[string]bool{}, spoken: map[string]string{},
	}
	folder, err := os.MkdirTemp("", "echo") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "socket")
	y.store = filepath.Join(folder, "store")
	y.gate = startGate(t, socket, y.readAlong)
	y.server = synapse.Start(t, *where, "example.org", synapse.Service{
		"id": "echo", "url": y.gate.URL, "as_token": "as-token", "hs_token": "hs-token", "sender_localpart": "echosender", "rate_limited": false,
		"namespaces": map[string]any{"users": []map[string]any{
			{"regex": "^@echobot:example\\.org$", "exclusive": true}, {"regex": "^@echo_.*:example\\.org$", "exclusive": true},
		}},
		"receive_ephemeral": true, "de.sorunome.msc2409.push_ephemeral": true,
		"org.matrix.msc3202": appservice, "io.element.msc4190": msc4190,
	})
	config, err := json.Marshal(map[string]any{
		"Homeserver": y.server.URL(), "Domain": "example.org", "AppToken": "as-token", "ServerToken": "hs-token", "Socket": socket, "Folder": folder,
		"Appservice": appservice, "MSC4190": msc4190, "Rooms": *bridgeRooms, "Ghosts": *bridgeGhosts, "Users": []id.UserID{bob, carol, alice}, "Rotation": 1,
	})
	y.config = filepath.Join(folder, "config.json")
	if err == nil {
		err = os.WriteFile(y.config, config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []id.UserID{bob, carol, alice} {
		y.server.AddUser(matrix.UserID(u), "secret")
	}
	return y
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

// launch starts the bridge, and waits until it has started unless that is struck.
func (y *bridgeStory) launch() {
	y.t.Helper()
	y.note(func() { y.ready = false })
	y.gate.begins(y.kills)
	p := talk(y.t, y.hear, y.programs[0], y.config)
	y.note(func() { y.bridge = p })
}

// begin has everybody in all rooms.
func (y *bridgeStory) begin() {
	y.t.Helper()
	y.bob = startMautrix(y.t, y.server, bob, "LAPTOP")
	y.carol = startSDK(y.t, y.server, carol, "NODE")
	y.alice = startPawl(y.t, y.server, y.server.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(y.t.TempDir(), "alice.pawl"))
	y.launch()
	y.await("the start of the bridge", func() bool { return y.ready })
	if y.t.Failed() {
		return
	}
	for _, room := range y.rooms {
		for _, p := range []*program{y.bob, y.alice} {
			if _, err := p.client.JoinRoomByID(y.t.Context(), room); err != nil {
				y.t.Fatal(err)
			}
		}
		y.carol.do("join", map[string]any{"room": room})
	}
	for _, room := range y.rooms {
		y.bob.awaitEncrypted(room)
		y.alice.awaitEncrypted(room)
	}
	y.settle()
	along := newReader(y)
	y.note(func() { y.along = along })
}

// settle waits until the peers have all there is.
func (y *bridgeStory) settle() {
	y.t.Helper()
	ctx, cancel := context.WithTimeout(y.t.Context(), patience)
	defer cancel()
	peers := map[matrix.UserID]matrix.DeviceID{matrix.UserID(bob): "LAPTOP", matrix.UserID(carol): "NODE", matrix.UserID(alice): matrix.DeviceID(phone)}
	if err := y.server.Settle(ctx, peers); err != nil {
		y.t.Fatal(err)
	}
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

// end has both peers say a last word in each room. When these have arrived everything
// before has: events come in order.
func (y *bridgeStory) end() {
	y.t.Helper()
	var last []string
	for i := range 2 * len(y.rooms) {
		last = append(last, y.speak(i, fmt.Sprint("last word ", i)))
	}
	y.await("the last words", func() bool {
		return !slices.ContainsFunc(last, func(e string) bool { return y.handled[e] == "" })
	})
	y.await("all messages of the network", func() bool {
		return !slices.ContainsFunc(y.said, func(l line) bool { return !y.sent[l.ID] })
	})
	y.settle()
}

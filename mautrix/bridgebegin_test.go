package pawlmautrix

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/proof/synapse"
	"github.com/pawlkv/pawl/matrix"
)

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
	y.gate = startGate(t, socket, y.readAlong, func() { y.note(func() {}) })
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

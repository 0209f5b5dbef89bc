package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/internal/proof/clients/pawlbot"
	"github.com/pawlkv/pawl/matrix"
)

// storedNode is matrix-sdk-crypto in Node with an IndexedDB, of which there can be a copy.
const storedNode = "stored node"

// wedges are ways in which a peer and the device under test come apart.
var wedges = []struct {
	name  string
	play  func(*testing.T, cast)
	peers []string
}{
	{"the peer is restored from an old copy", restoredPeer, []string{"mautrix", storedNode}},
	{"the peer is restored from an old copy and speaks first", restoredPeerSpeaks, []string{"mautrix", storedNode}},
	{"the peer has lost a one-time key", lostPeerKey, peers},
	{"a one-time key is handed to two peers", sharedKey, peers},
	{"sessions are given up by a recovery", recovered, peers},
}

// TestUnwedging: whatever keeps one side from reading the other, both read each other
// again, and what Pawl claims for that is one key at most.
func TestUnwedging(t *testing.T) {
	for i, w := range wedges {
		for j, peer := range w.peers {
			t.Run(w.name+", "+peer, func(t *testing.T) {
				t.Parallel() // they wait more than they compute
				w.play(t, cast{engines[(i+j)%2], peer})
			})
		}
	}
}

// steady is a peer whose store stays when its process ends.
type steady struct {
	*device
	y            *story
	store, token string
}

func (y *story) steady(user matrix.UserID) *steady {
	y.t.Helper()
	p := &steady{y: y, store: filepath.Join(y.t.TempDir(), "store"), token: y.server.Login(user, "LAPTOP")}
	p.device = &device{Device: oracle.Device{User: user, ID: "LAPTOP"}}
	p.start()
	return p
}

func (p *steady) start() {
	p.y.t.Helper()
	p.device = launch(p.y.t, p.y.cast.peer, "LAPTOP", p.Device)
	p.login(p.y.server, p.store, p.token)
	p.begin()
}

func (p *steady) kill() {
	p.y.t.Helper()
	_ = p.Kill() // how it ended is known
	p.gone = true
}

// drain takes all one-time keys of a device from the server.
func (y *story) drain(of oracle.Device) {
	y.t.Helper()
	stranger := as(y.t, y.server, eve)
	for range y.server.KeyCount(of.User, of.ID) {
		wanted := map[matrix.UserID]map[matrix.DeviceID]string{of.User: {of.ID: "signed_curve25519"}}
		stranger.ask("POST", "keys/claim", object{"one_time_keys": wanted})
	}
}

// offerAgain uploads a one-time key of a device once more that somebody has claimed, as
// happens where an upload is repeated.
func (y *story) offerAgain(of oracle.Device, token string, claimer matrix.UserID) {
	y.t.Helper()
	for _, e := range y.server.Exchanges("keys/claim") {
		if e.User != claimer {
			continue
		}
		var a struct {
			Keys map[matrix.UserID]map[matrix.DeviceID]map[string]json.RawMessage `json:"one_time_keys"`
		}
		if err := json.Unmarshal(e.Answer, &a); err != nil {
			y.t.Fatal(err)
		}
		if keys := a.Keys[of.User][of.ID]; len(keys) > 0 {
			(&person{y.t, y.server, token}).ask("POST", "keys/upload", object{"one_time_keys": keys})
			if n := y.server.KeyCount(of.User, of.ID); n == 0 {
				y.t.Fatal("the server did not take the key again")
			}
			return
		}
	}
	y.t.Fatalf("%s has claimed no key of %s", claimer, of.User)
}

// claims counts the requests of the device under test that claim keys.
func (y *story) claims() int {
	n := 0
	for _, e := range y.server.Exchanges("keys/claim") {
		if e.User == y.mine.User {
			n++
		}
	}
	return n
}

// readBy reports whether a device reads what another says now, within some time.
func (y *story) readBy(from, to *device, body string, within time.Duration) bool {
	y.t.Helper()
	sent, err := from.try(bot.Command{Name: "send", Room: y.room, Body: body})
	if err != nil {
		y.t.Fatal(err)
	}
	a, err := y.reads(to, matrix.EventID(sent.Event), within)
	return err == nil && a.Body == body
}

// wedgedRounds are how many messages each way it may take until both are read: what
// shows that something is wrong, and what is on its way meanwhile.
const wedgedRounds = 6

// recovers lets both talk until both read each other, and then some more.
func (y *story) recovers(peer *device) {
	y.t.Helper()
	// The hour is over in which neither side opens another session.
	const later = 2 * time.Hour
	y.mine.later(later)
	peer.do(bot.Command{Name: "later", Timeout: int(later.Milliseconds())})
	claims := y.claims()
	healthy := 0
	for round := range wedgedRounds + 2 {
		mine := y.mine.next()
		there := y.readBy(mine, peer, fmt.Sprintf("round %d there", round), 10*time.Second)
		back := y.readBy(peer, mine, fmt.Sprintf("round %d back", round), 10*time.Second)
		y.t.Logf("round %d: there %v, back %v", round, there, back)
		if healthy++; !there || !back {
			healthy = 0
		}
		if healthy == 2 {
			break
		}
	}
	if healthy < 2 {
		y.t.Errorf("after %d rounds they do not read each other", wedgedRounds+2)
	}
	if n := y.claims() - claims; n > 1 {
		y.t.Errorf("%d claims in one hour", n)
	}
}

// restoredPeer: the peer goes back to a store of some messages ago.
func restoredPeer(t *testing.T, c cast) {
	y, p := wentBack(t, c)
	y.recovers(p.device)
}

// restoredPeerSpeaks: and what it says first is in a session as it was then.
func restoredPeerSpeaks(t *testing.T, c cast) {
	y, p := wentBack(t, c)
	t.Logf("its first words are read: %v", y.readBy(p.device, y.mine.next(), "I am back", time.Second))
	y.recovers(p.device)
}

// wentBack is a peer that has gone back.
func wentBack(t *testing.T, c cast) (*story, *steady) {
	y := tell(t, c, everyMessage)
	y.mine.open()
	y.mine.processes[0].join(y.room)
	p := y.steady(bob)
	p.join(y.room)
	settle(t, y.server, p.device, y.mine.processes[0])
	talk := func(times int) {
		for i := range times {
			if !y.readBy(y.mine.next(), p.device, fmt.Sprint("there ", i), patience/2) || !y.readBy(p.device, y.mine.next(), fmt.Sprint("back ", i), patience/2) {
				t.Fatal("they do not read each other at the beginning")
			}
		}
	}
	talk(2)
	restore := p.copy()
	talk(3)
	restore()
	return y, p
}

// copy copies the store, and returns what puts the copy in its place.
func (p *steady) copy() (restore func()) {
	p.y.t.Helper()
	if p.y.cast.peer == storedNode { // the database is in the memory of its process
		p.do(bot.Command{Name: "copy"})
		return func() {
			p.do(bot.Command{Name: "stop"})
			p.do(bot.Command{Name: "restore"})
			p.begin()
		}
	}
	p.kill()
	old := filepath.Join(p.y.t.TempDir(), "copy")
	if err := os.CopyFS(old, os.DirFS(p.store)); err != nil {
		p.y.t.Fatal(err)
	}
	p.start()
	return func() {
		p.kill()
		p.store = old
		p.start()
	}
}

// lostPeerKey: the server hands us a one-time key of the peer that it does not have any
// more, since another device has used it.
func lostPeerKey(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	p := y.steady(bob)
	p.join(y.room)
	other := start(t, y.server, "mautrix", carol, "TABLET")
	other.join(y.room)
	settle(t, y.server, p.device, other)
	if !y.readBy(other, p.device, "the first", patience/2) {
		t.Fatal("the peer does not read")
	}
	p.do(bot.Command{Name: "stop"})
	y.drain(p.Device)
	y.offerAgain(p.Device, p.token, carol)
	y.mine.open()
	y.mine.processes[0].join(y.room)
	settle(t, y.server, other, y.mine.processes[0])
	if _, err := y.mine.next().try(bot.Command{Name: "send", Room: y.room, Body: "lost"}); err != nil {
		t.Fatal(err)
	}
	p.begin()
	y.recovers(p.device)
}

// sharedKey: the server hands a one-time key of ours to two peers.
func sharedKey(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	y.mine.open()
	y.mine.processes[0].join(y.room)
	other := start(t, y.server, "mautrix", carol, "TABLET")
	other.join(y.room)
	settle(t, y.server, other, y.mine.processes[0])
	if !y.readBy(other, y.mine.next(), "the first", patience/2) {
		t.Fatal("the device does not read")
	}
	y.stocked(50) // so that no upload follows that has others
	for _, d := range y.mine.processes {
		d.do(bot.Command{Name: "stop"})
	}
	y.drain(y.mine.Device)
	y.offerAgain(y.mine.Device, y.mine.token, carol)
	p := y.steady(bob)
	p.join(y.room)
	settle(t, y.server, other, p.device)
	lost := p.do(bot.Command{Name: "send", Room: y.room, Body: "lost"})
	if used := y.keysThatOpen(); len(used) != 1 {
		t.Fatalf("the peers were handed %d keys, want one and the same", len(used))
	}
	for _, d := range y.mine.processes {
		d.begin()
	}
	y.recovers(p.device)
	// A one-time key opens one session: what came under it again stays closed.
	if a, err := y.reads(y.mine.next(), matrix.EventID(lost.Event), time.Second); err == nil {
		t.Errorf("%q is read, whose key came in a second session of one one-time key", a.Body)
	}
}

// recovered: our store went back in time, and was recovered: no session that there was
// sends any more.
func recovered(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	y.mine.open()
	y.mine.processes[0].join(y.room)
	p := y.steady(bob)
	p.join(y.room)
	settle(t, y.server, p.device, y.mine.processes[0])
	for i := range 2 {
		if !y.readBy(y.mine.next(), p.device, fmt.Sprint("there ", i), patience/2) || !y.readBy(p.device, y.mine.next(), fmt.Sprint("back ", i), patience/2) {
			t.Fatal("they do not read each other at the beginning")
		}
	}
	for i := range y.mine.processes {
		y.mine.kill(i)
	}
	if n := y.mine.recover(); n == 0 {
		t.Error("no session was given up")
	}
	for i := range y.mine.processes {
		y.mine.revive(i)
	}
	y.recovers(p.device)
}

// recover does what "pawl recover" does, and returns how many sessions it gave up.
func (m *subject) recover() int {
	m.t.Helper()
	engine, err := pawlbot.Engines[m.kind](m.store)
	if err != nil {
		m.t.Fatal(err)
	}
	defer engine.Close()
	s, err := pawl.Open(m.t.Context(), engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		m.t.Fatal(err)
	}
	machine, err := s.OpenOrCreate(m.t.Context(), m.User, m.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	done, err := machine.Recover(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return done.Sessions
}

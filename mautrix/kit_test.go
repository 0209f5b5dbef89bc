package pawlmautrix

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/synapse"
	"github.com/pawlkv/pawl/matrix"
)

const (
	alice = id.UserID("@alice:example.org") // whose device is tested
	bob   = id.UserID("@bob:example.org")
	phone = id.DeviceID("PHONE")
)

// patience is for a busy machine.
const patience = time.Minute

// where Synapse is installed, or "": then the homeserver is that of package hs.
var where = flag.String("synapse", "", "the virtual environment that has Synapse, for a real homeserver")

func homeserver(t *testing.T) hs.Homeserver {
	t.Helper()
	if *where != "" {
		t.Parallel() // they wait more than they compute
		return synapse.Start(t, *where, "example.org")
	}
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func server(t *testing.T, users ...id.UserID) hs.Homeserver {
	t.Helper()
	s := homeserver(t)
	t.Cleanup(func() { s.Close() })
	for _, u := range append(users, alice, bob) {
		s.AddUser(matrix.UserID(u), "secret")
	}
	return s
}

// program is a client that has read what it tells.
type program struct {
	t      *testing.T
	client *mautrix.Client
	helper interface{ Close() error }
	cancel context.CancelFunc
	ended  chan error

	mu     sync.Mutex
	read   []*event.Event
	failed []error
	moved  chan struct{}
}

func newProgram(t *testing.T, s hs.Homeserver, user id.UserID, device id.DeviceID, token string) *program {
	t.Helper()
	c, err := mautrix.NewClient(s.URL(), user, token)
	if err != nil {
		t.Fatal(err)
	}
	c.DeviceID = device
	c.Log = zerolog.New(io.Discard)
	c.Client.Transport = attributed{http.DefaultTransport}
	p := &program{t: t, client: c, moved: make(chan struct{})}
	c.Syncer.(*mautrix.DefaultSyncer).OnEventType(event.EventMessage, func(_ context.Context, e *event.Event) {
		p.note(func() { p.read = append(p.read, e) })
	})
	return p
}

func (p *program) note(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.moved)
	p.moved = make(chan struct{})
}

func (p *program) undecryptable(_ *event.Event, err error) {
	p.note(func() { p.failed = append(p.failed, err) })
}

// pawl starts a client with Pawl's helper: any number of them are one device.
func startPawl(t *testing.T, s hs.Homeserver, token, store string) *program {
	t.Helper()
	p := newProgram(t, s, alice, phone, token)
	h, err := NewCryptoHelper(p.client, []byte("secret"), store)
	if err != nil {
		t.Fatal(err)
	}
	h.DecryptErrorCallback = p.undecryptable
	p.start(h)
	return p
}

// startMautrix starts a client with mautrix-go's own helper.
func startMautrix(t *testing.T, s hs.Homeserver, user id.UserID, device id.DeviceID) *program {
	t.Helper()
	p := newProgram(t, s, user, device, s.Login(matrix.UserID(user), matrix.DeviceID(device)))
	raw, err := driver.Open("file:" + filepath.Join(t.TempDir(), "own.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	h, err := cryptohelper.NewCryptoHelper(p.client, []byte("secret"), db)
	if err != nil {
		t.Fatal(err)
	}
	h.DecryptErrorCallback = p.undecryptable
	p.start(h)
	return p
}

// start begins to sync with a helper.
func (p *program) start(h interface {
	mautrix.CryptoHelper
	Close() error
}) {
	p.t.Helper()
	p.helper = h
	p.t.Cleanup(p.stop)
	if err := h.Init(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.client.Crypto = h
	p.sync()
}

func (p *program) sync() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.ended = cancel, make(chan error, 1)
	go func() { p.ended <- p.client.SyncWithContext(ctx) }()
}

// stop ends a program as its user does.
func (p *program) stop() {
	p.t.Helper()
	if p.cancel != nil {
		select {
		case err := <-p.ended: // by itself
			if err != nil {
				p.t.Error("syncing ended with", err)
			}
		default:
			p.cancel()
			<-p.ended
		}
		p.cancel = nil
	}
	if p.helper != nil {
		if err := p.helper.Close(); err != nil {
			p.t.Error(err)
		}
		p.helper = nil
	}
}

// await returns when something holds of what was read and could not be.
func (p *program) await(what string, holds func(read []*event.Event, failed []error) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		p.mu.Lock()
		done, moved := holds(p.read, p.failed), p.moved
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			p.t.Fatalf("%s of %s never came: %d read, failed %v", what, p.client.DeviceID, len(p.read), p.failed)
		}
	}
}

// reads waits until an event was read with this body, and returns it.
func (p *program) reads(body string) (found *event.Event) {
	p.t.Helper()
	p.await(body, func(read []*event.Event, _ []error) bool {
		for _, e := range read {
			if e.Content.AsMessage().Body == body {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func (p *program) say(room id.RoomID, body string) id.EventID {
	p.t.Helper()
	sent, err := p.client.SendText(p.t.Context(), room, body)
	_, stock := p.helper.(*cryptohelper.CryptoHelper)
	for stock && errors.Is(err, crypto.ErrNoGroupSession) {
		// mautrix-go gives up if a sync tells of a member while it shares the room's session:
		// its user sends again.
		sent, err = p.client.SendText(p.t.Context(), room, body)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return sent.EventID
}

// makeRoom makes an encrypted room that all have joined.
func makeRoom(t *testing.T, first *program, others ...*program) id.RoomID {
	t.Helper()
	q := &mautrix.ReqCreateRoom{
		Preset: "private_chat",
		InitialState: []*event.Event{{
			Type: event.StateEncryption, Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}},
		}},
	}
	for _, p := range others {
		q.Invite = append(q.Invite, p.client.UserID)
	}
	made, err := first.client.CreateRoom(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range others {
		if _, err := p.client.JoinRoomByID(t.Context(), made.RoomID); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range append(others, first) {
		p.awaitEncrypted(made.RoomID)
	}
	return made.RoomID
}

// awaitEncrypted waits until a sync has told the client that a room is encrypted.
func (p *program) awaitEncrypted(room id.RoomID) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		is, err := p.client.StateStore.IsEncrypted(ctx, room)
		if err != nil {
			p.t.Fatal(err)
		}
		if is {
			tick.Stop()
			return
		}
		<-tick.C
	}
}

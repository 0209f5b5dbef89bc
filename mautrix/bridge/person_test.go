package pawlbridge

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
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

	"github.com/pawlkv/pawl/matrix"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// person is a client of mautrix-go.
type person struct {
	testing.TB
	client *mautrix.Client
	helper helper

	mu     sync.Mutex
	read   []*event.Event
	failed []error
}

// helper is what the two helpers have in common.
type helper interface {
	mautrix.CryptoHelper
	Machine() *crypto.OlmMachine
	Close() error
}

// person starts a client with mautrix-go's own helper.
func (w *world) person(user id.UserID, device id.DeviceID) *person {
	w.Helper()
	p := w.newPerson(user, device)
	raw, err := driver.Open("file:" + filepath.Join(w.TempDir(), "own.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		w.Fatal(err)
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		w.Fatal(err)
	}
	h, err := cryptohelper.NewCryptoHelper(p.client, []byte("secret"), db)
	if err != nil {
		w.Fatal(err)
	}
	h.DecryptErrorCallback = p.undecryptable
	p.start(h)
	return p
}

// personOnPawl starts a client with Pawl's.
func (w *world) personOnPawl(user id.UserID, device id.DeviceID) *person {
	w.Helper()
	p := w.newPerson(user, device)
	h, err := pawlmautrix.NewCryptoHelper(p.client, []byte("secret"), filepath.Join(w.TempDir(), "own.pawl"))
	if err != nil {
		w.Fatal(err)
	}
	h.DecryptErrorCallback = p.undecryptable
	p.start(h)
	return p
}

func (w *world) newPerson(user id.UserID, device id.DeviceID) *person {
	w.Helper()
	c, err := mautrix.NewClient(w.s.URL(), user, w.s.Login(matrix.UserID(user), matrix.DeviceID(device)))
	if err != nil {
		w.Fatal(err)
	}
	c.DeviceID, c.Log = device, zerolog.New(io.Discard)
	p := &person{TB: w.TB, client: c}
	c.Syncer.(*mautrix.DefaultSyncer).OnEventType(event.EventMessage, func(_ context.Context, e *event.Event) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.read = append(p.read, e)
	})
	return p
}

func (p *person) undecryptable(_ *event.Event, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, err)
}

// start begins to sync with a helper.
func (p *person) start(h helper) {
	p.Helper()
	p.helper = h
	if err := h.Init(p.Context()); err != nil {
		p.Fatal(err)
	}
	p.client.Crypto = h
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.client.SyncWithContext(ctx) }()
	p.Cleanup(func() { cancel(); <-ended; _ = h.Close() })
}

// awaits waits until something holds.
func (p *person) awaits(what string, holds func() bool) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), longest)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.Fatalf("%s never came", what)
		}
	}
}

func (p *person) reads(body string) (found *event.Event) {
	p.Helper()
	p.awaits(body, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range p.read {
			if e.Content.AsMessage().Body == body {
				found = e
			}
		}
		return found != nil
	})
	return found
}

func (p *person) say(room id.RoomID, body string) id.EventID {
	p.Helper()
	sent, err := p.client.SendText(p.Context(), room, body)
	_, stock := p.helper.(*cryptohelper.CryptoHelper)
	for stock && errors.Is(err, crypto.ErrNoGroupSession) { // a member came while mautrix-go shared the session
		sent, err = p.client.SendText(p.Context(), room, body)
	}
	if err != nil {
		p.Fatal(err)
	}
	return sent.EventID
}

// rotates makes somebody send in another session.
func (p *person) rotates(room id.RoomID) {
	p.Helper()
	if err := p.helper.Machine().CryptoStore.RemoveOutboundGroupSession(p.Context(), room); err != nil {
		p.Fatal(err)
	}
}

// withheld waits for a notice that a key is withheld.
func (p *person) withheld(code event.RoomKeyWithheldCode) {
	p.Helper()
	p.awaits(string(code), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.failed, func(err error) bool { return errors.Is(err, &event.RoomKeyWithheldEventContent{Code: code}) })
	})
}

// heard reports whether somebody has read something with a part.
func (p *person) heard(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.read, func(e *event.Event) bool { return strings.Contains(e.Content.AsMessage().Body, part) })
}

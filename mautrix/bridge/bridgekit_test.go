package pawlbridge

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	bridgematrix "maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/group"
)

// bridge is a bridge that runs.
type bridge struct {
	*world
	*bridgev2.Bridge
	connector *bridgematrix.Connector
	db        *dbutil.Database

	mu    sync.Mutex
	read  []*event.Event
	moved chan struct{}
	ended bool
}

// open makes a bridge that is not started.
func (w *world) open() *bridge {
	w.Helper()
	raw, err := driver.Open("file:" + filepath.Join(w.folder, "bridge.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		w.Fatal(err)
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		w.Fatal(err)
	}
	b := &bridge{world: w, db: db, connector: bridgematrix.NewConnector(w.settings()), moved: make(chan struct{})}
	b.Bridge = bridgev2.NewBridge("net", db, w.log, &b.connector.Config.Bridge, b.connector, network{}, commands.NewProcessor)
	store := w.store
	if store == nil {
		store = filepath.Join(w.folder, "bridge.pawl")
	}
	b.connector.Crypto = NewBridgeCrypto(b.connector, store)
	b.connector.EventProcessor.On(event.EventMessage, func(_ context.Context, e *event.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.read = append(b.read, e)
		close(b.moved)
		b.moved = make(chan struct{})
	})
	w.Cleanup(b.stop)
	return b
}

// start starts a bridge.
func (w *world) start() *bridge {
	w.Helper()
	b := w.open()
	if err := b.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
	return b
}

// stop ends a bridge, as its process does.
func (b *bridge) stop() {
	if !b.ended {
		b.ended = true
		b.Stop()
		_ = b.db.Close()
	}
}

// crypto is the bridge's.
func (b *bridge) crypto() *bridgeCrypto { return b.connector.Crypto.(*bridgeCrypto) }

// push lets the homeserver send what there is.
func (b *bridge) push() {
	b.Helper()
	if b.fake == nil {
		return
	}
	t, err := b.fake.Transaction(b.service)
	if err == nil {
		err = b.fake.Push(b.Context(), t)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// reads waits until the bridge has read something.
func (b *bridge) reads(body string) *event.Event {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), longest)
	defer cancel()
	for {
		b.mu.Lock()
		i := slices.IndexFunc(b.read, func(e *event.Event) bool { return e.Content.AsMessage().Body == body })
		all, moved := b.read, b.moved
		b.mu.Unlock()
		if i >= 0 {
			return all[i]
		}
		b.push()
		select {
		case <-moved:
		case <-time.After(20 * time.Millisecond): // then there may be another transaction
		case <-ctx.Done():
			b.Fatalf("the bridge never read %q, but %d others", body, len(all))
		}
	}
}

// say lets the bridge's bot say something, encrypted where the room is.
func (b *bridge) say(room id.RoomID, body string) id.EventID {
	b.Helper()
	sent, err := b.Bot.SendMessage(b.Context(), room, event.EventMessage, &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgText, Body: body}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return sent.EventID
}

// room makes an encrypted room of the bot's with carol in it.
func (b *bridge) room(with *person) id.RoomID {
	b.Helper()
	room, err := b.Bot.CreateRoom(b.Context(), &mautrix.ReqCreateRoom{Preset: "private_chat", Invite: []id.UserID{with.client.UserID}})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := with.client.JoinRoomByID(b.Context(), room); err != nil {
		b.Fatal(err)
	}
	with.awaits("the room's encryption", func() bool {
		is, err := with.client.StateStore.IsEncrypted(b.Context(), room)
		return err == nil && is
	})
	with.awaits("the room, in the bridge's state", func() bool {
		b.push()
		is, err := b.connector.StateStore.IsEncrypted(b.Context(), room)
		return err == nil && (is || !b.connector.Config.Encryption.Default) && b.connector.StateStore.IsInRoom(b.Context(), room, with.client.UserID)
	})
	return room
}

// event is one of a room, as the server has it.
func (b *bridge) event(room id.RoomID, name id.EventID) *event.Event {
	b.Helper()
	e, err := b.connector.Crypto.Client().GetEvent(b.Context(), room, name)
	if err != nil {
		b.Fatal(err)
	}
	e.Type.Class = event.MessageEventType
	if err := e.Content.ParseRaw(e.Type); err != nil && !errors.Is(err, event.ErrContentAlreadyParsed) {
		b.Fatal(err)
	}
	return e
}

func (b *bridge) sessionOf(room id.RoomID, name id.EventID) id.SessionID {
	b.Helper()
	return b.event(room, name).Content.AsEncrypted().SessionID
}

// readable fails the test unless an event can be read, or cannot since its key is given up.
func (b *bridge) readable(what string, room id.RoomID, name id.EventID, want bool) {
	b.Helper()
	_, err := b.connector.Crypto.Decrypt(b.Context(), b.event(room, name))
	if want && err != nil || !want && !errors.Is(err, group.ErrForgotten) && !errors.Is(err, group.ErrTooEarly) {
		b.Errorf("%s can be read: want %v, is %v", what, want, err)
	}
}

// forgets waits until an event cannot be read any more.
func (b *bridge) forgets(p *person, what string, room id.RoomID, name id.EventID) {
	b.Helper()
	e := b.event(room, name)
	p.awaits("the end of "+what, func() bool {
		b.push()
		_, err := b.connector.Crypto.Decrypt(b.Context(), e)
		return errors.Is(err, group.ErrForgotten)
	})
}

func (b *bridge) olm() *crypto.OlmMachine {
	b.Helper()
	h, err := b.crypto().helper()
	if err != nil {
		b.Fatal(err)
	}
	return h.Machine()
}

// count is how often the bridge has read something.
func (b *bridge) count(body string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.read {
		if e.Content.AsMessage().Body == body {
			n++
		}
	}
	return n
}

// knows waits until the bridge knows of some devices of a user.
func (b *bridge) knows(p *person, user id.UserID, n int) {
	b.Helper()
	p.awaits("devices", func() bool {
		b.push()
		all, err := b.olm().CryptoStore.GetDevices(b.Context(), user)
		return err == nil && len(all) == n
	})
}

// goes waits until the bridge knows that a device is gone.
func (b *bridge) goes(p *person, user id.UserID, device id.DeviceID) {
	b.Helper()
	p.awaits("the end of a device", func() bool {
		b.push()
		all, err := b.olm().CryptoStore.GetDevices(b.Context(), user)
		return err == nil && all[device] == nil
	})
}

package pawlbridge

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/rs/zerolog"
	"go.mau.fi/util/configupgrade"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/database"
	bridgematrix "maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// longest is for a busy machine.
const longest = time.Minute

const (
	bridgeBot = id.UserID("@net_bot:example.org")
	ghost     = id.UserID("@net_u_ghost:example.org")
	carol     = id.UserID("@carol:example.org")

	serviceToken = "theservices"
	serverToken  = "theservers"
)

// network is a network that nobody is in.
type network struct{}

func (network) Init(*bridgev2.Bridge)       {}
func (network) Start(context.Context) error { return nil }
func (network) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Net", NetworkURL: "https://example.org", NetworkID: "net", BeeperBridgeType: "net"}
}
func (network) GetDBMetaTypes() database.MetaTypes { return database.MetaTypes{} }
func (network) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (network) GetConfig() (string, any, configupgrade.Upgrader)         { return "", nil, nil }
func (network) LoadUserLogin(context.Context, *bridgev2.UserLogin) error { return nil }
func (network) GetLoginFlows() []bridgev2.LoginFlow                      { return nil }
func (network) GetBridgeInfoVersion() (int, int)                         { return 1, 1 }
func (network) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, bridgev2.ErrNotLoggedIn
}

// world is a homeserver with an application service.
type world struct {
	testing.TB
	s       hs.Homeserver
	at      string     // where it is
	fake    *hs.Server // nil: it is a real one, which sends transactions by itself
	service hs.Service
	address *net.TCPAddr // where the bridge listens
	folder  string
	config  func(*bridgeconfig.Config) // changes it
	store   any                        // nil: a path
	log     zerolog.Logger
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, folder: t.TempDir(), address: free(t), log: zerolog.New(io.Discard)}
	w.service = hs.Service{URL: fmt.Sprintf("http://%s", w.address), ServerToken: serverToken, Token: serviceToken, Prefix: "@net_"}
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Register(w.service)
	w.s, w.fake, w.at = s, s, s.URL()
	for _, u := range []id.UserID{bridgeBot, ghost, carol, "@dave:example.org"} {
		s.AddUser(matrix.UserID(u), "secret")
	}
	return w
}

// free is an address that nobody listens at.
func free(t testing.TB) *net.TCPAddr {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr)
}

// settings are a bridge's configuration.
func (w *world) settings() *bridgeconfig.Config {
	c := &bridgeconfig.Config{}
	c.Homeserver.Address, c.Homeserver.Domain = w.at, "example.org"
	c.AppService.ID, c.AppService.ASToken, c.AppService.HSToken = "net", serviceToken, serverToken
	c.AppService.Hostname, c.AppService.Port = "127.0.0.1", uint16(w.address.Port)
	c.AppService.Bot.Username, c.AppService.UsernameTemplate = "net_bot", "net_u_{{.}}"
	c.Bridge.CommandPrefix = "!net"
	c.Bridge.Permissions = bridgeconfig.PermissionConfig{"*": &bridgeconfig.PermissionLevelAdmin}
	e := &c.Encryption
	e.Allow, e.Default, e.PickleKey = true, true, "secret"
	e.Appservice, e.MSC4190 = true, true
	if w.config != nil {
		w.config(c)
	}
	return c
}

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

// person is a client of mautrix-go.
type person struct {
	testing.TB
	client *mautrix.Client
	helper *cryptohelper.CryptoHelper

	mu     sync.Mutex
	read   []*event.Event
	failed []error
}

func (w *world) person(user id.UserID, device id.DeviceID) *person {
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
	raw, err := driver.Open("file:" + filepath.Join(w.TempDir(), "own.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		w.Fatal(err)
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		w.Fatal(err)
	}
	if p.helper, err = cryptohelper.NewCryptoHelper(c, []byte("secret"), db); err != nil {
		w.Fatal(err)
	}
	p.helper.DecryptErrorCallback = func(_ *event.Event, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed = append(p.failed, err)
	}
	if err := p.helper.Init(w.Context()); err != nil {
		w.Fatal(err)
	}
	c.Crypto = p.helper
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.SyncWithContext(ctx) }()
	w.Cleanup(func() { cancel(); <-ended; _ = p.helper.Close() })
	return p
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
	if err != nil {
		p.Fatal(err)
	}
	return sent.EventID
}

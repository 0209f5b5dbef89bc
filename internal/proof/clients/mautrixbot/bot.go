// Package mautrixbot is a client of mautrix-go that the tests drive, on SQLite, as
// its users set it up.
package mautrixbot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
)

// client is one device.
type client struct {
	tell   func(bot.Event)
	matrix *mautrix.Client
	helper *cryptohelper.CryptoHelper
	db     *dbutil.Database
	cancel context.CancelFunc // ends syncing
	ended  chan error         // answers when syncing has ended; nil while it has not begun
}

// Open is for bot.Serve.
func Open(tell func(bot.Event)) bot.Client { return &client{tell: tell} }

func (c *client) Do(ctx context.Context, q bot.Command) (a bot.Answer, err error) {
	if c.matrix == nil && q.Name != "login" {
		return a, errors.New("not logged in")
	}
	switch q.Name {
	case "login":
		return a, c.login(ctx, q)
	case "start":
		return a, c.start(ctx)
	case "stop":
		return a, c.stop()
	case "join":
		_, err = c.matrix.JoinRoomByID(ctx, id.RoomID(q.Room))
		return a, err
	case "send":
		sent, err := c.matrix.SendText(ctx, id.RoomID(q.Room), q.Body)
		for errors.Is(err, crypto.ErrNoGroupSession) { // a member came while it shared the session
			sent, err = c.matrix.SendText(ctx, id.RoomID(q.Room), q.Body)
		}
		if err != nil {
			return a, err
		}
		return bot.Answer{Event: sent.EventID.String()}, nil
	case "read":
		return c.read(ctx, q)
	case "later":
		// mautrix-go opens no session within an hour of the last.
		ago := time.Now().Add(-time.Duration(q.Timeout) * time.Millisecond)
		_, err = c.db.Exec(ctx, "UPDATE crypto_olm_session SET created_at=$1", ago)
		return a, err
	}
	return a, fmt.Errorf("no command %q", q.Name)
}

// login opens the store with the SQLite that Pawl uses: no C compiler is needed.
func (c *client) login(ctx context.Context, q bot.Command) error {
	if err := os.MkdirAll(q.Store, 0o700); err != nil {
		return err
	}
	db, err := driver.Open("file:" + filepath.Join(q.Store, "bot.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	if c.db, err = dbutil.NewWithDB(db, "sqlite3"); err != nil {
		return err
	}
	m, err := mautrix.NewClient(q.Homeserver, id.UserID(q.User), q.Token)
	if err != nil {
		return err
	}
	m.DeviceID = id.DeviceID(q.Device)
	m.Log = zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	helper, err := cryptohelper.NewCryptoHelper(m, []byte("a key for pickles, 32 bytes long"), c.db)
	if err != nil {
		return err
	}
	helper.DecryptErrorCallback = func(e *event.Event, err error) {
		c.tell(bot.Event{Name: "undecryptable", Room: e.RoomID.String(), Event: e.ID.String(), Sender: e.Sender.String(), Error: err.Error()})
	}
	if err := helper.Init(ctx); err != nil {
		return err
	}
	m.Crypto = helper
	c.matrix, c.helper = m, helper
	syncer := m.Syncer.(*mautrix.DefaultSyncer)
	syncer.FilterJSON = &mautrix.Filter{Room: &mautrix.RoomFilter{Timeline: &mautrix.FilterPart{Limit: 1000}}} // all of what the tests send
	syncer.OnEventType(event.EventMessage, c.message)
	syncer.OnSync(func(context.Context, *mautrix.RespSync, string) bool {
		c.tell(bot.Event{Name: "synced"})
		return true
	})
	return nil
}

func (c *client) message(_ context.Context, e *event.Event) {
	c.tell(bot.Event{
		Name: "message", Room: e.RoomID.String(), Event: e.ID.String(), Sender: e.Sender.String(),
		Body: e.Content.AsMessage().Body, Encrypted: e.Mautrix.EventSource&event.SourceDecrypted != 0,
	})
}

func (c *client) start(ctx context.Context) error {
	if c.ended != nil {
		return errors.New("it syncs already")
	}
	ctx, c.cancel = context.WithCancel(ctx)
	c.ended = make(chan error, 1)
	go func(done chan<- error) { done <- c.matrix.SyncWithContext(ctx) }(c.ended)
	return nil
}

func (c *client) stop() error {
	if c.ended == nil {
		return nil
	}
	ended := c.ended
	c.ended = nil
	select {
	case err := <-ended: // by itself
		return err
	default:
	}
	c.cancel()
	<-ended // with whatever it was doing: often the database's word for being interrupted
	return nil
}

func (c *client) read(ctx context.Context, q bot.Command) (a bot.Answer, err error) {
	e, err := c.matrix.GetEvent(ctx, id.RoomID(q.Room), id.EventID(q.Event))
	if err != nil {
		return a, err
	}
	e.RoomID = id.RoomID(q.Room)
	if e.Type == event.EventEncrypted {
		if err := e.Content.ParseRaw(e.Type); err != nil {
			return a, err
		}
		content := e.Content.AsEncrypted()
		timeout := time.Duration(q.Timeout) * time.Millisecond
		c.helper.WaitForSession(ctx, e.RoomID, content.SenderKey, content.SessionID, timeout)
		if e, err = c.helper.Decrypt(ctx, e); err != nil {
			return a, err
		}
	} else if err := e.Content.ParseRaw(e.Type); err != nil {
		return a, err
	}
	return bot.Answer{Body: e.Content.AsMessage().Body, Sender: e.Sender.String()}, nil
}

func (c *client) Close() error {
	if c.matrix == nil {
		return nil
	}
	return errors.Join(c.stop(), c.db.Close())
}

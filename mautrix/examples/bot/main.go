package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// helper is the encryption of a client.
type helper interface {
	mautrix.CryptoHelper
	Close() error
}

// bot is one process of a device.
type bot struct {
	out    *output
	client *mautrix.Client // nil until it has logged in
	crypto helper
	cancel context.CancelFunc // ends syncing; nil while there is none
	ended  chan error
}

func main() {
	flag.Parse()
	if err := serve(context.Background(), os.Stdin, &output{lines: json.NewEncoder(os.Stdout)}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (b *bot) do(ctx context.Context, c command) (object, error) {
	if b.client == nil && c.Name != "login" {
		return nil, errors.New("not logged in")
	}
	switch c.Name {
	case "login":
		return b.login(ctx, c)
	case "start":
		return nil, b.start(ctx)
	case "stop":
		return nil, b.stop()
	case "join":
		return nil, b.join(ctx, id.RoomID(c.Room))
	case "send":
		return b.send(ctx, id.RoomID(c.Room), c.Body)
	case "read":
		return b.read(ctx, id.RoomID(c.Room), id.EventID(c.Event), time.Duration(c.Timeout)*time.Millisecond)
	case "status":
		return object{"user_id": b.client.UserID, "device_id": b.client.DeviceID, "driver": driver}, nil
	}
	return nil, fmt.Errorf("no command %q", c.Name)
}

// login opens the device's store, or makes it, with an access token or a password.
func (b *bot) login(ctx context.Context, c command) (object, error) {
	if b.client != nil {
		return nil, errors.New("it is logged in")
	}
	if err := os.MkdirAll(c.Store, 0o700); err != nil {
		return nil, err
	}
	client, err := mautrix.NewClient(c.Homeserver, id.UserID(c.UserID), c.Token)
	if err != nil {
		return nil, err
	}
	client.DeviceID = id.DeviceID(c.DeviceID)
	client.Log = zerolog.New(os.Stderr).Level(zerolog.WarnLevel).With().Timestamp().Logger()
	client.Syncer = &syncer{mautrix.NewDefaultSyncer(), b.out}
	b.crypto, err = newHelper(client, c.Store, b.undecryptable)
	if err != nil {
		return nil, err
	}
	if c.Token == "" {
		logIn(b.crypto, &mautrix.ReqLogin{
			Type: mautrix.AuthTypePassword, Password: c.Password,
			Identifier: mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: c.User},
		})
	}
	if err := b.crypto.Init(ctx); err != nil {
		return nil, errors.Join(err, b.crypto.Close())
	}
	client.Crypto = b.crypto
	b.listen(client.Syncer.(*syncer))
	b.client = client
	return object{"user_id": client.UserID, "device_id": client.DeviceID, "access_token": client.AccessToken}, nil
}

func (b *bot) close() error {
	if b.client == nil {
		return nil
	}
	return errors.Join(b.stop(), b.crypto.Close())
}

// join also learns what the room's state is, so that it can be sent to at once.
func (b *bot) join(ctx context.Context, room id.RoomID) error {
	if _, err := b.client.JoinRoomByID(ctx, room); err != nil {
		return err
	}
	_, err := b.client.State(ctx, room)
	return err
}

// send never sends in the clear: a room that is not known to be encrypted is refused.
func (b *bot) send(ctx context.Context, room id.RoomID, body string) (object, error) {
	encrypted, err := b.client.StateStore.IsEncrypted(ctx, room)
	if err != nil {
		return nil, err
	}
	if !encrypted {
		return nil, errors.New("the room is not known to be encrypted")
	}
	sent, err := b.client.SendText(ctx, room, body)
	if err != nil {
		return nil, err
	}
	return object{"event_id": sent.EventID}, nil
}

// read fetches an event and decrypts it, as an extension does that a push wakes.
func (b *bot) read(ctx context.Context, room id.RoomID, event id.EventID, timeout time.Duration) (object, error) {
	e, err := b.client.GetEvent(ctx, room, event)
	if err != nil {
		return nil, err
	}
	e.RoomID = room
	if e, err = b.decrypt(ctx, e, timeout); err != nil {
		return nil, err
	}
	return object{"body": e.Content.AsMessage().Body, "sender": e.Sender}, nil
}

func (b *bot) decrypt(ctx context.Context, e *event.Event, timeout time.Duration) (*event.Event, error) {
	if err := e.Content.ParseRaw(e.Type); err != nil && !errors.Is(err, event.ErrContentAlreadyParsed) {
		return nil, err
	}
	if e.Type != event.EventEncrypted {
		return e, nil
	}
	content := e.Content.AsEncrypted()
	b.crypto.WaitForSession(ctx, e.RoomID, content.SenderKey, content.SessionID, timeout)
	return b.crypto.Decrypt(ctx, e)
}

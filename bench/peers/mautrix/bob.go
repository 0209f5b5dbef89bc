//go:build peers

package mautrix

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"

	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream" // its SQLite drivers
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/stored"
)

var pickleKey = []byte("a key for pickles, 32 bytes long")

// enoughKeys is how many one-time keys the server says it has, so that a sync
// makes no more.
const enoughKeys = 100

// bob is an OlmMachine, set up as mautrix-go's crypto helper does.
type bob struct {
	machine *crypto.OlmMachine
	state   *mautrix.MemoryStateStore
	db      *dbutil.Database
	server  *server
	sent    map[string]stored.Ciphertext
}

func open(ctx context.Context, dir, dialect string) (stored.Bob, error) {
	uri := fmt.Sprintf("file:%s?_txlock=immediate", filepath.Join(dir, "crypto.db"))
	db, err := dbutil.NewWithDialect(uri, dialect)
	if err != nil {
		return nil, err
	}
	b := &bob{db: db, server: &server{}}
	if err := b.load(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return b, nil
}

func (b *bob) load(ctx context.Context) error {
	client, err := mautrix.NewClient("https://example.org", stored.BobUser, "token")
	if err != nil {
		return err
	}
	client.DeviceID = stored.BobDevice
	client.Client = &http.Client{Transport: b.server}
	store := crypto.NewSQLCryptoStore(b.db, dbutil.NoopLogger, "", client.DeviceID, pickleKey)
	if err := store.DB.Upgrade(ctx); err != nil {
		return err
	}
	b.state = mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
	b.machine = crypto.NewOlmMachine(client, nil, store, b.state)
	return b.machine.Load(ctx)
}

func (b *bob) Upload(ctx context.Context) (json.RawMessage, error) {
	err := b.machine.ShareKeys(ctx, 0)
	return b.server.uploaded, err
}

func (b *bob) Meet(ctx context.Context, devices []stored.Device) error {
	users := map[id.UserID]map[id.DeviceID]*id.Device{}
	for _, d := range devices {
		user, device := id.UserID(d.User), id.DeviceID(d.ID)
		if users[user] == nil {
			users[user] = map[id.DeviceID]*id.Device{}
		}
		users[user][device] = &id.Device{
			UserID: user, DeviceID: device, IdentityKey: id.Curve25519(d.Curve25519), SigningKey: id.Ed25519(d.Ed25519),
		}
	}
	for user, of := range users {
		if err := b.machine.CryptoStore.PutDevices(ctx, user, of); err != nil {
			return err
		}
	}
	return nil
}

func (b *bob) Sync(events []json.RawMessage, _ peer.EventType) (stored.Call, error) {
	sync := &mautrix.RespSync{DeviceOTKCount: mautrix.OTKCount{SignedCurve25519: enoughKeys}}
	for _, raw := range events {
		e := &event.Event{}
		if err := json.Unmarshal(raw, e); err != nil {
			return nil, err
		}
		sync.ToDevice.Events = append(sync.ToDevice.Events, e)
	}
	return func(ctx context.Context) error {
		b.machine.ProcessSyncResponse(ctx, sync, "")
		return nil // it only logs what fails
	}, nil
}

func (b *bob) Send(devices []stored.Device, claimed []stored.Claim, content json.RawMessage) (stored.Call, error) {
	if err := b.server.offer(claimed); err != nil {
		return nil, err
	}
	request := &mautrix.ReqSendToDevice{Messages: map[id.UserID]map[id.DeviceID]*event.Content{}}
	for _, d := range devices {
		user := id.UserID(d.User)
		if request.Messages[user] == nil {
			request.Messages[user] = map[id.DeviceID]*event.Content{}
		}
		request.Messages[user][id.DeviceID(d.ID)] = &event.Content{VeryRaw: content}
	}
	note := event.Type{Type: "com.example.note", Class: event.ToDeviceEventType}
	return func(ctx context.Context) error {
		encrypted, err := b.machine.EncryptToDevices(ctx, note, request)
		if err != nil {
			return err
		}
		b.keep(encrypted)
		return nil
	}, nil
}

func (b *bob) keep(r *mautrix.ReqSendToDevice) {
	b.sent = map[string]stored.Ciphertext{}
	for _, devices := range r.Messages {
		for _, content := range devices {
			encrypted, ok := content.Parsed.(**event.EncryptedEventContent)
			if !ok {
				continue
			}
			for key, c := range (*encrypted).OlmCiphertext {
				b.sent[key.String()] = stored.Ciphertext{Type: int(c.Type), Body: c.Body}
			}
		}
	}
}

func (b *bob) Sent() map[string]stored.Ciphertext { return b.sent }

func (b *bob) Kept(ctx context.Context) (k stored.Kept, err error) {
	err = b.db.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM crypto_olm_message_hash), (SELECT COUNT(*) FROM crypto_megolm_inbound_session)`).
		Scan(&k.Messages, &k.RoomKeys)
	return k, err
}

func (b *bob) Close() error {
	b.machine.Destroy()
	return b.db.Close()
}

package pawlpeer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

// bob is a Machine on an engine that he owns.
type bob struct {
	engine   kv.Store
	machine  *pawl.Machine
	identity pawl.Identity
	devices  *deviceList
	sent     map[string]stored.Ciphertext
}

func open(ctx context.Context, dir string, engine kv.Store, opts ...pawl.Option) (_ stored.Bob, err error) {
	b := &bob{engine: engine}
	defer func() {
		if err != nil {
			_ = b.Close()
		}
	}()
	if b.devices, err = openDeviceList(ctx, dir); err != nil {
		return nil, err
	}
	store, err := pawl.Open(ctx, engine, append(opts, pawl.WithKey([32]byte{2}))...)
	if err != nil {
		return nil, err
	}
	b.machine, err = store.Machine(ctx, stored.BobUser, stored.BobDevice)
	if errors.Is(err, pawl.ErrNoAccount) {
		b.machine, err = store.Create(ctx, stored.BobUser, stored.BobDevice)
	}
	if err != nil {
		return nil, err
	}
	b.identity, err = b.machine.Identity(ctx)
	return b, err
}

func (b *bob) Upload(ctx context.Context) (json.RawMessage, error) {
	u, err := b.machine.KeysForUpload(ctx, 50)
	if err != nil {
		return nil, err
	}
	return u.Body, b.machine.MarkPublished(ctx, u)
}

func (b *bob) Meet(ctx context.Context, devices []stored.Device) error {
	return b.devices.put(ctx, devices)
}

func (b *bob) Sync(events []json.RawMessage) (stored.Call, error) {
	return func(ctx context.Context) error {
		incoming := make([]pawl.Incoming, len(events))
		senders := make([]string, len(events))
		for i, raw := range events {
			var err error
			if incoming[i], senders[i], err = b.parse(raw); err != nil {
				return err
			}
		}
		results, err := b.machine.DecryptBatch(ctx, incoming)
		if err != nil {
			return err
		}
		for i, r := range results {
			if r.Err != nil {
				return r.Err
			}
			if err := b.check(r.Plaintext, senders[i]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (b *bob) parse(raw json.RawMessage) (in pawl.Incoming, sender string, err error) {
	var e stored.Event
	if err = json.Unmarshal(raw, &e); err != nil {
		return in, "", err
	}
	c, ok := e.Content.Ciphertext[b.identity.Curve25519.String()]
	if !ok {
		return in, "", errors.New("event is for another device")
	}
	if in.Sender, err = ratchet.ParsePublicKey(e.Content.SenderKey); err != nil {
		return in, "", err
	}
	in.Message, err = c.Message()
	return in, e.Sender, err
}

func (b *bob) check(plaintext []byte, sender string) error {
	var p peer.Payload
	if err := json.Unmarshal(plaintext, &p); err != nil {
		return err
	}
	if p.Sender != sender || p.Recipient != stored.BobUser || p.RecipientKeys.Ed25519 != b.identity.Ed25519.String() {
		return errors.New("payload is of or for somebody else")
	}
	return nil
}

// Send encrypts to one device after the other, each a commit of its own, as the
// other systems do.
func (b *bob) Send(devices []stored.Device, claimed []stored.Claim, content json.RawMessage) (stored.Call, error) {
	claims := map[string]stored.Claim{}
	for _, c := range claimed {
		claims[c.Device.Curve25519] = c
	}
	return func(ctx context.Context) error {
		b.sent = map[string]stored.Ciphertext{}
		for _, of := range devices {
			d, err := b.devices.get(ctx, of)
			if err != nil {
				return err
			}
			if b.sent[d.Curve25519], err = b.send(ctx, d, claims, content); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (b *bob) send(ctx context.Context, d stored.Device, claims map[string]stored.Claim, content json.RawMessage) (stored.Ciphertext, error) {
	to, err := ratchet.ParsePublicKey(d.Curve25519)
	if err != nil {
		return stored.Ciphertext{}, err
	}
	var how []pawl.EncryptOption
	if claim, ok := claims[d.Curve25519]; ok {
		key, err := verified(claim)
		if err != nil {
			return stored.Ciphertext{}, err
		}
		how = append(how, pawl.WithOneTimeKey(key))
	}
	plaintext, err := b.payload(d, content)
	if err != nil {
		return stored.Ciphertext{}, err
	}
	e, err := b.machine.Encrypt(ctx, to, plaintext, how...)
	if err != nil {
		return stored.Ciphertext{}, err
	}
	return stored.Wrap(e.Message), nil
}

// verified is the key of a claim whose signature holds.
func verified(c stored.Claim) (key ratchet.PublicKey, err error) {
	signer, err := account.ParseVerifyKey(c.Device.Ed25519)
	if err != nil {
		return key, err
	}
	if err := account.VerifyJSON(c.Key, c.Device.User, c.Device.ID, signer); err != nil {
		return key, fmt.Errorf("claimed key: %w", err)
	}
	var k struct{ Key string }
	if err := json.Unmarshal(c.Key, &k); err != nil {
		return key, err
	}
	return ratchet.ParsePublicKey(k.Key)
}

func (b *bob) payload(to stored.Device, content json.RawMessage) ([]byte, error) {
	return json.Marshal(struct {
		Content       json.RawMessage `json:"content"`
		Keys          peer.SigningKey `json:"keys"`
		Recipient     string          `json:"recipient"`
		RecipientKeys peer.SigningKey `json:"recipient_keys"`
		Sender        string          `json:"sender"`
		Type          peer.EventType  `json:"type"`
	}{
		content, peer.SigningKey{Ed25519: b.identity.Ed25519.String()},
		string(to.User), peer.SigningKey{Ed25519: to.Ed25519}, stored.BobUser, peer.Note,
	})
}

func (b *bob) Sent() map[string]stored.Ciphertext { return b.sent }

func (b *bob) Kept(ctx context.Context) (stored.Kept, error) {
	i, err := b.machine.Inspect(ctx)
	return stored.Kept{Messages: i.Receipts.Open + i.Receipts.Acknowledged}, err
}

func (b *bob) Close() error {
	if b.devices == nil {
		return b.engine.Close()
	}
	return errors.Join(b.engine.Close(), b.devices.close())
}

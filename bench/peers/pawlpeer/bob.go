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
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// bob is a Machine on an engine that he owns.
type bob struct {
	engine   kv.Store
	machine  *pawl.Machine
	identity pawl.Identity
	server   server
	syncs    int            // prepared
	asked    []pawl.Request // by Missing
	sent     map[string]stored.Ciphertext
}

func open(ctx context.Context, engine kv.Store, opts ...pawl.Option) (_ stored.Bob, err error) {
	b := &bob{engine: engine}
	defer func() {
		if err != nil {
			_ = b.Close()
		}
	}()
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
	err := b.deliver(ctx)
	return b.server.uploaded, err
}

// deliver sends what is due until nothing is.
func (b *bob) deliver(ctx context.Context) error {
	for {
		requests, err := b.machine.OutgoingRequests(ctx)
		if err != nil || len(requests) == 0 {
			return err
		}
		if err := b.send(ctx, requests); err != nil {
			return err
		}
	}
}

func (b *bob) send(ctx context.Context, requests []pawl.Request) error {
	for _, r := range requests {
		answer, err := b.server.answer(r)
		if err == nil {
			err = b.machine.MarkSent(ctx, r.ID, answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bob) Meet(ctx context.Context, devices []stored.Device) error {
	b.server.meet(devices)
	users := make([]matrix.UserID, len(devices))
	for i, d := range devices {
		users[i] = d.User
	}
	if err := b.machine.TrackUsers(ctx, users...); err != nil {
		return err
	}
	return b.deliver(ctx)
}

// Sync is ReceiveSync for room keys, and for notes, which are not Pawl's, the
// decryption alone.
func (b *bob) Sync(events []json.RawMessage, of peer.EventType) (stored.Call, error) {
	if of == peer.Sharing {
		return b.receive(events)
	}
	return func(ctx context.Context) error { return b.decrypt(ctx, events) }, nil
}

// receive is a sync as a client does it: its ticket, and the response's bytes.
func (b *bob) receive(events []json.RawMessage) (stored.Call, error) {
	b.syncs++
	response, err := json.Marshal(map[string]any{
		"next_batch":                       fmt.Sprintf("s%d_of_a_server", b.syncs),
		"to_device":                        map[string]any{"events": events},
		"device_one_time_keys_count":       map[string]int{"signed_curve25519": keysKept},
		"device_unused_fallback_key_types": []string{"signed_curve25519"},
	})
	return func(ctx context.Context) error {
		ticket, err := b.machine.NextSync(ctx)
		if err != nil {
			return err
		}
		got, err := b.machine.ReceiveSync(ctx, ticket, response)
		switch {
		case err != nil:
			return err
		case len(got.RoomKeys) != len(events) || !got.Advanced:
			return fmt.Errorf("%d of %d room keys were taken, refused: %v", len(got.RoomKeys), len(events), got.Refused)
		}
		return nil
	}, err
}

func (b *bob) decrypt(ctx context.Context, events []json.RawMessage) error {
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
			d, err := b.device(ctx, of)
			if err != nil {
				return err
			}
			if b.sent[d.Curve25519.String()], err = b.write(ctx, d, claims, content); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// device reads what Pawl has stored of a device.
func (b *bob) device(ctx context.Context, of stored.Device) (device.Keys, error) {
	user, err := b.machine.Devices(ctx, of.User)
	if err != nil {
		return device.Keys{}, err
	}
	for _, d := range user.Devices {
		if d.Device == of.ID && d.Usable {
			return d.Keys, nil
		}
	}
	return device.Keys{}, fmt.Errorf("%s of %s is not known", of.ID, of.User)
}

func (b *bob) write(ctx context.Context, d device.Keys, claims map[string]stored.Claim, content json.RawMessage) (stored.Ciphertext, error) {
	var how []pawl.EncryptOption
	if claim, ok := claims[d.Curve25519.String()]; ok {
		key, err := verified(claim, d)
		if err != nil {
			return stored.Ciphertext{}, err
		}
		how = append(how, pawl.WithOneTimeKey(key))
	}
	plaintext, err := b.payload(d, content)
	if err != nil {
		return stored.Ciphertext{}, err
	}
	e, err := b.machine.Encrypt(ctx, d.Curve25519, plaintext, how...)
	if err != nil {
		return stored.Ciphertext{}, err
	}
	return stored.Wrap(e.Message), nil
}

// verified is the key of a claim whose signature holds.
func verified(c stored.Claim, of device.Keys) (key ratchet.PublicKey, err error) {
	if err := account.VerifyJSON(c.Key, of.User, of.Device, of.Ed25519); err != nil {
		return key, fmt.Errorf("claimed key: %w", err)
	}
	var k struct{ Key string }
	if err := json.Unmarshal(c.Key, &k); err != nil {
		return key, err
	}
	return ratchet.ParsePublicKey(k.Key)
}

func (b *bob) payload(to device.Keys, content json.RawMessage) ([]byte, error) {
	return json.Marshal(struct {
		Content       json.RawMessage `json:"content"`
		Keys          peer.SigningKey `json:"keys"`
		Recipient     string          `json:"recipient"`
		RecipientKeys peer.SigningKey `json:"recipient_keys"`
		Sender        string          `json:"sender"`
		Type          peer.EventType  `json:"type"`
	}{
		content, peer.SigningKey{Ed25519: b.identity.Ed25519.String()},
		string(to.User), peer.SigningKey{Ed25519: to.Ed25519.String()}, stored.BobUser, peer.Note,
	})
}

func (b *bob) Sent() map[string]stored.Ciphertext { return b.sent }

func (b *bob) Kept(ctx context.Context) (stored.Kept, error) {
	i, err := b.machine.Inspect(ctx)
	return stored.Kept{Messages: i.Receipts.Open + i.Receipts.Acknowledged, RoomKeys: i.Records["group-in"]}, err
}

func (b *bob) Close() error { return b.engine.Close() }

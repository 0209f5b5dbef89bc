package stored

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Alice writes to Bob and reads what he writes.
type Alice struct {
	machine *pawl.Machine
	device  Device
	claim   Claim
	to      Device
	key     ratchet.PublicKey
}

// body is a /keys/upload.
type body struct {
	DeviceKeys  json.RawMessage            `json:"device_keys"`
	OneTimeKeys map[string]json.RawMessage `json:"one_time_keys"`
}

// NewAlice makes a device that writes to the one that uploaded these keys, and
// the first event for it.
func NewAlice(ctx context.Context, upload json.RawMessage) (*Alice, json.RawMessage, error) {
	store, err := pawl.Open(ctx, memkv.New(), pawl.WithKey([32]byte{1}))
	if err != nil {
		return nil, nil, err
	}
	a := &Alice{}
	if a.machine, a.claim, err = newDevice(ctx, store, "@alice:example.org", "ALICE"); err != nil {
		return nil, nil, err
	}
	a.device = a.claim.Device
	bob, err := readUpload(BobUser, BobDevice, upload)
	if err != nil {
		return nil, nil, err
	}
	a.to = bob.Device
	if a.key, err = ratchet.ParsePublicKey(bob.Device.Curve25519); err != nil {
		return nil, nil, err
	}
	var oneTime struct{ Key string }
	if err := json.Unmarshal(bob.Key, &oneTime); err != nil {
		return nil, nil, err
	}
	key, err := ratchet.ParsePublicKey(oneTime.Key)
	if err != nil {
		return nil, nil, err
	}
	first, err := a.encrypt(ctx, peer.Note, peer.RoomKey{}, pawl.WithOneTimeKey(key))
	return a, first, err
}

// Device is Alice's.
func (a *Alice) Device() Device { return a.device }

// Event is an event for Bob.
func (a *Alice) Event(ctx context.Context, t peer.EventType, k peer.RoomKey) (json.RawMessage, error) {
	return a.encrypt(ctx, t, k)
}

func (a *Alice) encrypt(ctx context.Context, t peer.EventType, k peer.RoomKey, how ...pawl.EncryptOption) (json.RawMessage, error) {
	p := peer.Payload{
		Content:       k.Content(),
		Keys:          peer.SigningKey{Ed25519: a.device.Ed25519},
		Recipient:     BobUser,
		RecipientKeys: peer.SigningKey{Ed25519: a.to.Ed25519},
		Sender:        string(a.device.User),
		Type:          t,
	}
	if t == peer.Sharing {
		p.SenderDeviceKeys = a.device.Keys
	}
	plaintext, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	e, err := a.machine.Encrypt(ctx, a.key, plaintext, how...)
	if err != nil {
		return nil, err
	}
	return newEvent(a.device, a.to.Curve25519, e.Message)
}

// Read decrypts what Bob wrote.
func (a *Alice) Read(ctx context.Context, c Ciphertext) error {
	m, err := c.Message()
	if err != nil {
		return err
	}
	_, err = a.machine.Decrypt(ctx, a.key, m)
	return err
}

func newDevice(ctx context.Context, store *pawl.Store, user matrix.UserID, id matrix.DeviceID) (*pawl.Machine, Claim, error) {
	m, err := store.Create(ctx, user, id)
	if err != nil {
		return nil, Claim{}, err
	}
	u, err := m.KeysForUpload(ctx, 1)
	if err != nil {
		return nil, Claim{}, err
	}
	claim, err := readUpload(user, id, u.Body)
	return m, claim, err
}

// readUpload takes the device and one of its keys from a /keys/upload.
func readUpload(user matrix.UserID, id matrix.DeviceID, upload json.RawMessage) (Claim, error) {
	var b body
	if err := json.Unmarshal(upload, &b); err != nil {
		return Claim{}, err
	}
	var keys struct{ Keys map[string]string }
	if err := json.Unmarshal(b.DeviceKeys, &keys); err != nil {
		return Claim{}, err
	}
	d := Device{user, id, keys.Keys["curve25519:"+string(id)], keys.Keys["ed25519:"+string(id)], b.DeviceKeys}
	if d.Curve25519 == "" || d.Ed25519 == "" {
		return Claim{}, errors.New("the upload lacks the device's keys")
	}
	for keyID, key := range b.OneTimeKeys {
		return Claim{d, keyID, key}, nil
	}
	return Claim{}, errors.New("the upload lacks one-time keys")
}

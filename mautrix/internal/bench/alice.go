package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Who is measured, and who sends room keys.
const (
	bob   = matrix.UserID("@bob:example.org")
	alice = matrix.UserID("@alice:example.org")

	bobDevice   = matrix.DeviceID("BOB")
	aliceDevice = matrix.DeviceID("ALICE")
)

// writer is Alice's device, which sends room keys to Bob's.
type writer struct {
	machine *pawl.Machine
	keys    json.RawMessage // device_keys
	own, to identity
}

// identity are the keys of a device.
type identity struct{ curve25519, ed25519 string }

func identityOf(device matrix.DeviceID, keys json.RawMessage) (identity, error) {
	var k struct{ Keys map[string]string }
	err := json.Unmarshal(keys, &k)
	return identity{k.Keys["curve25519:"+string(device)], k.Keys["ed25519:"+string(device)]}, err
}

// newWriter makes Alice's device, which the server knows then, and her first event for
// Bob's.
func newWriter(ctx context.Context, s *server) (*writer, json.RawMessage, error) {
	store, err := pawl.Open(ctx, memkv.New(), pawl.WithKey([32]byte{1}))
	if err != nil {
		return nil, nil, err
	}
	w := &writer{}
	if w.machine, err = store.Create(ctx, alice, aliceDevice); err != nil {
		return nil, nil, err
	}
	upload, err := w.machine.KeysForUpload(ctx, 1)
	if err != nil {
		return nil, nil, err
	}
	if err := s.take(alice, aliceDevice, upload.Body); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.keys = s.devices[alice][aliceDevice]
	if w.own, err = identityOf(aliceDevice, w.keys); err != nil {
		return nil, nil, err
	}
	if w.to, err = identityOf(bobDevice, s.devices[bob][bobDevice]); err != nil {
		return nil, nil, err
	}
	for name, raw := range s.keys[bob][bobDevice] {
		var k struct{ Key string }
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, nil, err
		}
		delete(s.keys[bob][bobDevice], name)
		key, err := ratchet.ParsePublicKey(k.Key)
		if err != nil {
			return nil, nil, err
		}
		first, err := w.event(ctx, peer.Note, peer.RoomKey{}, pawl.WithOneTimeKey(key))
		return w, first, err
	}
	return nil, nil, errors.New("the device to write to has uploaded no one-time keys")
}

// event is an encrypted to-device event for Bob's device.
func (w *writer) event(ctx context.Context, kind peer.EventType, k peer.RoomKey, how ...pawl.EncryptOption) (json.RawMessage, error) {
	p := peer.Payload{
		Content: k.Content(), Keys: peer.SigningKey{Ed25519: w.own.ed25519}, Recipient: string(bob),
		RecipientKeys: peer.SigningKey{Ed25519: w.to.ed25519}, Sender: string(alice), SenderDeviceKeys: w.keys, Type: kind,
	}
	plaintext, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	to, err := ratchet.ParsePublicKey(w.to.curve25519)
	if err != nil {
		return nil, err
	}
	e, err := w.machine.Encrypt(ctx, to, plaintext, how...)
	if err != nil {
		return nil, err
	}
	type object map[string]any
	return json.Marshal(object{"type": "m.room.encrypted", "sender": alice, "content": object{
		"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": w.own.curve25519,
		"ciphertext": object{w.to.curve25519: object{"type": e.Message.Type, "body": base64.RawStdEncoding.EncodeToString(e.Message.Body)}},
	}})
}

// hears reads what Bob's device has sent last: from then on Alice's messages are no first
// ones any more.
func (w *writer) hears(ctx context.Context, s *server) error {
	s.mu.Lock()
	letter := s.letters[alice][aliceDevice]
	s.mu.Unlock()
	var c struct {
		Ciphertext map[string]struct {
			Type ratchet.MessageType
			Body string
		}
	}
	if err := json.Unmarshal(letter, &c); err != nil {
		return fmt.Errorf("what Bob's device sent to Alice's: %w", err)
	}
	m, to := c.Ciphertext[w.own.curve25519], w.to.curve25519
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(m.Body, "="))
	if err != nil {
		return err
	}
	key, err := ratchet.ParsePublicKey(to)
	if err == nil {
		_, err = w.machine.Decrypt(ctx, key, ratchet.Message{Type: m.Type, Body: body})
	}
	return err
}

//go:build js

package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// talk lets two devices open a session, and one encrypt n messages in it for the other.
func talk(ctx context.Context, alice, bob *pawl.Machine, n int) (messages []ratchet.Message, from ratchet.PublicKey, err error) {
	her, err := alice.Identity(ctx)
	if err != nil {
		return nil, from, err
	}
	him, err := bob.Identity(ctx)
	if err != nil {
		return nil, from, err
	}
	from = him.Curve25519
	oneTimeKey, err := publish(ctx, alice)
	if err != nil {
		return nil, from, err
	}
	first, err := bob.Encrypt(ctx, her.Curve25519, []byte(`{}`), pawl.WithOneTimeKey(oneTimeKey))
	if err != nil {
		return nil, from, err
	}
	if _, err := alice.Decrypt(ctx, from, first.Message); err != nil {
		return nil, from, err
	}
	answer, err := alice.Encrypt(ctx, from, []byte(`{}`))
	if err != nil {
		return nil, from, err
	}
	if _, err := bob.Decrypt(ctx, her.Curve25519, answer.Message); err != nil {
		return nil, from, err
	}
	for range n {
		e, err := bob.Encrypt(ctx, her.Curve25519, []byte(`{"type":"m.dummy"}`))
		if err != nil {
			return nil, from, err
		}
		messages = append(messages, e.Message)
	}
	return messages, from, nil
}

// publish makes a one-time key, and returns its public part.
func publish(ctx context.Context, m *pawl.Machine) (key ratchet.PublicKey, err error) {
	upload, err := m.KeysForUpload(ctx, 1)
	if err != nil {
		return key, err
	}
	var body struct {
		OneTimeKeys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil {
		return key, err
	}
	for _, made := range body.OneTimeKeys {
		if key, err = ratchet.ParsePublicKey(made.Key); err != nil {
			return key, err
		}
		return key, m.MarkPublished(ctx, upload)
	}
	return key, errors.New("there is no one-time key in the upload")
}

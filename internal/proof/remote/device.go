package remote

import (
	"context"
	"encoding/json"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Device is a device that is somewhere else. Ask has a call made there, and is safe for any
// number of goroutines; its error is that there was no answer.
type Device struct {
	Ask func(context.Context, Call) (Answer, error)
}

var _ story.Device = Device{}

// ask makes a call and reads its result, or what a part of it returned that was done.
func (d Device) ask(ctx context.Context, name string, params versioned, body []byte, result any) error {
	if params == nil {
		params = versioned{}
	}
	params["v"] = calls.Version
	given, err := json.Marshal(params)
	if err != nil {
		return err
	}
	a, err := d.Ask(ctx, Call{Name: name, Params: given, Body: body})
	if err != nil {
		return err
	}
	said := a.Result
	if a.Failed != nil {
		said = a.Failed.Result
	}
	if len(said) > 0 && result != nil {
		if err := json.Unmarshal(said, result); err != nil {
			return err
		}
	}
	return a.Failed.Err()
}

// Identity implements [story.Device].
func (d Device) Identity(ctx context.Context) (pawl.Identity, error) {
	var said identity
	err := d.ask(ctx, "identity", nil, nil, &said)
	return read(said.value, err)
}

// Decrypt implements [story.Device].
func (d Device) Decrypt(ctx context.Context, sender ratchet.PublicKey, m ratchet.Message) (pawl.Decrypted, error) {
	var said decrypted
	err := d.ask(ctx, "decrypt", versioned{"sender": sender.String(), "message": messageOf(m)}, nil, &said)
	return read(said.value, err)
}

// DecryptBatch implements [story.Device].
func (d Device) DecryptBatch(ctx context.Context, all []pawl.Incoming) ([]pawl.Result, error) {
	messages := make([]versioned, len(all))
	for i, in := range all {
		messages[i] = versioned{"sender": in.Sender.String(), "message": messageOf(in.Message)}
	}
	var said struct{ Results []result }
	err := d.ask(ctx, "decrypt_batch", versioned{"messages": messages}, nil, &said)
	results := make([]pawl.Result, len(said.Results))
	for i, one := range said.Results {
		value, broken := one.value()
		if broken != nil {
			return nil, broken
		}
		results[i] = pawl.Result{Decrypted: value, Err: one.Err.Err()}
	}
	return results, err
}

// Encrypt implements [story.Device].
func (d Device) Encrypt(ctx context.Context, peer ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	return d.encrypt(ctx, versioned{"peer": peer.String()}, plaintext)
}

// EncryptNew implements [story.Device].
func (d Device) EncryptNew(ctx context.Context, peer, oneTimeKey ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	return d.encrypt(ctx, versioned{"peer": peer.String(), "one_time_key": oneTimeKey.String()}, plaintext)
}

func (d Device) encrypt(ctx context.Context, params versioned, plaintext []byte) (pawl.Encrypted, error) {
	var said encrypted
	err := d.ask(ctx, "encrypt", params, plaintext, &said)
	return read(said.value, err)
}

// KeysForUpload implements [story.Device].
func (d Device) KeysForUpload(ctx context.Context, n int) (pawl.Upload, error) {
	var said upload
	err := d.ask(ctx, "keys_for_upload", versioned{"count": n}, nil, &said)
	return read(said.value, err)
}

// MarkPublished implements [story.Device].
func (d Device) MarkPublished(ctx context.Context, u pawl.Upload) error {
	return d.ask(ctx, "mark_published", keysOf(u), nil, nil)
}

// Abandon implements [story.Device].
func (d Device) Abandon(ctx context.Context, u pawl.Upload) error {
	return d.ask(ctx, "abandon", keysOf(u), nil, nil)
}

// Acknowledge implements [story.Device].
func (d Device) Acknowledge(ctx context.Context, ids ...session.ReceiptID) error {
	return d.ask(ctx, "acknowledge", versioned{"receipts": hexOf(ids)}, nil, nil)
}

// Sweep implements [story.Device].
func (d Device) Sweep(ctx context.Context, now time.Time) (swept pawl.Swept, err error) {
	err = d.ask(ctx, "sweep", versioned{"now": now.UnixMilli()}, nil, &swept)
	return swept, err
}

// Check implements [story.Device].
func (d Device) Check(ctx context.Context) ([]string, error) {
	var said struct{ Broken []string }
	err := d.ask(ctx, "check", nil, nil, &said)
	return said.Broken, err
}

// Inspect implements [story.Device]. Of what it returns only what oracles look at is there:
// counts of keys and receipts, the fallback key, and peers with their sessions.
func (d Device) Inspect(ctx context.Context) (pawl.Inspection, error) {
	var said inspection
	err := d.ask(ctx, "inspect", nil, nil, &said)
	return read(said.value, err)
}

// Recover makes a device that went back in time fit to send.
func (d Device) Recover(ctx context.Context) error {
	return d.ask(ctx, "recover", nil, nil, nil)
}

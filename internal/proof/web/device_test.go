package web

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/internal/proof/web/calls"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// device is the device as a tab, a worker or a service worker has it.
type device struct{ actor *Actor }

var _ story.Device = device{}

// ask lets the tab make a call.
func (d device) ask(q calls.Request) (a calls.Answer, err error) {
	word, err := calls.Pack(q)
	if err != nil {
		return a, err
	}
	said, ok := strings.CutPrefix(d.actor.Do("call", word), "ok ")
	if !ok {
		return a, fmt.Errorf("%s: %s: %s", d.actor.run.ID, q.Call, said)
	}
	if err := calls.Unpack(said, &a); err != nil {
		return a, err
	}
	return a, a.Failed.Err()
}

// Identity implements story.Device.
func (d device) Identity(context.Context) (pawl.Identity, error) {
	a, err := d.ask(calls.Request{Call: "identity"})
	return a.Identity, err
}

// Decrypt implements story.Device.
func (d device) Decrypt(_ context.Context, sender ratchet.PublicKey, m ratchet.Message) (pawl.Decrypted, error) {
	a, err := d.ask(calls.Request{Call: "decrypt", Messages: []pawl.Incoming{{Sender: sender, Message: m}}})
	if err != nil {
		return pawl.Decrypted{}, err
	}
	return a.Decrypted[0].Result().Decrypted, nil
}

// DecryptBatch implements story.Device.
func (d device) DecryptBatch(_ context.Context, messages []pawl.Incoming) ([]pawl.Result, error) {
	a, err := d.ask(calls.Request{Call: "batch", Messages: messages})
	results := make([]pawl.Result, len(a.Decrypted))
	for i, one := range a.Decrypted {
		results[i] = one.Result()
	}
	return results, err
}

// Encrypt implements story.Device.
func (d device) Encrypt(_ context.Context, peer ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	a, err := d.ask(calls.Request{Call: "encrypt", Peer: peer, Text: plaintext})
	return a.Encrypted, err
}

// EncryptNew implements story.Device.
func (d device) EncryptNew(_ context.Context, peer, oneTimeKey ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	a, err := d.ask(calls.Request{Call: "encrypt new", Peer: peer, Key: oneTimeKey, Text: plaintext})
	return a.Encrypted, err
}

// KeysForUpload implements story.Device.
func (d device) KeysForUpload(_ context.Context, n int) (pawl.Upload, error) {
	a, err := d.ask(calls.Request{Call: "upload", Count: n})
	return a.Upload, err
}

// MarkPublished implements story.Device.
func (d device) MarkPublished(_ context.Context, u pawl.Upload) error {
	_, err := d.ask(calls.Request{Call: "published", Upload: u})
	return err
}

// Abandon implements story.Device.
func (d device) Abandon(_ context.Context, u pawl.Upload) error {
	_, err := d.ask(calls.Request{Call: "abandon", Upload: u})
	return err
}

// Acknowledge implements story.Device.
func (d device) Acknowledge(_ context.Context, ids ...session.ReceiptID) error {
	_, err := d.ask(calls.Request{Call: "acknowledge", Receipts: ids})
	return err
}

// Sweep implements story.Device.
func (d device) Sweep(_ context.Context, now time.Time) (pawl.Swept, error) {
	a, err := d.ask(calls.Request{Call: "sweep", Now: now})
	return a.Swept, err
}

// Check implements story.Device.
func (d device) Check(context.Context) ([]string, error) {
	a, err := d.ask(calls.Request{Call: "check"})
	return a.Broken, err
}

// Inspect implements story.Device.
func (d device) Inspect(context.Context) (pawl.Inspection, error) {
	a, err := d.ask(calls.Request{Call: "inspect"})
	return a.Found, err
}

//go:build unix

package processes

import (
	"context"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

var _ story.Device = (*Process)(nil)

// The contexts of these calls stay here: a process has the deadline of its Setup.

// Identity implements [story.Device].
func (p *Process) Identity(context.Context) (pawl.Identity, error) {
	a, err := p.ask(request{Op: opIdentity})
	return a.Identity, err
}

// Decrypt implements [story.Device].
func (p *Process) Decrypt(_ context.Context, sender ratchet.PublicKey, m ratchet.Message) (pawl.Decrypted, error) {
	a, err := p.ask(request{Op: opDecrypt, Messages: []pawl.Incoming{{Sender: sender, Message: m}}})
	if err != nil {
		return pawl.Decrypted{}, err
	}
	return a.Decrypted[0].result().Decrypted, nil
}

// DecryptBatch implements [story.Device].
func (p *Process) DecryptBatch(_ context.Context, messages []pawl.Incoming) ([]pawl.Result, error) {
	a, err := p.ask(request{Op: opBatch, Messages: messages})
	results := make([]pawl.Result, len(a.Decrypted))
	for i, d := range a.Decrypted {
		results[i] = d.result()
	}
	return results, err
}

// Encrypt implements [story.Device].
func (p *Process) Encrypt(_ context.Context, peer ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	a, err := p.ask(request{Op: opEncrypt, Peer: peer, Text: plaintext})
	return a.Encrypted, err
}

// EncryptNew implements [story.Device].
func (p *Process) EncryptNew(_ context.Context, peer, oneTimeKey ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	a, err := p.ask(request{Op: opEncryptNew, Peer: peer, Key: oneTimeKey, Text: plaintext})
	return a.Encrypted, err
}

// KeysForUpload implements [story.Device].
func (p *Process) KeysForUpload(_ context.Context, n int) (pawl.Upload, error) {
	a, err := p.ask(request{Op: opUpload, Count: n})
	return a.Upload, err
}

// MarkPublished implements [story.Device].
func (p *Process) MarkPublished(_ context.Context, u pawl.Upload) error {
	_, err := p.ask(request{Op: opPublished, Upload: u})
	return err
}

// Abandon implements [story.Device].
func (p *Process) Abandon(_ context.Context, u pawl.Upload) error {
	_, err := p.ask(request{Op: opAbandon, Upload: u})
	return err
}

// Acknowledge implements [story.Device].
func (p *Process) Acknowledge(_ context.Context, ids ...session.ReceiptID) error {
	_, err := p.ask(request{Op: opAcknowledge, Receipts: ids})
	return err
}

// Sweep implements [story.Device].
func (p *Process) Sweep(_ context.Context, now time.Time) (pawl.Swept, error) {
	a, err := p.ask(request{Op: opSweep, Now: now})
	return a.Swept, err
}

// Check implements [story.Device].
func (p *Process) Check(context.Context) ([]string, error) {
	a, err := p.ask(request{Op: opCheck})
	return a.Broken, err
}

// Inspect implements [story.Device].
func (p *Process) Inspect(context.Context) (pawl.Inspection, error) {
	a, err := p.ask(request{Op: opInspect})
	return a.Found, err
}

// Recover makes a device that went back in time fit to send.
func (p *Process) Recover() error {
	_, err := p.ask(request{Op: opRecover})
	return err
}

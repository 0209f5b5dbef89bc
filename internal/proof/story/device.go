package story

import (
	"context"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Device is the device as one process has it: a [pawl.Machine], in this process
// or in another one that is asked. The methods are those of a Machine.
type Device interface {
	Identity(ctx context.Context) (pawl.Identity, error)
	Decrypt(ctx context.Context, sender ratchet.PublicKey, m ratchet.Message) (pawl.Decrypted, error)
	DecryptBatch(ctx context.Context, messages []pawl.Incoming) ([]pawl.Result, error)
	// Encrypt encrypts in the session that a Machine chooses.
	Encrypt(ctx context.Context, peer ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error)
	// EncryptNew encrypts in a new session, opened with a key of the peer.
	EncryptNew(ctx context.Context, peer, oneTimeKey ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error)
	KeysForUpload(ctx context.Context, n int) (pawl.Upload, error)
	MarkPublished(ctx context.Context, u pawl.Upload) error
	Abandon(ctx context.Context, u pawl.Upload) error
	Acknowledge(ctx context.Context, ids ...session.ReceiptID) error
	Sweep(ctx context.Context, now time.Time) (pawl.Swept, error)
	Check(ctx context.Context) ([]string, error)
	Inspect(ctx context.Context) (pawl.Inspection, error)
}

// Start starts a process, which makes the device if asked to and otherwise
// finds it in the store.
type Start func(ctx context.Context, name string, create bool) (Device, error)

// Local is a Device in this process.
func Local(m *pawl.Machine) Device { return local{m} }

type local struct{ *pawl.Machine }

func (l local) Encrypt(ctx context.Context, peer ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	return l.Machine.Encrypt(ctx, peer, plaintext)
}

func (l local) EncryptNew(ctx context.Context, peer, oneTimeKey ratchet.PublicKey, plaintext []byte) (pawl.Encrypted, error) {
	return l.Machine.Encrypt(ctx, peer, plaintext, pawl.WithOneTimeKey(oneTimeKey))
}

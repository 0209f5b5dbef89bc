package pawl

import (
	"context"
	"errors"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Decrypted is the answer to a message.
type Decrypted struct {
	secret.Guard // the plaintext is not for logs
	Plaintext    []byte
	// Duplicate tells that the message was answered before, perhaps to a
	// process that died. It is information only: the plaintext is the same and
	// may be acted on either way. Of all answers to one message at most one is
	// not marked.
	Duplicate bool
	Session   ratchet.SessionID
	// Receipt is for Acknowledge.
	Receipt session.ReceiptID
	// Damaged counts the records of the sender that cannot be read: the message
	// was decrypted without them. See [Machine.Check].
	Damaged int
	// Reopened tells that the message opened its session, and that the peer had others
	// before: it may have lost them, with what it was sent in them.
	Reopened bool
}

// Decrypt decrypts a message. The plaintext is returned only after the step,
// the message's receipt and the use of a one-time key are durable, all in one
// commit. A message that was decrypted before is answered from its receipt.
//
// Errors, none of which changes anything:
//
//   - of the message: ErrMessageType, ratchet.ErrMalformed, ratchet.ErrVersion,
//     account.ErrSender, ErrSelf;
//   - of its key: ErrUnknownOneTimeKey, otk.ErrUsed, ratchet.ErrZeroSecret;
//   - of its session: ErrUnknownSession, session.ErrPruned,
//     session.ErrRatchetKey, ErrUntried (see session.MaxSteps), and an
//     [UndecryptableError] that wraps ratchet.ErrMAC, ratchet.ErrKeyGone,
//     ratchet.ErrGap, ratchet.ErrUnknownChain or ratchet.ErrExhausted;
//   - ErrAlreadyProcessed;
//   - of the account: account.ErrRetired.
func (m *Machine) Decrypt(ctx context.Context, sender ratchet.PublicKey, msg ratchet.Message) (Decrypted, error) {
	d, err := m.messages.Decrypt(ctx, todevice.Incoming{Sender: sender, Message: msg})
	return Decrypted(d), undecryptable(err)
}

// Incoming is a message as an event carries it.
type Incoming struct {
	Sender  ratchet.PublicKey // the event's sender_key
	Message ratchet.Message
}

// Result is the answer to one message of a batch: a Decrypted or an error.
type Result struct {
	Decrypted
	Err error
}

// MaxBatch is how many messages DecryptBatch commits at once, where the engine
// takes so many: 1,000.
const MaxBatch = machine.MostPerCommit

// DecryptBatch decrypts messages in their order, with one commit for each
// MaxBatch of them, or for as many as the engine takes (kv.Limits), or whose
// senders' sessions have a megabyte: what a sync brings. A message that fails has
// its error, as from Decrypt, in its Result, and hinders no other. Whoever sends,
// it holds at most 16 MB over its results.
//
// When a commit fails, the results of the commits before it are returned with
// the error; the messages after them may be given again.
func (m *Machine) DecryptBatch(ctx context.Context, messages []Incoming) ([]Result, error) {
	results, err := m.messages.DecryptBatch(ctx, convert(messages, func(in Incoming) todevice.Incoming { return todevice.Incoming(in) }))
	return convert(results, func(r todevice.Result) Result { return Result{Decrypted(r.Decrypted), undecryptable(r.Err)} }), err
}

// Acknowledge tells that the caller has stored the plaintexts of these
// receipts: the message keys kept for them are erased. From then on the
// messages are answered with ErrAlreadyProcessed. Receipts that are gone, or
// acknowledged before, are passed over. As many as the engine takes, at most
// 1,000, are one commit.
func (m *Machine) Acknowledge(ctx context.Context, ids ...session.ReceiptID) error {
	_, err := m.AcknowledgeKnown(ctx, ids...)
	return err
}

// AcknowledgeKnown is Acknowledge, and returns how many of the receipts the account
// has, those acknowledged before among them, and one that is given twice twice. The
// others are of another account, or Sweep has forgotten them. If a commit fails, it
// counts those of the commits before it.
func (m *Machine) AcknowledgeKnown(ctx context.Context, ids ...session.ReceiptID) (known int, err error) {
	return m.messages.Acknowledge(ctx, ids...)
}

// UndecryptableError says that none of the sessions with the sender decrypts a
// message. It wraps the error of the session that most likely should have:
// ratchet.ErrMAC, ErrKeyGone, ErrGap, ErrUnknownChain or ErrZeroSecret.
type UndecryptableError struct {
	Sender ratchet.PublicKey
	Tried  int // sessions
	Err    error
}

// undecryptable gives the error its public type.
func undecryptable(err error) error {
	var u *todevice.UndecryptableError
	if errors.As(err, &u) {
		return (*UndecryptableError)(u)
	}
	return err
}

// Error implements error.
func (e *UndecryptableError) Error() string { return (*todevice.UndecryptableError)(e).Error() }

// Unwrap returns the session's error.
func (e *UndecryptableError) Unwrap() error { return e.Err }

package pawl

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

// Errors of opening a store and of finding accounts.
var (
	// ErrNoKey: Open was given neither a passphrase nor a key.
	ErrNoKey = errors.New("pawl: the store is sealed: give Open a passphrase or a key")
	// ErrAccountExists: the store has an account for this user and device.
	ErrAccountExists = errors.New("pawl: the store already has this account")
	// ErrNoAccount: the store has no account for this user and device.
	ErrNoAccount = errors.New("pawl: the store has no such account")
)

// Errors of decrypting and encrypting. Nothing changed: the message may be
// tried again, and the sessions are as good as before.
var (
	// ErrMessageType: the message's type is neither 0 nor 1.
	ErrMessageType = errors.New("pawl: message type is neither 0 (pre-key) nor 1 (normal)")
	// ErrUnknownSession: a normal message from a sender that we have no
	// session with.
	ErrUnknownSession = errors.New("pawl: no session with this sender")
	// ErrUnknownOneTimeKey: a pre-key message for a key that is not, or no
	// longer, one of ours.
	ErrUnknownOneTimeKey = errors.New("pawl: the pre-key message names a one-time key that is not ours")
	// ErrAlreadyProcessed: the message was decrypted before, and its key is
	// gone because it was acknowledged. Not a sign of a broken session.
	ErrAlreadyProcessed = errors.New("pawl: message was already processed and acknowledged")
	// ErrNoSession: encrypting to a peer that we have no session with. Claim
	// one of its one-time keys and pass it with WithOneTimeKey.
	ErrNoSession = errors.New("pawl: no session with this peer: pass one of its one-time keys")
	// ErrSelf: the peer's identity key is the account's own.
	ErrSelf = errors.New("pawl: a device has no session with itself")
	// ErrNeedsRecovery: the store went back in time, or nobody can tell, so that
	// encrypting could use a message key, and an upload a key id, twice. The
	// error says which. Call Machine.Recover; decrypting goes on meanwhile.
	ErrNeedsRecovery = errors.New("pawl: nothing is sent until the account is recovered ('pawl recover', Machine.Recover)")
	// ErrOneTimeKeyCount: an upload was asked for with a number of one-time
	// keys out of range.
	ErrOneTimeKeyCount = fmt.Errorf("pawl: number of one-time keys must be 0 to %d", MaxUploadKeys)
)

// UndecryptableError says that none of the sessions with the sender decrypts a
// message. It wraps the error of the session that most likely should have:
// ratchet.ErrMAC, ErrKeyGone, ErrGap, ErrUnknownChain or ErrZeroSecret.
type UndecryptableError struct {
	Sender ratchet.PublicKey
	Tried  int // sessions
	Err    error
}

// Error implements error.
func (e *UndecryptableError) Error() string {
	return fmt.Sprintf("pawl: none of %d sessions with %s decrypts the message: %v", e.Tried, e.Sender, e.Err)
}

// Unwrap returns the session's error.
func (e *UndecryptableError) Unwrap() error { return e.Err }

// corrupt is a kv.ErrCorrupt: records that contradict each other, found while
// working and not by Check.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", kv.ErrCorrupt, fmt.Sprintf(format, args...))
}

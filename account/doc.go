// Package account is the identity of one Matrix device: its Curve25519 and
// Ed25519 keys, what it signs, and what opening a session needs.
//
// An [Account] is a value and performs nothing: what a method returns is for the
// caller to store and to send, in this order. Randomness and time are
// arguments. All types are safe for concurrent use.
//
// # Where to begin
//
// [New] makes the account. [Account.UploadBody] writes the /keys/upload with its
// device keys and the keys that package otk has offered. To write to a device,
// claim one of its keys, check it with [VerifyJSON], and call
// [Account.OpenOutbound]. For a pre-key message whose session is not known, call
// [Account.OpenInbound] with the key of ours that it names. Both give a session
// of package session; after that the account is not needed to read and write.
//
// # Signing
//
// Signing keys are kept in expanded form: the clamped scalar and the prefix
// that RFC 8032, section 5.1.5, hashes from the seed. Accounts written by
// libolm have no seed, only this form, so it is the one that all accounts can
// share; signatures are those that the seed would make.
//
// Verifying is strict: one encoding of each key and signature, and none of low
// order, so that no two verifiers disagree about a message.
package account

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Errors of reading records.
var (
	// ErrFormat: the record is damaged.
	ErrFormat = record.ErrFormat
	// ErrVersion: the record was written by a newer program.
	ErrVersion = record.ErrVersion
)

// Errors of arguments.
var (
	// ErrKey: a text or bytes that are not a verification key.
	ErrKey = errors.New("account: not an Ed25519 verification key")
	// ErrNotOffered: an upload of a one-time key whose stage is not offered
	// would hand it out without a record of that.
	ErrNotOffered = errors.New("account: one-time key is not offered")
	// ErrRetired: the account was moved to another store and here only
	// inspects.
	ErrRetired = errors.New("account: account was moved to another store")
)

// Errors of verifying.
var (
	// ErrSignature: the signature is not that of the key over the message.
	ErrSignature = errors.New("account: signature does not verify")
	// ErrUnsigned: the object has no signature by this user and key.
	ErrUnsigned = errors.New("account: object is not signed by this key")
)

// Errors of opening a session. The message consumes nothing. That a one-time
// key was used before is [otk.ErrUsed]; that the message does not decrypt is
// an error of package ratchet.
var (
	// ErrSender: the pre-key message is of another identity key than the one
	// it is said to come from. The error is a [SenderError].
	ErrSender = errors.New("account: pre-key message is of another sender")
	// ErrOneTimeKey: the key given is not the one that the message names.
	ErrOneTimeKey = errors.New("account: pre-key message names another one-time key")
)

// SenderError is the [ErrSender] of a pre-key message.
type SenderError struct {
	Claimed ratchet.PublicKey // the event's sender_key
	Message ratchet.PublicKey // the identity key in the message
}

// Error implements error.
func (e *SenderError) Error() string {
	return fmt.Sprintf("%v: it carries %v, the event says %v", ErrSender, e.Message, e.Claimed)
}

// Is reports whether target is [ErrSender].
func (e *SenderError) Is(target error) bool { return target == ErrSender }

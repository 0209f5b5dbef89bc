package ratchet

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/message"
)

// Errors of reading bytes. Nothing was computed.
var (
	// ErrMalformed: the bytes are not a key or a message. The sender or the
	// transport is at fault; the same bytes will never be accepted.
	ErrMalformed = errors.New("ratchet: malformed")
	// ErrVersion: a message of another version than 3. The error is a
	// [VersionError].
	ErrVersion = errors.New("ratchet: message version is not supported")
	// ErrFormat: a session record is damaged, or of a newer program.
	ErrFormat = errors.New("ratchet: session record is damaged or of an unknown version")
)

// Errors of the handshake and of decrypting. The session is unchanged and the
// caller may keep using it.
var (
	// ErrMAC: the message was not made with this session's keys, or was
	// changed on its way. Also the answer to a bad padding.
	ErrMAC = errors.New("ratchet: message does not authenticate")
	// ErrKeyGone: the key of this message was used already, or dropped
	// because too many later messages came first.
	ErrKeyGone = errors.New("ratchet: message key was already used or dropped")
	// ErrGap: the message is more than [MaxGap] ahead of its chain. The error
	// is a [GapError].
	ErrGap = errors.New("ratchet: too many messages were skipped")
	// ErrUnknownChain: the message is of a chain that we do not have, while
	// the peer cannot have begun a new one: it has not seen a key of ours.
	ErrUnknownChain = errors.New("ratchet: message is of an unknown chain")
	// ErrZeroSecret: a peer's key is of low order, so the shared secret would
	// be all zeros and known to everybody.
	ErrZeroSecret = errors.New("ratchet: peer key yields an all-zero secret")
	// ErrExhausted: the chain has used its last index. It continues only with
	// a new ratchet key, after an answer of the peer.
	ErrExhausted = errors.New("ratchet: chain has no message index left")
	// ErrKeyPair: a key pair needed for the handshake is empty, or is not the
	// one that the message names.
	ErrKeyPair = errors.New("ratchet: key pair is empty or not the one named by the message")
	// ErrNoSession: the zero Session, or one that can neither send nor receive.
	ErrNoSession = errors.New("ratchet: empty session")
)

// VersionError is the [ErrVersion] of a message.
type VersionError struct {
	Version byte // the first byte of the message
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%v: version %d, want %d", ErrVersion, e.Version, message.Version)
}

// Is reports whether target is [ErrVersion].
func (e *VersionError) Is(target error) bool { return target == ErrVersion }

// GapError is the [ErrGap] of a message too far ahead.
type GapError struct {
	Chain   uint32 // next index expected on the chain
	Message uint32 // index of the message
}

// Error implements error.
func (e *GapError) Error() string {
	return fmt.Sprintf("%v: message index %d, chain at %d, at most %d ahead", ErrGap, e.Message, e.Chain, MaxGap)
}

// Is reports whether target is [ErrGap].
func (e *GapError) Is(target error) bool { return target == ErrGap }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

func badRecord(reason string) error {
	return fmt.Errorf("%w: %s", ErrFormat, reason)
}

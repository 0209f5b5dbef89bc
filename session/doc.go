// Package session keeps Olm sessions as records and says which one to use.
//
// A [Session] (record session/<curve25519>/<id>) is a ratchet state with its
// peer and times. A [Peer] (record peer/<curve25519>) lists the sessions with
// one device. A [Receipt] (record receipt/<id>) says that one message was
// decrypted, and can open it again until the caller acknowledged it.
//
// To begin: [New] for a session that was just opened, and [Peer.Add]; for each
// message [Session.Received] or [Session.Sent] with the ratchet state after it,
// and for a received one [NewReceipt], all stored together.
//
// # Choice
//
// A peer may have several sessions with us. To send, [Choose] takes the one
// that most recently received a message that decrypted (Matrix specification,
// m.olm.v1.curve25519-aes-sha2). To receive, [Candidates] puts those first
// that know the message's chain, and leaves out those that a message from far
// ahead would cost too much in: only who sends may say how far ahead it is. Two
// sessions with a peer never know one ratchet key ([Known]).
//
// # Order and times
//
// Choice is decided by an [Order], which no clock touches; times ([Stamp], in
// milliseconds) say when something expires. What was written in format 1 has no
// order and comes before all that has one. Among such, times are the order too:
// a wall clock may go back, so what is stored there is the clock or one more than
// the stamps it must come after, whichever is later: see [NextStamp].
//
// # Sessions that only receive
//
// A store that was put back in time holds states from before messages that
// this device did send. [Session.StopSending] keeps such a session for what the
// peer still sends in it and takes it out of [Choose] for good: its chain would
// use message keys a second time. A message with a new ratchet key would start
// a chain of our own from fresh randomness, and no key of that chain was used
// before. But the peer has perhaps seen the lost state begin another chain at
// the same place, and then could not follow this one. So the session never
// sends again, whatever it receives.
//
// # Pruning
//
// A peer keeps at most [MaxPerPeer] sessions. A pruned one leaves a tombstone
// in its record's place: its first message may be replayed, and a fallback key
// would open the session anew, with all its message keys.
//
// # Strangers
//
// A fallback key is given to anybody, any number of times. A peer that came by
// one and that we never wrote to is a stranger ([Peer.Standing]): after some
// weeks of silence it may be forgotten, with its sessions. One that came by a
// one-time key is not: a device that only reads answers nobody.
//
// All types are values: no method changes its receiver, and all are safe for
// concurrent use.
package session

import (
	"errors"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

const (
	// MaxPerPeer is how many sessions are kept with one peer. It bounds the
	// peer's record and what a message of unknown session costs; the Matrix
	// specification asks for 4 at least.
	MaxPerPeer = 32

	// MaxSteps is how many steps of chains one message may cost in the sessions
	// that know its chain, and as many more in those that do not. It lets any
	// message that a session accepts be tried in one of either kind, and one of
	// the first 63 of its chain in all.
	MaxSteps = ratchet.MaxGap

	// MaxDropped is of how many chains that a session had it is known that it had
	// them. More than these must have begun since the message was sent that comes too
	// late.
	MaxDropped = 16

	// ReceiptLife is how long a receipt answers the same message again.
	ReceiptLife = 14 * 24 * time.Hour

	// StrangerSilence is how long a stranger is silent before it may be forgotten,
	// StrangerMemory how long before it is.
	StrangerSilence = 28 * 24 * time.Hour
	StrangerMemory  = ReceiptMemory

	// MaxSilentSessions is how many sessions are kept with strangers that may be
	// forgotten: those that were heard last. They are 8 MB at most.
	MaxSilentSessions = 1000

	// ReceiptMemory is how long a receipt tells, without the message's key,
	// that the message was processed: longer than a server keeps a message for
	// a device that never fetches it. Without it the session would answer an
	// old message like one that it cannot decrypt.
	ReceiptMemory = 365 * 24 * time.Hour
)

// Errors of reading records.
var (
	// ErrFormat: the record is damaged.
	ErrFormat = record.ErrFormat
	// ErrVersion: the record was written by a newer program.
	ErrVersion = record.ErrVersion
)

// Errors of operations. Nothing was changed.
var (
	// ErrKnown: the peer has this session already.
	ErrKnown = errors.New("session: peer already has this session")
	// ErrFull: the peer has MaxPerPeer sessions. Prune one first.
	ErrFull = errors.New("session: peer has too many sessions")
	// ErrRatchetKey: another session with the peer knows the message's ratchet
	// key, which a peer makes for one session.
	ErrRatchetKey = errors.New("session: another session with this peer has the message's ratchet key")
	// ErrPruned: the session was pruned and its keys are gone.
	ErrPruned = errors.New("session: session was pruned")
)

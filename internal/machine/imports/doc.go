// Package imports takes a device in that lived in another program: its identity, its
// one-time keys, its Olm sessions, and the room keys that it had.
//
// What comes is values, whoever read them and from what. All of it was read before the
// first commit. Then the account is made, which sends nothing yet; its keys and
// sessions follow in commits that any engine takes, each of which moves the mark of how
// far the import has come; and the last one ends it. So an import that was interrupted
// goes on where it was, and one that is over never puts back what was used or given up
// since. What stands beside keys and sessions (rooms, users, which event has which
// message, the token of the next sync) comes before that end, each once.
//
// The program that the device came from cannot be stopped from here. If it runs again,
// both use the same message keys. So the account needs to be recovered before it sends,
// unless somebody vouches for the program's end ([Device.Retired]).
package imports

import (
	"errors"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// Errors of importing; see package pawl.
var (
	ErrBegun  = errors.New("pawl: an import of this account from something else was begun and not finished")
	ErrDevice = errors.New("pawl: this cannot be the device of one program")
)

// Device is what another program had of a device.
type Device struct {
	secret.Guard
	Program  string   // by name
	Digest   [32]byte // of what the device was read from
	Name     machine.AccountName
	Identity ratchet.KeyPair
	Signing  account.SigningKey
	Created  time.Time // zero: not known

	OneTimeKeys []Key  // in the order in which they were made
	Fallbacks   []Key  // the current one first
	LastID      otk.ID // no id up to this one is given out again

	Sessions []Session
	RoomKeys []RoomKey

	Since      string          // the token of its next sync; "": not known
	Users      []matrix.UserID // whose devices it followed
	Identities []Identity
	Rooms      []Room
	Messages   []Message // of sessions that are not there: passed over
	Withheld   []group.Withheld
	Extras     []Extra

	// Retired: the program never runs again, so what it had is the newest there is.
	Retired bool
}

// Key is a one-time or fallback key.
type Key struct {
	secret.Guard
	ID        otk.ID // 0 where the program names its keys in another form
	Pair      ratchet.KeyPair
	Published bool // else nobody knows whether the server has it
}

// Session is an Olm session. Times are zero where they are not known.
type Session struct {
	secret.Guard
	Ratchet  ratchet.Session
	Peer     ratchet.PublicKey // the identity key of the other device
	Created  time.Time
	Received time.Time // when a message was read last
	Sent     time.Time // when one was sent last
}

// RoomKey is the key of a Megolm session, of any provenance.
type RoomKey struct {
	Room   matrix.RoomID
	Key    group.Key
	Source group.Source
}

// Imported is what came of an import.
type Imported struct {
	// Before: the account was imported before, and nothing but room keys was looked at.
	Before bool
	// NeedsRecovery: nothing is sent until the account is recovered.
	NeedsRecovery bool

	Published, Abandoned int // one-time keys, by what they are here
	Used                 int // those that opened one of the sessions
	Fallbacks            int
	Sessions             int
	Dropped              int // sessions that a peer has too many of
	RoomKeys             roomkeys.Imported
}

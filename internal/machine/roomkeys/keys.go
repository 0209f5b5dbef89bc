package roomkeys

import (
	"context"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Types of the events that Receive takes.
const (
	RoomKey          = "m.room_key"
	ForwardedRoomKey = "m.forwarded_room_key"
	Withheld         = "m.room_key.withheld"
	OldWithheld      = "org.matrix.room_key.withheld" // as old clients call it
)

// Handles reports whether Receive takes events of a type.
func Handles(eventType string) bool {
	switch eventType {
	case RoomKey, ForwardedRoomKey, Withheld, OldWithheld:
		return true
	}
	return false
}

// Errors of room keys that come, and of events of rooms; see package pawl.
var (
	ErrPlain        = errors.New("pawl: a room key that did not come encrypted")
	ErrContent      = errors.New("pawl: content is not that of such an event")
	ErrAlgorithm    = errors.New("pawl: algorithm is not m.megolm.v1.aes-sha2")
	ErrSessionID    = errors.New("pawl: session id is not that of the room key")
	ErrOtherRoom    = errors.New("pawl: room key or event of another room")
	ErrNotRequested = errors.New("pawl: forwarded room key that was not asked for, or not from an own verified device")
	ErrUnsettled    = errors.New("pawl: too many room keys of a device that nobody knows yet")
	ErrOtherUser    = errors.New("pawl: the room key's device is not the sender's")
	ErrReplay       = errors.New("pawl: the message was sent again as another event")
	ErrContradicts  = errors.New("pawl: room key is not of the ratchet that is stored")
	ErrProvenance   = errors.New("pawl: imported room keys are from a bundle, a backup or a file")
)

// Keys are the room keys of an account. Its methods may be called from any number of
// goroutines.
type Keys struct {
	account *machine.Account
	// Requested says whether a request of ours for the key of a session is open at
	// the device that forwards it, which is an own verified one. Nil: there is none.
	Requested func(tx *txn.Tx, from From, room matrix.RoomID, session group.SessionID) (bool, error)
	// Lacks is told, outside of any transaction, that an event of a user could not be
	// read for want of a key; nil: nobody is.
	Lacks func(ctx context.Context, user matrix.UserID, s records.RoomSession) error
	hints *lru.Cache[group.SessionID, hint]
}

// hint is what a process remembers of a session that it has read in: how far, and
// whose it was. It saves hashes and round trips; nothing follows from it.
type hint struct {
	reached group.Reached
	sender  ratchet.PublicKey
	device  device.Name
}

// maxHints bounds the sessions that a process remembers.
const maxHints = 256

// NewKeys returns the room keys of an account.
func NewKeys(a *machine.Account) *Keys {
	hints, err := lru.New[group.SessionID, hint](maxHints)
	if err != nil {
		panic(err) // the size is none
	}
	return &Keys{account: a, hints: hints}
}

package receive

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// ErrResponse: see package pawl.
var ErrResponse = errors.New("pawl: not the response of a sync")

// Receiver takes in what syncs bring to an account. Its methods may be called from
// any number of goroutines.
type Receiver struct {
	account  *machine.Account
	messages *todevice.Messages
	others   Others
	own      atomic.Pointer[machine.Identity] // once it was read: it never changes
	proofs   proofs
}

// New returns the receiver of an account.
func New(a *machine.Account, m *todevice.Messages, o Others) *Receiver {
	return &Receiver{account: a, messages: m, others: o, proofs: newProofs()}
}

// From is who sent an encrypted event, as far as that is proved.
type From struct {
	User       matrix.UserID
	Curve25519 ratchet.PublicKey
	Ed25519    account.VerifyKey
	// Device is the device that is known to have these keys, nil if none is, or if
	// answers leave it out by now: somebody may have it who logged it out.
	Device *device.Device
	// Proved are the keys of the device as the event itself has them, signed by it;
	// nil: it has none.
	Proved *device.Keys
}

// Uploads says which uploads of keys had ended at some time; nil: nobody knows.
type Uploads = *keys.Mark

// RoomKey names a session of a room whose key came.
type RoomKey struct {
	Room    matrix.RoomID
	Session group.SessionID
}

// Message is an event that another package handles.
type Message struct {
	Type    string
	Content json.RawMessage
	From    From // of one that is not encrypted only the user
	// Encrypted: From is who sent it.
	Encrypted bool
	Place     int // in its commit
	// Read is the content of a room key that was read before, zero: it was not.
	Read roomkeys.Content
}

// Others are what the parts of a response are for. What they return commits with
// the event. An error that is machine.IsDamage keeps the event for later; any other
// one refuses it.
type Others struct {
	// Began says which uploads of keys have ended by now.
	Began func(tx *txn.Tx) (Uploads, error)
	// SawCounts is told what the server has of our keys. A nil count or nil types
	// have not changed.
	SawCounts func(tx *txn.Tx, v account.Account, since Uploads, count *int, unused []string) error
	// SawPushed is told the same by a transaction; nil: nobody is.
	SawPushed func(tx *txn.Tx, count *int, unused []string) error
	// Uploads names what the three of them look at.
	Uploads []txn.Ref
	// OwnerOf and DeviceOf are what is known of others' devices.
	OwnerOf  func(tx *txn.Tx, key ratchet.PublicKey) (device.Owner, bool, error)
	DeviceOf func(tx *txn.Tx, name device.Name) (device.Device, bool, error)
	// Prove is told that a device with an Ed25519 key has a Curve25519 key that others
	// claim too.
	Prove func(tx *txn.Tx, key ratchet.PublicKey, by device.Name, ed25519 account.VerifyKey) error
	// Reads names what OwnerOf looks at, Sends what an event of a device is taken by, and
	// Gives what is looked at for a room key of a session.
	Reads func(key ratchet.PublicKey) []txn.Ref
	Sends func(by device.Name) []txn.Ref
	Gives func(s group.SessionID) []txn.Ref
	// Outdated, Left and AllOutdated are told whose devices may have changed, and
	// UserCost is what one user takes of a commit.
	Outdated    func(tx *txn.Tx, user matrix.UserID) error
	Left        func(tx *txn.Tx, user matrix.UserID) error
	AllOutdated func(tx *txn.Tx, v account.Account) error
	UserCost    machine.Share
	// RoomKey takes room keys, forwarded ones, and notices that there is none.
	RoomKey func(tx *txn.Tx, v account.Account, m Message) ([]RoomKey, error)
	// KeyRequest takes requests for room keys.
	KeyRequest func(tx *txn.Tx, v account.Account, m Message) error
	// Room takes what happened in a room, and RoomCost is what that takes of a
	// commit.
	Room     func(tx *txn.Tx, v account.Account, r syncresponse.Room, response []byte) error
	RoomCost func(r syncresponse.Room) machine.Share
	// Unreadable is told of an encrypted event that was refused, with the error: when it
	// came, of which user, as the server says, and from which key, as it says.
	Unreadable func(tx *txn.Tx, at record.Moment, sender matrix.UserID, key ratchet.PublicKey, why error) error
	// Reopened is told that a device which had sessions with us opened another.
	Reopened func(tx *txn.Tx, d device.Device, s ratchet.SessionID) error
	// CodeOf is the code of an error, for who reads what was refused; nil: none.
	CodeOf func(error) string
}

// Received is what a response brought; see package pawl.
type Received struct {
	Events     []Event
	Refused    []Refusal
	RoomKeys   []RoomKey
	Duplicates int
	Advanced   bool
	Held       *Held // nil: the token was not held
}

// Event is a to-device event that is the caller's; see package pawl.
type Event struct {
	secret.Guard // the content of an encrypted one is not for logs
	Index        int
	Sender       matrix.UserID
	Type         string
	Content      json.RawMessage
	Encrypted    bool
	SenderKey    ratchet.PublicKey
	Ed25519      account.VerifyKey
	Device       matrix.DeviceID
	Duplicate    bool
	Receipt      session.ReceiptID
	Kept         json.RawMessage
}

// Refusal is an event that was not taken; see package pawl.
type Refusal struct {
	Index  int
	Sender matrix.UserID
	Type   string
	Err    error
	Kept   bool
}

// identity is the account's own.
func (r *Receiver) identity(ctx context.Context) (machine.Identity, error) {
	if own := r.own.Load(); own != nil {
		return *own, nil
	}
	own, err := r.account.Identity(ctx)
	if err == nil {
		r.own.Store(&own)
	}
	return own, err
}

// active is [machine.Account.Active] for what only accounts of format 2 can keep.
func (r *Receiver) active(tx *txn.Tx) (account.Account, error) {
	return r.account.ActiveRaised(tx)
}

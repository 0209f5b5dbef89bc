package stored

import (
	"context"
	"encoding/json"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/matrix"
)

// Bob's names.
const (
	BobUser   = "@bob:example.org"
	BobDevice = "BOB"
)

// Bob is a device of some system, on a store in a directory.
type Bob interface {
	// Upload makes keys and returns the body of a /keys/upload, which the
	// server then has.
	Upload(context.Context) (json.RawMessage, error)
	// Meet stores devices, as after a /keys/query.
	Meet(context.Context, []Device) error
	// Sync prepares a call that is given a sync response with these encrypted
	// to-device events: what a client does up to there is not the store's. Of what
	// type they are tells a Bob that takes notes by another call than room keys.
	Sync(events []json.RawMessage, of peer.EventType) (Call, error)
	// Send prepares a call that encrypts a note to each of devices, which are
	// met. Of those that there is no session with, it has claimed keys.
	Send(devices []Device, claimed []Claim, content json.RawMessage) (Call, error)
	// Sent returns what the last Send encrypted, by the receiver's identity key.
	Sent() map[string]Ciphertext
	// Kept counts the messages and the room keys that the store has.
	Kept(context.Context) (Kept, error)
	Roommate
	Close() error
}

// Roommate is what a Bob does in rooms. What its system cannot do, see
// [System.Lacks], is never called.
type Roommate interface {
	// Share prepares a call that gives the key of a new session of a room to devices,
	// which are met, and with which there are sessions; it ends when the server has
	// it. Told returns how many devices all calls gave it to, which the server counts
	// only then: that is not what is measured.
	Share(room matrix.RoomID, devices []Device) (Call, error)
	Told() (int, error)
	// Claim prepares a call that takes the answer to a claim of keys of devices,
	// which are met, and opens sessions with all of them.
	Claim(ctx context.Context, devices []Device, claimed []Claim) (Call, error)
	// Missing prepares a call that finds out with which devices of users, who are
	// met, sessions are missing. Lacking returns how many it found.
	Missing(users []matrix.UserID) (Call, error)
	Lacking(context.Context) (int, error)
	// Write prepares a call that encrypts an event of a room whose key was shared.
	Write(room matrix.RoomID, content json.RawMessage) (Call, error)
	// Read prepares a call that decrypts an event of a room.
	Read(RoomEvent) (Call, error)
}

// Call is what is measured.
type Call func(context.Context) error

// Kept is what a store remembers of what it got.
type Kept struct {
	Messages int // so that they are not decrypted twice
	RoomKeys int
}

// Device is somebody else's, as /keys/query describes it.
type Device struct {
	User       matrix.UserID
	ID         matrix.DeviceID
	Curve25519 string
	Ed25519    string
	Keys       json.RawMessage // device_keys, signed
}

// Claim is a one-time key of a device, as /keys/claim gives it.
type Claim struct {
	Device Device
	ID     string // "signed_curve25519:AAAAAQ"
	Key    json.RawMessage
}

// System is a kind of Bob.
type System struct {
	Name string // unique in the program, for entries' ids
	// Row holds system, design, engine, durable and also.
	Row result.Row
	// Lacks says of workloads that the system does not have why.
	Lacks map[string]string
	// Open opens the store in a directory, made if there is none.
	Open func(ctx context.Context, dir string) (Bob, error)
}

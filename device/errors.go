package device

import (
	"errors"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

// Errors of what an answer says. What is refused changes nothing.
var (
	// ErrForm: JSON of another shape than the specification has.
	ErrForm = errors.New("device: malformed")
	// ErrNames: an object is of another user or device than it is said to be.
	ErrNames = errors.New("device: is of another user or device")
	// ErrUnsigned: the signature that makes the object believable is missing or
	// wrong.
	ErrUnsigned = errors.New("device: not signed as it must be")
	// ErrChanged: the device was known with other keys. They are kept.
	ErrChanged = errors.New("device: has other keys than were known")
	// ErrTaken: the Curve25519 key is another device's.
	ErrTaken = errors.New("device: has the Curve25519 key of another device")
)

// Errors of reading records.
var (
	// ErrFormat: the record is damaged.
	ErrFormat = record.ErrFormat
	// ErrVersion: the record was written by a newer program.
	ErrVersion = record.ErrVersion
)

// Refusal is something in an answer that was not taken.
type Refusal struct {
	User   matrix.UserID
	Device matrix.DeviceID // empty: the user's cross-signing keys
	Err    error
}

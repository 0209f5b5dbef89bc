package device

import (
	"errors"
	"strings"
	"unicode/utf8"

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
	// ErrMany: the user has more devices than are kept.
	ErrMany = errors.New("device: its user has too many devices")
	// ErrUnreadable: what is known of the device is damaged, so that nobody can tell
	// whether this is it.
	ErrUnreadable = errors.New("device: what is known of it is damaged")
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

// Reason is the reason that the error is of.
func (r Refusal) Reason() Reason {
	for reason := reasons - 1; reason > ReasonForm; reason-- {
		if errors.Is(r.Err, reason.Err()) {
			return reason
		}
	}
	return ReasonForm
}

// rejected is what is kept of the refusal: a server may call a device anything.
func (r Refusal) rejected() Rejected {
	id := string(r.Device)
	if len(id) > matrix.MaxLength || !utf8.ValidString(id) {
		id = strings.ToValidUTF8(id[:min(len(id), matrix.MaxLength)], "")
	}
	return Rejected{matrix.DeviceID(id), r.Reason()}
}

package rooms

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/todevice"
)

// Rooms are the rooms of an account. Its methods may be called from any number of
// goroutines.
type Rooms struct {
	account  *machine.Account
	messages *todevice.Messages
	queries  *devices.Queries
	claims   *claims.Claims
	crowd    atomic.Int64 // so many devices the store had more than, when that was last looked at
}

// New returns the rooms of an account.
func New(a *machine.Account, m *todevice.Messages, q *devices.Queries, c *claims.Claims) *Rooms {
	return &Rooms{account: a, messages: m, queries: q, claims: c}
}

// Errors of sharing and encrypting; see package pawl.
var (
	ErrNotShared = errors.New("pawl: the room key is not shared with everybody who is to have it: share it")
	ErrRotate    = errors.New("pawl: the room key is not to be used any more: share a new one")
)

// NotSharedError is an ErrNotShared that names the requests whose answers are
// missing, as far as they are known: none, if the key was never shared or something
// has changed since.
type NotSharedError struct{ Requests []outbox.ID }

// Error implements error.
func (e *NotSharedError) Error() string {
	return fmt.Sprintf("%v (%d requests have no answer)", ErrNotShared, len(e.Requests))
}

// Is makes errors.Is(err, ErrNotShared) true.
func (e *NotSharedError) Is(target error) bool { return target == ErrNotShared }

// RotateError is an ErrRotate that says why.
type RotateError struct{ Why group.Why }

// Error implements error.
func (e *RotateError) Error() string { return fmt.Sprintf("%v (%s)", ErrRotate, e.Why) }

// Is makes errors.Is(err, ErrRotate) true.
func (e *RotateError) Is(target error) bool { return target == ErrRotate }

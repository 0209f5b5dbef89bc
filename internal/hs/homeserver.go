package hs

import (
	"context"

	"github.com/pawlkv/pawl/matrix"
)

// Homeserver is what tests of clients need of one: a [Server], or a real one behind a
// [Proxy].
type Homeserver interface {
	// URL is where clients find it.
	URL() string
	// AddUser makes a user who logs in with a password.
	AddUser(id matrix.UserID, password string)
	// Login logs somebody in, and returns the access token. A device that was there
	// keeps its keys.
	Login(id matrix.UserID, of matrix.DeviceID) string
	// Logout removes a device, as its user can from another one.
	Logout(id matrix.UserID, of matrix.DeviceID)
	// KeyCount is how many one-time keys it has of a device.
	KeyCount(id matrix.UserID, of matrix.DeviceID) int
	// Timeline returns all events of a room.
	Timeline(id matrix.RoomID) []Event

	// Fail adds a fault, and Heal removes all.
	Fail(Fault)
	Heal()
	// Exchanges returns what was asked and done so far.
	Exchanges(endpoints ...string) []Exchange
	// Settle waits until devices have asked again after all that happened so far.
	Settle(ctx context.Context, of map[matrix.UserID]matrix.DeviceID) error

	// ForgetTransactions makes it do again what it did, if it is asked again.
	ForgetTransactions()
	// Restart ends it and starts it again at the same place.
	Restart() error
	Close() error
}

var _ Homeserver = (*Server)(nil)

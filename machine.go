package pawl

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/events"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/receive"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/machine/unwedge"
)

// Machine is one account of a store: what a Matrix client calls. All of the
// account's state is in the store, so any number of Machines, in any number of
// processes, may work on one account, and all methods may be called from any
// number of goroutines. A Machine only remembers hints: which sessions a peer
// had when it last looked, to ask for them in the same round trip. Nothing
// follows from a hint that is out of date but that trip. And it remembers which
// signed device keys it has verified, byte for byte.
//
// An account that was moved to another store (account.ErrRetired) only
// inspects.
type Machine struct {
	account  *machine.Account
	messages *todevice.Messages
	roomKeys *roomkeys.Keys
	claims   *claims.Claims
	bells    *events.Bells
	queries  *devices.Queries
	rooms    *rooms.Rooms
	requests *keyrequests.Requests
	unwedge  *unwedge.Unwedging
	outbox   *outbox.Outbox
	receiver *receive.Receiver
}

func newMachine(a *machine.Account) *Machine {
	m := &Machine{account: a, messages: todevice.New(a), roomKeys: roomkeys.NewKeys(a)}
	m.claims, m.bells = claims.New(a, m.messages), events.NewBells(a)
	m.requests = keyrequests.New(a, m.messages, m.claims)
	m.unwedge = unwedge.New(a, m.messages, m.claims, m.requests)
	m.queries = devices.New(a, m.roomKeys.Settle, m.unwedge.Settle)
	m.rooms = rooms.New(a, m.messages, m.queries, m.claims)
	m.roomKeys.Requested, m.roomKeys.Lacks = m.requests.Open, m.unwedge.Lacks
	m.outbox = outbox.NewOutbox(a, keys.NewUploads(a).Gate, m.handlers())
	m.receiver = receive.New(a, m.messages, receive.Handed(a, m.roomKeys, m.requests, m.unwedge, func(err error) string { return string(CodeOf(undecryptable(err))) }))
	return m
}

// Identity returns the account's public keys.
func (m *Machine) Identity(ctx context.Context) (Identity, error) {
	id, err := m.account.Identity(ctx)
	return Identity(id), err
}

package pawl

import (
	"context"
	"sync"

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

	made   sync.Once
	client client
}

// client is what a Matrix client needs beside Olm messages. It is made by the first call
// that needs it, and named nowhere else: so a program that has no such call does not link
// what all of them do.
type client struct {
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

func newMachine(a *machine.Account) *Machine { return &Machine{account: a, messages: todevice.New(a)} }

// asClient returns what calls of a Matrix client have in common.
func (m *Machine) asClient() *client {
	m.made.Do(func() { m.client = newClient(m.account, m.messages) })
	return &m.client
}

func newClient(a *machine.Account, messages *todevice.Messages) client {
	c := client{roomKeys: roomkeys.NewKeys(a), claims: claims.New(a, messages), bells: events.NewBells(a)}
	c.requests = keyrequests.New(a, messages, c.claims)
	c.unwedge = unwedge.New(a, messages, c.claims, c.requests)
	c.queries = devices.New(a, c.roomKeys.Settle, c.unwedge.Settle)
	c.rooms = rooms.New(a, messages, c.queries, c.claims)
	c.roomKeys.Requested, c.roomKeys.Lacks = c.requests.Open, c.unwedge.Lacks
	uploads := keys.NewUploads(a)
	c.outbox = outbox.NewOutbox(a, uploads.Gate, handlers(a, &c, uploads))
	c.receiver = receive.New(a, messages, receive.Handed(a, c.roomKeys, c.requests, c.unwedge, func(err error) string { return string(CodeOf(undecryptable(err))) }))
	return c
}

// Identity returns the account's public keys.
func (m *Machine) Identity(ctx context.Context) (Identity, error) {
	id, err := m.account.Identity(ctx)
	return Identity(id), err
}

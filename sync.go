package pawl

import (
	"context"
	"encoding/json"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/receive"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// SyncTicket is for one request of a sync: from where on it asks, which goes into the
// request, and what was so when it began, which [Machine.ReceiveSync] has to know.
// It may be kept for as long as the request takes, and used more than once. One that
// a program makes itself says nothing of when the request began: counts in the
// response are then passed over.
type SyncTicket struct {
	// Since is the since parameter of /sync, "" for the first.
	Since string
	// Pos is the pos parameter of simplified sliding sync (MSC4186), and ToDeviceSince
	// the since of its to_device extension; "" for the first.
	Pos, ToDeviceSince string

	rest receive.Ticket
}

// NextSync returns the ticket of the next request to /sync. Any process may take one
// at any time, and hand in the response. It fails with account.ErrRetired,
// ErrFormat1 or, if the record that has the token is damaged, kv.ErrCorrupt: once it
// is repaired the next sync is a first one.
func (m *Machine) NextSync(ctx context.Context) (SyncTicket, error) {
	return syncTicket(m.asClient().receiver.Next(ctx, false))
}

// NextSlidingSync is NextSync for simplified sliding sync (MSC4186). All processes
// share one connection (conn_id).
func (m *Machine) NextSlidingSync(ctx context.Context) (SyncTicket, error) {
	return syncTicket(m.asClient().receiver.Next(ctx, true))
}

func syncTicket(t receive.Ticket, err error) (SyncTicket, error) {
	return SyncTicket{t.Since, t.Pos, t.ToDevice, t}, err
}

func (t SyncTicket) ticket() receive.Ticket {
	t.rest.Since, t.rest.Pos, t.rest.ToDevice = t.Since, t.Pos, t.ToDeviceSince
	t.rest.Sliding = t.rest.Sliding || t.Pos != "" || t.ToDeviceSince != ""
	return t.rest
}

// LostSync tells that the server does not know the token of a request any more
// (M_UNKNOWN_POS, say). The next request is a first one, and all users whose devices
// are followed are asked for again. If another token is stored by now nothing is
// changed. Errors are those of NextSync.
func (m *Machine) LostSync(ctx context.Context, t SyncTicket) error {
	return m.asClient().receiver.Lost(ctx, t.ticket())
}

// Received is what a response brought.
type Received struct {
	// Events are the to-device events that are not Pawl's, in order: of all types but
	// those of room keys, requests for them, notices and m.dummy.
	Events []ToDeviceEvent
	// Refused are events that were not taken. None of them kept another from being
	// taken, or the token from moving on.
	Refused []RefusedEvent
	// RoomKeys are the sessions whose key is new, or better than what was stored.
	RoomKeys []ReceivedRoomKey
	// Duplicates counts events that had been done with before.
	Duplicates int
	// Advanced: the next request goes on behind this response. If not, another
	// response to the same token came before; what this one brought is done all the
	// same, and its events will come again.
	Advanced bool
	// Held is the token, where HoldToken kept it from being stored; nil: it did not.
	Held *HeldToken
}

// HeldToken is a token that [Machine.StoreToken] is to store.
type HeldToken = receive.Held

// ReceiveOption changes what ReceiveSync does.
type ReceiveOption func(*receive.Ticket)

// HoldToken keeps the token of a response from being stored if Events are returned.
// So they come again, from whatever the next request brings, to a program that dies
// before it has handled them: it calls StoreToken then. Until that, or until another
// process stores the token of another response, requests begin where this one did.
func HoldToken() ReceiveOption {
	return func(t *receive.Ticket) { t.Hold = true }
}

// StoreToken stores a token that was held, once the events were handled, and
// acknowledged where they were encrypted. It reports whether it is the stored token
// now, as Received.Advanced does: another process may have been first, with another
// response to the same token. It may be called again. nil is no token. Errors are those of NextSync.
func (m *Machine) StoreToken(ctx context.Context, held *HeldToken) (advanced bool, err error) {
	if held == nil {
		return false, nil
	}
	return m.asClient().receiver.Store(ctx, held)
}

// ToDeviceEvent is a to-device event for the caller. Of one that was not encrypted
// nobody but the server vouches for anything.
type ToDeviceEvent struct {
	secret.Guard               // the content is not for logs
	Index        int           // in the response; -1: it is of an earlier one, and was kept since
	Sender       matrix.UserID // of an encrypted event: as its device says too
	Type         string
	Content      json.RawMessage // an object; of a plain event a part of the response
	Encrypted    bool
	SenderKey    ratchet.PublicKey // of an encrypted event, as the next three
	Ed25519      account.VerifyKey
	Device       matrix.DeviceID // "": no answer to /keys/query has shown it, or the newest leaves it out
	// Duplicate tells that the event was returned before, as in [Decrypted].
	Duplicate bool
	// Receipt is for Acknowledge, of an encrypted event: until then the same event is
	// returned again.
	Receipt session.ReceiptID
	// Kept is an encrypted event of an earlier response as it came; nil: it is of this one.
	Kept json.RawMessage
}

// RefusedEvent is an event that was not taken, and why.
type RefusedEvent struct {
	Index  int           // in the response; -1: it is of an earlier one, and was kept since
	Sender matrix.UserID // as it says; "" if that is nobody
	Type   string        // likewise
	Err    error
	// Kept: damage of our own keeps it from being read. It is tried again after
	// [Store.Repair].
	Kept bool
}

// ReceivedRoomKey names a session whose key came.
type ReceivedRoomKey struct {
	Room    matrix.RoomID
	Session group.SessionID
}

// ReceiveSync takes in the response to a request that was made with a ticket. Each
// to-device event is decrypted and checked as the Matrix specification wants it
// (client-server, m.olm.v1.curve25519-aes-sha2), and what it brings is stored with the
// ratchet step, in one commit for at most MaxBatch events; then what the response says
// of rooms, of others' devices and of our keys on the server; and the token with the
// last of it or after. So whatever happens between two commits, and whoever hands in
// what in any order, the stored token covers nothing that is not stored, and does not
// go back. The same response may be handed in again.
//
// The token moves on only from where the request began. If another response has moved
// it meanwhile, the events are taken in all the same, and what the response says of
// rooms and counts is passed over: the other one, or the next, says it too.
//
// Events that are not Pawl's are returned once the token may be stored. A program that
// must not lose them when it dies in between uses HoldToken, or keeps the response until
// it has stored them, and hands it in again; encrypted ones that come again are marked
// as duplicates.
//
// An event that cannot be read is recorded for two weeks (1,000 at most, 32 of a
// sender) and refused; one above 1 MiB is not even looked at. Errors of a
// [RefusedEvent]: those of [Machine.Decrypt], ErrEvent, ErrEventSize, ErrNotOlm,
// ErrNotForUs, ErrSenderKey, ErrPayload, ErrUnencrypted, and of a room key those of
// its content (ErrContent, ErrSessionID ...). One that damage keeps from being read
// is kept, and tried again after [Store.Repair].
//
// It holds at most 64 MB over the response and what it returns. Errors: ErrResponse,
// and then nothing was changed; account.ErrRetired, ErrFormat1; and those of the store.
// What was committed before an error is returned with it.
func (m *Machine) ReceiveSync(ctx context.Context, t SyncTicket, response []byte, options ...ReceiveOption) (Received, error) {
	ticket := t.ticket()
	for _, set := range options {
		set(&ticket)
	}
	return received(m.asClient().receiver.Sync(ctx, ticket, response))
}

// ReceiveTransaction takes in what a server sends to an application service
// (Matrix specification, PUT /_matrix/app/v1/transactions/{txnId}, with MSC2409 and
// MSC3202): what of it is for this device, as ReceiveSync does. There is no token. The
// last 100 transactions are remembered, and one that comes again is not looked at,
// unless events of it were returned: these are returned again, until they are
// acknowledged. Transactions may come in any order, so what they say of our keys on the
// server makes the next upload ask it.
func (m *Machine) ReceiveTransaction(ctx context.Context, id string, body []byte) (Received, error) {
	return received(m.asClient().receiver.Transaction(ctx, id, body))
}

func received(r receive.Received, err error) (Received, error) {
	return Received{
		Events:     convert(r.Events, func(e receive.Event) ToDeviceEvent { return ToDeviceEvent(e) }),
		Refused:    convert(r.Refused, refusedEvent),
		RoomKeys:   convert(r.RoomKeys, func(k receive.RoomKey) ReceivedRoomKey { return ReceivedRoomKey(k) }),
		Duplicates: r.Duplicates,
		Advanced:   r.Advanced,
		Held:       r.Held,
	}, err
}

func refusedEvent(r receive.Refusal) RefusedEvent {
	r.Err = undecryptable(r.Err)
	return RefusedEvent(r)
}

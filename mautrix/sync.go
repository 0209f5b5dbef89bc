package pawlmautrix

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
)

// receiver hands the responses of a client's syncs to Pawl, before the client's
// listeners get them.
//
// mautrix-go holds the token of its next request in a variable, and so do other
// processes of the device. Pawl's token goes on in one chain, of whichever process is
// first. One that has left the chain still hands in what it gets; if nobody else moves
// the chain on, it does so by requests of its own (see follow), so that Pawl knows who
// is in a room before anything is encrypted for it.
type receiver struct {
	client  *mautrix.Client
	machine *pawl.Machine
	log     zerolog.Logger
	kick    func()
	olm     *crypto.OlmMachine
	keys    *Store          // olm's
	open    func() error    // fails once the helper is closed
	gone    func()          // looks for devices that were deleted
	missing func(id.RoomID) // has a room's members asked for

	expiry     func(context.Context, id.RoomID, id.SessionID, bool) error // keeps when a key came
	keyShare   KeyShare
	requests   *lru.Cache[string, struct{}] // for room keys, that were answered
	background func(func(context.Context))  // until the helper is closed

	// The syncing goroutine alone uses these.
	ticket pawl.SyncTicket // of the next request
	chain  string          // the token that was stored when the last response was done
	due    bool            // a response has come, and was not handed in
	seen   *lru.Cache[id.EventID, struct{}]

	earlier earlier
}

// remembered is how many events of rooms a receiver knows it has seen.
const remembered = 4096

// newReceiver returns the receiver of a helper whose machines are there.
func newReceiver(h *CryptoHelper, m *pawl.Machine) *receiver {
	seen, err := lru.New[id.EventID, struct{}](remembered)
	if err != nil { // of a size below 1
		panic(err)
	}
	requests, err := lru.New[string, struct{}](remembers)
	if err != nil {
		panic(err)
	}
	return &receiver{
		client: h.client, machine: m, log: h.log, kick: h.sender.kick, olm: h.olm, keys: h.keys, open: h.isOpen, gone: h.forgetGone, seen: seen,
		missing: func(room id.RoomID) { h.fetched.Delete(room) },
		expiry:  h.keepExpiry, keyShare: h.KeyShare, requests: requests,
		background: func(do func(context.Context)) { h.sender.ended.Go(func() { do(h.sender.ctx) }) },
	}
}

// begin returns the token of the first request.
func (r *receiver) begin(ctx context.Context) (string, error) {
	t, err := r.machine.NextSync(ctx)
	r.ticket, r.chain = t, t.Since
	return t.Since, err
}

// expect is told that a response comes. If the one before was not handed in, a listener
// has kept it from this one, and all that come after it: what was in it for the device is
// lost, for the server takes it as received.
func (r *receiver) expect() {
	if r.due {
		r.log.Error().Msg("A response of a sync did not reach Pawl: a listener that was registered by OnSync before Init returned false, as DontProcessOldEvents does at a first sync. To-device events in it are lost, room keys among them: register it after Init")
	}
	r.due = true
}

// receive takes in a response. It returns false if that is not committed, since the
// context has ended or the store cannot be used any more: nothing more of the response may
// be handed out then.
//
// mautrix-go sends one request more after it was told to stop. That must not have the
// token of a response that is not committed: the server would delete what was in it.
func (r *receiver) receive(ctx context.Context, response *mautrix.RespSync, since string) bool {
	ok := r.take(ctx, response, since)
	if !ok {
		response.NextBatch = since
	}
	return ok
}

// take takes in a response, rooms first, and hands out what of its to-device events
// is not Pawl's; then the token is stored, and the client's listeners get the rest.
func (r *receiver) take(ctx context.Context, response *mautrix.RespSync, since string) bool {
	r.due = false
	tidy(response)
	for _, room := range keep(ctx, r.client.StateStore, response) {
		r.missing(room)
	}
	t := r.ticket
	t.Since = since
	received, ok := r.commit(ctx, t, response)
	if !ok {
		return false
	}
	r.note(response)
	r.keysCame(ctx, received.RoomKeys)
	r.gone()
	r.answerRequests(response.ToDevice.Events)
	advanced, ok := r.handOut(ctx, response, received)
	if !ok || !advanced && !r.follow(ctx, response) {
		return false
	}
	r.kick()
	next, err := r.machine.NextSync(ctx)
	if err != nil { // counts in the next response are passed over then
		next = pawl.SyncTicket{}
	}
	r.chain, r.ticket = next.Since, next
	return true
}

// commit takes in all of a response. Its token is left, if events are returned.
func (r *receiver) commit(ctx context.Context, t pawl.SyncTicket, response *mautrix.RespSync) (all pawl.Received, ok bool) {
	reduced, places := reduce(response), []int(nil)
	ok = r.store(ctx, func() error {
		left, at, err := r.earlier.drop(ctx, r.keys, reduced.ToDevice.Events)
		if err == nil {
			reduced.ToDevice.Events, places = left, at
		}
		return err
	})
	if !ok {
		return pawl.Received{}, false
	}
	body, err := json.Marshal(reduced)
	if err != nil {
		r.log.Err(err).Msg("Failed to encode the response of a sync: syncing ends")
		r.client.StopSync()
		return pawl.Received{}, false
	}
	ok = r.store(ctx, func() error {
		received, err := r.machine.ReceiveSync(ctx, t, body, pawl.HoldToken())
		for _, e := range received.Events {
			if e.Index >= 0 {
				e.Index = places[e.Index]
			}
			all.Events = append(all.Events, e)
		}
		all.RoomKeys = append(all.RoomKeys, received.RoomKeys...)
		all.Advanced, all.Held = received.Advanced, received.Held
		if errors.Is(err, pawl.ErrResponse) {
			r.log.Err(err).Msg("The response of a sync is passed over")
			return nil
		}
		r.refused(received)
		return err
	})
	all.Events = unique(all.Events)
	return all, ok
}

func (r *receiver) refused(received pawl.Received) {
	for _, e := range received.Refused {
		r.log.Warn().Err(e.Err).Stringer("sender", id.UserID(e.Sender)).Str("type", e.Type).Msg("A to-device event was not taken")
	}
}

// store calls until it has an answer that is final. A store that is away is waited for:
// what is not committed must not be passed over.
func (r *receiver) store(ctx context.Context, call func() error) bool {
	err := waiting(ctx, r.log, "Failed to store what a sync brought, trying again", notFinal, func() error {
		if err := r.open(); err != nil {
			return err
		}
		return call()
	})
	if err != nil && ctx.Err() == nil {
		r.log.Err(err).Msg("The store cannot be used any more: syncing ends")
		r.client.StopSync()
	}
	return err == nil
}

// final reports an error that does not pass.
func final(err error) bool {
	switch pawl.CodeOf(err).Remedy() {
	case pawl.RemedyRetry, pawl.RemedySpace, pawl.RemedyMend, pawl.RemedyUpdate:
		return errors.Is(err, kv.ErrClosed)
	}
	return true
}

// unique leaves the last of events that were returned by several tries.
func unique(events []pawl.ToDeviceEvent) []pawl.ToDeviceEvent {
	var out []pawl.ToDeviceEvent
	for i, e := range events {
		again := func(later pawl.ToDeviceEvent) bool { return later.Index >= 0 && later.Index == e.Index }
		if !slices.ContainsFunc(events[i+1:], again) {
			out = append(out, e)
		}
	}
	return out
}

// note remembers which events the listeners get.
func (r *receiver) note(response *mautrix.RespSync) {
	for e := range timeline(response) {
		r.seen.Add(e.ID, struct{}{})
	}
}

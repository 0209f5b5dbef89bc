package calls

import (
	"fmt"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// Calls on a machine: syncs, and the requests that are to be sent.
func init() {
	machineCall("next_sync", "Machine.NextSync", "", func(g given, a *machine, _ nothing) (ticketResult, error) {
		return a.ticket(a.machine.NextSync(g.ctx))
	})
	machineCall("next_sliding_sync", "Machine.NextSlidingSync", "", func(g given, a *machine, _ nothing) (ticketResult, error) {
		return a.ticket(a.machine.NextSlidingSync(g.ctx))
	})
	machineCall("lost_sync", "Machine.LostSync", "", func(g given, a *machine, p ticketParams) (nothing, error) {
		t, err := a.tickets.get(p.Ticket, "ticket")
		if err != nil {
			return nothing{}, err
		}
		return nothing{}, a.machine.LostSync(g.ctx, t)
	})
	machineCall("receive_sync", "Machine.ReceiveSync", "the response", func(g given, a *machine, p receiveParams) (received, error) {
		t, err := a.tickets.get(p.Ticket, "ticket")
		if err != nil {
			return received{}, err
		}
		var options []pawl.ReceiveOption
		if p.HoldToken {
			options = append(options, pawl.HoldToken())
		}
		r, err := a.machine.ReceiveSync(g.ctx, t, g.body, options...)
		return a.received(r), err
	})
	machineCall("store_token", "Machine.StoreToken", "", func(g given, a *machine, p heldParams) (advancedResult, error) {
		held, err := a.held.get(p.Held, "held")
		if err != nil {
			return advancedResult{}, err
		}
		advanced, err := a.machine.StoreToken(g.ctx, held)
		return advancedResult{advanced}, err
	})
	machineCall("receive_transaction", "Machine.ReceiveTransaction", "the body of the transaction",
		func(g given, a *machine, p transactionParams) (received, error) {
			r, err := a.machine.ReceiveTransaction(g.ctx, p.ID, g.body)
			return a.received(r), err
		})
	machineCall("members_changed", "Machine.MembersChanged", "", func(g given, a *machine, p membersParams) (nothing, error) {
		return nothing{}, a.machine.MembersChanged(g.ctx, p.Room, p.Changes, p.Limited)
	})

	machineCall("outgoing_requests", "Machine.OutgoingRequests", "", func(g given, a *machine, _ nothing) (requestsResult, error) {
		all, err := a.machine.OutgoingRequests(g.ctx)
		return requestsResult{all}, err
	})
	machineCall("mark_sent", "Machine.MarkSent", "the response", func(g given, a *machine, p requestParams) (nothing, error) {
		return nothing{}, a.machine.MarkSent(g.ctx, p.Request, g.body)
	})
	machineCall("mark_failed", "Machine.MarkFailed", "the body of the answer, of refused", func(g given, a *machine, p failedParams) (nothing, error) {
		why, err := p.failure(g.body)
		if err != nil {
			return nothing{}, err
		}
		return nothing{}, a.machine.MarkFailed(g.ctx, p.Request, why)
	})
}

type (
	ticketParams  struct{ Ticket uint64 }
	receiveParams struct {
		Ticket    uint64
		HoldToken bool
	}
	heldParams        struct{ Held uint64 }
	advancedResult    struct{ Advanced bool }
	transactionParams struct{ ID string }
	membersParams     struct {
		Room    matrix.RoomID
		Changes []pawl.MemberChange
		Limited bool
	}
	requestsResult struct{ Requests []pawl.Request }
	requestParams  struct{ Request pawl.RequestID }
	failedParams   struct {
		Request pawl.RequestID
		Why     string    // "not_sent", "unknown", "refused" or "later"
		Status  int       // of refused
		Until   time.Time // of later
	}
)

// ticketResult is a pawl.SyncTicket: its number goes with the response.
type ticketResult struct {
	Ticket                    uint64
	Since, Pos, ToDeviceSince string
}

func (a *machine) ticket(t pawl.SyncTicket, err error) (ticketResult, error) {
	if err != nil {
		return ticketResult{}, err
	}
	return ticketResult{a.tickets.add(t), t.Since, t.Pos, t.ToDeviceSince}, nil
}

// received is a pawl.Received: the number of its held token is for store_token.
type received struct {
	Events     []pawl.ToDeviceEvent
	Refused    []pawl.RefusedEvent
	RoomKeys   []pawl.ReceivedRoomKey
	Duplicates int
	Advanced   bool
	Held       uint64
}

func (a *machine) received(r pawl.Received) received {
	done := received{r.Events, r.Refused, r.RoomKeys, r.Duplicates, r.Advanced, 0}
	if r.Held != nil {
		done.Held = a.held.add(r.Held)
	}
	return done
}

func (p failedParams) failure(body []byte) (pawl.Failure, error) {
	switch p.Why {
	case "not_sent":
		return pawl.NotSent(), nil
	case "unknown":
		return pawl.Unknown(), nil
	case "refused":
		return pawl.Refused(p.Status, body), nil
	case "later":
		return pawl.Later(p.Until), nil
	}
	return pawl.Failure{}, fmt.Errorf("%w", wrong("why", `must be "not_sent", "unknown", "refused" or "later"`))
}

package pawl

import (
	"context"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
)

// RequestRoomKey asks the account's own verified devices for the key of a session
// that came from none (Matrix specification, m.room_key_request): at most 50 of them,
// and nobody else. What is to be sent is among OutgoingRequests. Asked again before
// there is an answer, the devices are asked again, with the same request_id. The
// first answer ends the request, and is cancelled everywhere; so does a key from the
// session's owner that reads all of it. Nobody's answer is waited for longer than two
// weeks.
//
// Others' requests come with ReceiveSync, and are answered by themselves: an own
// verified device gets what there is of the session, a device that was given it before
// gets the same again, and all others a notice that they get nothing.
//
// It fails with ErrNobodyToAsk, matrix.ErrRoomID, ErrFormat1, ErrNeedsRecovery,
// ErrUnwitnessed or account.ErrRetired.
func (m *Machine) RequestRoomKey(ctx context.Context, room matrix.RoomID, session group.SessionID) error {
	return records.OnRaised(ctx, m.account, func() error {
		_, err := m.requests.Ask(ctx, room, session)
		return err
	})
}

// claimsAndAnswers handles claims; what is due with them are the answers to others'
// requests for room keys, which may have to claim keys first.
type claimsAndAnswers struct {
	*claims.Claims
	requests *keyrequests.Requests
}

// Due implements outbox.Handler.
func (c claimsAndAnswers) Due(ctx context.Context) error { return c.requests.Due(ctx) }

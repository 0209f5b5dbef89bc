package pawl

import (
	"context"
	"errors"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/unwedge"
	"github.com/pawlkv/pawl/matrix"
)

// RequestRoomKey asks the account's own verified devices for the key of a session
// that came from none (Matrix specification, m.room_key_request): at most 50 of them,
// and nobody else. What is to be sent is among OutgoingRequests. Asked again before
// there is an answer, the devices are asked again, with the same request_id, unless what
// asks them is still to be sent. The first answer ends the request, and is cancelled
// everywhere; so does a key from the session's owner that reads all of it. Nobody's
// answer is waited for longer than two weeks.
//
// Others' requests come with ReceiveSync, and are answered by themselves: an own
// verified device gets what there is of the session, a device that was given it before
// gets the same again, and all others a notice that they get nothing.
//
// It fails with ErrNobodyToAsk, matrix.ErrRoomID, ErrFormat1, ErrNeedsRecovery,
// ErrUnwitnessed or account.ErrRetired.
func (m *Machine) RequestRoomKey(ctx context.Context, room matrix.RoomID, session group.SessionID) error {
	return records.OnRaised(ctx, m.account, func() error {
		_, err := m.asClient().requests.Ask(ctx, room, session)
		return err
	})
}

// claimsAndMore handles claims; what is due with them is what may have to claim keys
// first: other sessions with peers that are wedged, and then the answers to others'
// requests for room keys.
type claimsAndMore struct {
	*claims.Claims
	unwedge  *unwedge.Unwedging
	requests *keyrequests.Requests
}

// Due implements outbox.Handler.
func (c claimsAndMore) Due(ctx context.Context) error {
	return errors.Join(c.unwedge.Due(ctx), c.requests.Due(ctx))
}

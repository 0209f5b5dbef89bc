package pawlmautrix

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// HandleMemberEvent tells that a member of a room has changed, for programs whose syncs do
// not have the events of rooms. Nobody who has left reads what is encrypted afterwards.
func (h *CryptoHelper) HandleMemberEvent(ctx context.Context, evt *event.Event) error {
	m, err := h.ready()
	if err != nil {
		return err
	}
	content, ok := evt.Content.Parsed.(*event.MemberEventContent)
	if !ok || evt.StateKey == nil {
		return nil // of no member
	}
	change := pawl.MemberChange{User: matrix.UserID(*evt.StateKey), Membership: pawl.Membership(content.Membership)}
	err = m.MembersChanged(ctx, matrix.RoomID(evt.RoomID), []pawl.MemberChange{change}, false)
	h.RoomChanged(evt.RoomID)
	return err
}

// RoomChanged tells that the StateStore knows something else of a room, for programs whose
// syncs do not have the events of rooms: the next event that is encrypted goes by it.
func (h *CryptoHelper) RoomChanged(room id.RoomID) { h.shared.Delete(room) }

// ResetSession gives up the session that events of a room are encrypted in: the next one
// goes in another.
func (h *CryptoHelper) ResetSession(ctx context.Context, room id.RoomID) error {
	m, err := h.ready()
	if err != nil {
		return err
	}
	h.RoomChanged(room)
	return m.RotateRoomKey(ctx, matrix.RoomID(room))
}

// ShareKeys uploads what the server is to have of the device's keys.
func (h *CryptoHelper) ShareKeys(ctx context.Context) error {
	return h.call(ctx, func(ctx context.Context, _ *pawl.Machine) error { return h.sender.sendAll(ctx) })
}

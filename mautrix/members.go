package pawlmautrix

import (
	"context"
	"fmt"
	"slices"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/matrix"
)

// members are whoever is in a room, or invited, in order. The server is asked once for each room
// since Init, for what happened while another process of the device synced, and where
// nobody knows all of them. Of what it says those are left out who have no devices, where
// the StateStore knows that of some (HasNoDevices).
func (h *CryptoHelper) members(ctx context.Context, room id.RoomID) ([]matrix.UserID, error) {
	all, err := h.knownMembers(ctx, room)
	if err != nil {
		return nil, fmt.Errorf("failed to get the room's members: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrMembers, room)
	}
	members := make([]matrix.UserID, len(all))
	for i, u := range all {
		members[i] = matrix.UserID(u)
	}
	slices.Sort(members)
	return members, nil
}

func (h *CryptoHelper) knownMembers(ctx context.Context, room id.RoomID) ([]id.UserID, error) {
	known, err := h.client.StateStore.HasFetchedMembers(ctx, room)
	if err != nil {
		return nil, err
	}
	if _, since := h.fetched.Load(room); known && since {
		all, err := h.client.StateStore.GetRoomJoinedOrInvitedMembers(ctx, room)
		if err != nil || len(all) > 0 { // else it errs: who sends is in the room
			return all, err
		}
	}
	switch answer, err := h.client.Members(ctx, room); {
	case err == nil:
		all := present(answer)
		if of, ok := h.client.StateStore.(interface{ HasNoDevices(user id.UserID) bool }); ok {
			all = slices.DeleteFunc(all, of.HasNoDevices)
		}
		if kept, err := h.client.StateStore.GetRoomJoinedOrInvitedMembers(ctx, room); err == nil && sameMembers(kept, all) {
			h.fetched.Store(room, struct{}{}) // else the next share asks again
		}
		return all, nil
	case !known || ctx.Err() != nil:
		return nil, err
	default: // who left is given nothing: Pawl knows them. The next share asks again.
		h.log.Warn().Err(err).Stringer("room_id", room).Msg("Failed to ask for the room's members: those who joined while another process synced may be missing")
	}
	return h.client.StateStore.GetRoomJoinedOrInvitedMembers(ctx, room)
}

// present are those who are in a room, or invited, as the server says.
func present(answer *mautrix.RespMembers) (all []id.UserID) {
	for _, e := range answer.Chunk {
		switch e.Content.AsMember().Membership {
		case event.MembershipJoin, event.MembershipInvite:
			all = append(all, id.UserID(e.GetStateKey()))
		}
	}
	return all
}

// sameMembers reports whether two lists name the same users.
func sameMembers(a, b []id.UserID) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

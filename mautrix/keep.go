package pawlmautrix

import (
	"context"
	"errors"
	"maps"
	"slices"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// tidy takes out of a response what is null where a room or an event is to be: whoever
// handles it, mautrix-go too, would panic, and it would come again at each start.
func tidy(r *mautrix.RespSync) {
	dropNull(r.Rooms.Join)
	dropNull(r.Rooms.Leave)
	dropNull(r.Rooms.Invite)
	dropNull(r.Rooms.Knock)
	lists := []*mautrix.SyncEventsList{&r.ToDevice, &r.Presence, &r.AccountData}
	for _, room := range r.Rooms.Join {
		lists = append(lists, &room.State, &room.Timeline.SyncEventsList, &room.Ephemeral, &room.AccountData, &room.Sticky, room.StateAfter)
	}
	for _, room := range r.Rooms.Leave {
		lists = append(lists, &room.State, &room.Timeline.SyncEventsList, room.StateAfter)
	}
	for _, room := range r.Rooms.Invite {
		lists = append(lists, &room.State, &room.FullState)
	}
	for _, room := range r.Rooms.Knock {
		lists = append(lists, &room.State, &room.FullState)
	}
	for _, l := range lists {
		if l != nil {
			l.Events = slices.DeleteFunc(l.Events, func(e *event.Event) bool { return e == nil })
		}
	}
}

func dropNull[R any](rooms map[id.RoomID]*R) {
	maps.DeleteFunc(rooms, func(_ id.RoomID, r *R) bool { return r == nil })
}

// keep puts the state of a response's rooms into the client's StateStore, as its
// listeners will, but before the token is stored: what a token covers never comes again.
// It returns the rooms of which the StateStore did not take a member, as one does not that
// another process has locked while it was stopped: these are to be asked for.
func keep(ctx context.Context, store mautrix.StateStore, response *mautrix.RespSync) (missing []id.RoomID) {
	put := func(room id.RoomID, lists ...[]*event.Event) {
		if !keepAll(ctx, store, room, lists...) {
			missing = append(missing, room)
		}
	}
	for name, room := range response.Rooms.Join {
		if room.StateAfter != nil {
			put(name, room.StateAfter.Events)
			continue
		}
		put(name, room.State.Events, room.Timeline.Events)
	}
	for name, room := range response.Rooms.Invite {
		put(name, room.State.Events)
	}
	for name, room := range response.Rooms.Leave {
		put(name, room.State.Events, room.Timeline.Events)
	}
	return missing
}

func keepAll(ctx context.Context, store mautrix.StateStore, room id.RoomID, lists ...[]*event.Event) bool {
	n := &noticing{StateStore: store}
	if _, updates := store.(mautrix.StateStoreUpdater); !updates { // it does not say what becomes of it
		store = n
	}
	for _, e := range slices.Concat(lists...) {
		if e == nil || e.StateKey == nil {
			continue
		}
		kept := *e // what listeners get is parsed as their syncer says
		kept.RoomID, kept.Type.Class = room, event.StateEventType
		if err := kept.Content.ParseRaw(kept.Type); err == nil || errors.Is(err, event.ErrContentAlreadyParsed) {
			mautrix.UpdateStateStore(ctx, store, &kept)
		}
	}
	return !n.failed
}

// noticing is a StateStore that notices that it did not take a member: mautrix-go only
// tells its log.
type noticing struct {
	mautrix.StateStore
	failed bool
}

// SetMember implements mautrix.StateStore.
func (n *noticing) SetMember(ctx context.Context, room id.RoomID, user id.UserID, member *event.MemberEventContent) error {
	err := n.StateStore.SetMember(ctx, room, user, member)
	n.failed = n.failed || err != nil
	return err
}

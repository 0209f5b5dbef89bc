package pawlmautrix

import (
	"encoding/json"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// response is what Pawl needs of a sync, as it came: mautrix-go would decode contents
// and encode them anew.
type response struct {
	Next     string              `json:"next_batch"`
	ToDevice list                `json:"to_device"`
	Lists    mautrix.DeviceLists `json:"device_lists"`
	Counts   mautrix.OTKCount    `json:"device_one_time_keys_count"`
	Unused   *[]id.KeyAlgorithm  `json:"device_unused_fallback_key_types,omitempty"`
	Rooms    rooms               `json:"rooms"`
}

type list struct {
	Events []entry `json:"events"`
}

type entry struct {
	Type     string          `json:"type"`
	Sender   id.UserID       `json:"sender"`
	StateKey *string         `json:"state_key,omitempty"`
	Content  json.RawMessage `json:"content,omitempty"`
}

type rooms struct {
	Join  map[id.RoomID]room `json:"join"`
	Leave map[id.RoomID]room `json:"leave"`
}

type room struct {
	State    list `json:"state"`
	Timeline struct {
		list
		Limited bool `json:"limited"`
	} `json:"timeline"`
}

func reduce(r *mautrix.RespSync) response {
	out := response{Next: r.NextBatch, Lists: r.DeviceLists, Counts: r.DeviceOTKCount}
	if r.FallbackKeys != nil {
		out.Unused = &r.FallbackKeys
	}
	for _, e := range r.ToDevice.Events {
		out.ToDevice.Events = append(out.ToDevice.Events, entryOf(e))
	}
	out.Rooms.Join, out.Rooms.Leave = map[id.RoomID]room{}, map[id.RoomID]room{}
	for name, in := range r.Rooms.Join {
		out.Rooms.Join[name] = reduceRoom(in.State, in.StateAfter, in.Timeline)
	}
	for name, in := range r.Rooms.Leave {
		out.Rooms.Leave[name] = reduceRoom(in.State, in.StateAfter, in.Timeline)
	}
	return out
}

// reduceRoom leaves what encryption depends on. Where the server says what the state is
// after the timeline, events within that are of another state are left out.
func reduceRoom(before mautrix.SyncEventsList, after *mautrix.SyncEventsList, timeline mautrix.SyncTimeline) room {
	var out room
	out.Timeline.Limited = timeline.Limited
	if after != nil {
		out.State.Events = stateOf(after.Events)
		return out
	}
	out.State.Events, out.Timeline.Events = stateOf(before.Events), stateOf(timeline.Events)
	return out
}

func stateOf(events []*event.Event) (out []entry) {
	for _, e := range events {
		if e.StateKey == nil {
			continue
		}
		switch e.Type.Type {
		case event.StateMember.Type, event.StateEncryption.Type, event.StateHistoryVisibility.Type:
			out = append(out, entryOf(e))
		}
	}
	return out
}

// entryOf takes an event's content as it came, or, of one that a program made, as it
// marshals.
func entryOf(e *event.Event) entry {
	out := entry{Type: e.Type.Type, Sender: e.Sender, StateKey: e.StateKey, Content: e.Content.VeryRaw}
	if out.Content == nil {
		out.Content, _ = json.Marshal(&e.Content) // nothing: refused as an event without content
	}
	return out
}

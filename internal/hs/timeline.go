package hs

import (
	"encoding/json"

	"github.com/pawlkv/pawl/matrix"
)

type roomLists struct {
	Join   map[matrix.RoomID]roomPart   `json:"join"`
	Invite map[matrix.RoomID]invitePart `json:"invite"`
	Leave  map[matrix.RoomID]roomPart   `json:"leave"`
}

type roomPart struct {
	Timeline timeline   `json:"timeline"`
	State    stateList  `json:"state"`
	Summary  *roomCount `json:"summary,omitempty"`
}

type roomCount struct {
	Joined  int `json:"m.joined_member_count"`
	Invited int `json:"m.invited_member_count"`
}

type timeline struct {
	Events  []any  `json:"events"`
	Limited bool   `json:"limited"`
	Prev    string `json:"prev_batch"`
}

type stateList struct {
	Events []*Event `json:"events"`
}

type invitePart struct {
	State struct {
		Events []map[string]any `json:"events"`
	} `json:"invite_state"`
}

// roomLists is what a user is told of rooms after a position.
func (s *Server) roomLists(c *call, after int64, first bool, limit int) roomLists {
	lists := roomLists{map[matrix.RoomID]roomPart{}, map[matrix.RoomID]invitePart{}, map[matrix.RoomID]roomPart{}}
	for id, r := range s.rooms {
		own := r.state[[2]string{memberType, string(c.user())}]
		if own == nil {
			continue
		}
		fresh := own.position > after
		switch membershipOf(own) {
		case "join":
			if part := r.part(c, after, first, limit); first || len(part.Timeline.Events)+len(part.State.Events) > 0 {
				lists.Join[id] = part
			}
		case "invite":
			if fresh {
				lists.Invite[id] = r.invitation(own)
			}
		default:
			if fresh && !first {
				lists.Leave[id] = r.part(c, after, false, limit)
			}
		}
	}
	return lists
}

// part is a room's timeline after a position, as long as the limit allows, and the
// state before it that the client does not have.
func (r *room) part(c *call, after int64, first bool, limit int) roomPart {
	if r.entry(c.user()) > after { // the client knows nothing of it
		after, first = 0, true
	}
	var shown []*Event
	for _, e := range r.events {
		if e.position > after && r.visible(e, c.user()) {
			shown = append(shown, e)
		}
	}
	var p roomPart
	p.Timeline.Events, p.State.Events = []any{}, []*Event{}
	p.Timeline.Limited = len(shown) > limit
	if p.Timeline.Limited {
		shown = shown[len(shown)-limit:]
	}
	start := int64(1 << 62) // no timeline
	if len(shown) > 0 {
		start = shown[0].position
		p.Timeline.Prev = token{rest: start - 1}.String()
	}
	last := map[[2]string]*Event{}
	for _, e := range r.events {
		if e.StateKey != nil && e.position < start && (first || e.position > after) {
			last[[2]string{e.Type, *e.StateKey}] = e
		}
	}
	for _, e := range r.events {
		if e.StateKey != nil && last[[2]string{e.Type, *e.StateKey}] == e && (first || r.visible(e, c.user())) {
			p.State.Events = append(p.State.Events, e)
		}
	}
	for _, e := range shown {
		p.Timeline.Events = append(p.Timeline.Events, e.shown(c.device))
	}
	if first || len(p.State.Events) > 0 {
		p.Summary = &roomCount{len(r.members("join")), len(r.members("invite"))}
	}
	return p
}

// entry is where a user joined, the last time that it was from outside.
func (r *room) entry(id matrix.UserID) int64 {
	at, inside := int64(0), false
	for _, e := range r.events {
		if e.Type != memberType || e.StateKey == nil || *e.StateKey != string(id) {
			continue
		}
		joined := membershipOf(e) == "join"
		if joined && !inside {
			at = e.position
		}
		inside = joined
	}
	return at
}

// invitation is what somebody sees of a room before joining.
func (r *room) invitation(own *Event) (p invitePart) {
	for _, e := range r.current() {
		switch e.Type {
		case "m.room.create", "m.room.name", "m.room.join_rules", "m.room.encryption", memberType:
			if e.Type != memberType || e == own || *e.StateKey == string(own.Sender) {
				p.State.Events = append(p.State.Events, map[string]any{"type": e.Type, "state_key": *e.StateKey, "sender": e.Sender, "content": e.Content})
			}
		}
	}
	return p
}

// shown is an event as a device gets it: with the transaction id, if the device
// sent it.
func (e *Event) shown(to *device) any {
	if e.from == nil || e.from != to {
		return e
	}
	return struct {
		*Event
		Unsigned map[string]string `json:"unsigned"`
	}{e, map[string]string{"transaction_id": e.txn}}
}

// visible tells whether a user may see an event, by the history visibility and the
// membership at the time. Who was in the room when it was sent sees it always.
func (r *room) visible(e *Event, id matrix.UserID) bool {
	visibility, membership, now := "shared", "", r.membership(id)
	for _, before := range r.events {
		if before.position > e.position {
			break
		}
		if before.StateKey == nil {
			continue
		}
		if before.Type == memberType && *before.StateKey == string(id) {
			membership = membershipOf(before)
		}
		if before.Type == "m.room.history_visibility" {
			visibility = visibilityOf(before)
		}
	}
	own := e.Type == memberType && e.StateKey != nil && *e.StateKey == string(id)
	switch {
	case own, membership == "join", visibility == "world_readable":
		return true
	case visibility == "invited":
		return membership == "invite"
	}
	return visibility == "shared" && now == "join"
}

func visibilityOf(e *Event) string {
	content := struct {
		Visibility string `json:"history_visibility"`
	}{}
	if json.Unmarshal(e.Content, &content) != nil || content.Visibility == "" {
		return "shared"
	}
	return content.Visibility
}

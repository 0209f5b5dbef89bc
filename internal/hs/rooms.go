package hs

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/pawlkv/pawl/matrix"
)

// Event is an event of a room.
type Event struct {
	Type     string          `json:"type"`
	ID       matrix.EventID  `json:"event_id"`
	Room     matrix.RoomID   `json:"room_id"`
	Sender   matrix.UserID   `json:"sender"`
	StateKey *string         `json:"state_key,omitempty"`
	Content  json.RawMessage `json:"content"`
	Time     int64           `json:"origin_server_ts"`
	position int64
	from     *device // whose transaction it is
	txn      string
}

// room is its events in their order.
type room struct {
	id     matrix.RoomID
	events []*Event
	state  map[[2]string]*Event // by type and state key
}

// stateful is what makes an event one of the state.
func stateful(key string) *string { return &key }

// add appends an event, and tells who is told of devices by it.
func (s *Server) add(r *room, e Event) *Event {
	e.ID, e.Room = matrix.EventID("$"+rand.Text()), r.id
	e.Time, e.position = s.now().UnixMilli(), s.next()
	r.events = append(r.events, &e)
	if e.StateKey == nil {
		return &e
	}
	before := s.companions(r, &e)
	r.state[[2]string{e.Type, *e.StateKey}] = &e
	s.meet(r, &e, before)
	return &e
}

// memberType is the event that lists depend on.
const memberType = "m.room.member"

// companions are those that somebody whose membership changes shares a room with.
func (s *Server) companions(r *room, e *Event) map[matrix.UserID]bool {
	shared := map[matrix.UserID]bool{}
	if e.Type != memberType {
		return shared
	}
	for _, id := range r.members("join") {
		shared[id] = s.share(id, matrix.UserID(*e.StateKey))
	}
	return shared
}

// meet tells those who share a room now and did not before, and those who did and
// do not now, of each other.
func (s *Server) meet(r *room, e *Event, before map[matrix.UserID]bool) {
	if e.Type != memberType {
		return
	}
	subject := matrix.UserID(*e.StateKey)
	for _, id := range append(r.members("join"), keysOf(before)...) {
		if now := s.share(id, subject); id != subject && now != before[id] {
			s.tell(id, listEntry{e.position, subject, !now})
			s.tell(subject, listEntry{e.position, id, !now})
			before[id] = now // told once
		}
	}
}

func (s *Server) tell(id matrix.UserID, e listEntry) {
	if u := s.users[id]; u != nil {
		u.lists = append(u.lists, e)
	}
}

func keysOf(m map[matrix.UserID]bool) []matrix.UserID {
	var keys []matrix.UserID
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// membership is "join", "invite", "leave", "ban", or "" for nobody.
func (r *room) membership(id matrix.UserID) string {
	return membershipOf(r.state[[2]string{memberType, string(id)}])
}

func membershipOf(e *Event) string {
	var content struct{ Membership string }
	if e != nil {
		_ = json.Unmarshal(e.Content, &content) // of another shape is no membership
	}
	return content.Membership
}

func (r *room) joined(id matrix.UserID) bool { return r.membership(id) == "join" }

// members are those with a membership, in order.
func (r *room) members(membership string) []matrix.UserID {
	var ids []matrix.UserID
	for key, e := range r.state {
		if key[0] == memberType && membershipOf(e) == membership {
			ids = append(ids, matrix.UserID(key[1]))
		}
	}
	slices.Sort(ids)
	return ids
}

// is returns a string of the state: what the room's rules are.
func (r *room) is(kind, field, otherwise string) string {
	var content map[string]any
	if e := r.state[[2]string{kind, ""}]; e != nil {
		_ = json.Unmarshal(e.Content, &content) // of another shape is no rule
	}
	if s, ok := content[field].(string); ok {
		return s
	}
	return otherwise
}

func raw(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of our own maps
	}
	return text
}

func (s *Server) createRoom(c *call) (any, error) {
	var q struct {
		Preset  string
		Name    string
		Invite  []matrix.UserID
		Initial []struct {
			Type     string
			StateKey string `json:"state_key"`
			Content  json.RawMessage
		} `json:"initial_state"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &room{id: matrix.RoomID("!" + rand.Text() + ":" + s.name), state: map[[2]string]*Event{}}
	s.rooms[r.id] = r
	set := func(kind, key string, content json.RawMessage) {
		s.add(r, Event{Type: kind, Sender: c.user(), StateKey: stateful(key), Content: content})
	}
	set("m.room.create", "", raw(map[string]any{"creator": c.user(), "room_version": "11"}))
	set(memberType, string(c.user()), raw(map[string]any{"membership": "join"}))
	set("m.room.power_levels", "", raw(map[string]any{"users": map[matrix.UserID]int{c.user(): 100}}))
	rule := "invite"
	if q.Preset == "public_chat" {
		rule = "public"
	}
	set("m.room.join_rules", "", raw(map[string]any{"join_rule": rule}))
	set("m.room.history_visibility", "", raw(map[string]any{"history_visibility": "shared"}))
	for _, e := range q.Initial {
		set(e.Type, e.StateKey, e.Content)
	}
	if q.Name != "" {
		set("m.room.name", "", raw(map[string]any{"name": q.Name}))
	}
	for _, id := range q.Invite {
		set(memberType, string(id), raw(map[string]any{"membership": "invite"}))
	}
	return map[string]any{"room_id": r.id}, nil
}

// entered is the room of a path, which the caller must have joined.
func (s *Server) entered(c *call) (*room, error) {
	r := s.rooms[c.room()]
	if r == nil || !r.joined(c.user()) {
		return nil, forbidden("User %s not in room %s", c.user(), c.room())
	}
	return r, nil
}

func (s *Server) send(c *call) (any, error) {
	if !json.Valid(c.body) {
		return nil, problemf(http.StatusBadRequest, "M_NOT_JSON", "Content not JSON.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	return s.once(c, func() (any, error) {
		e := s.add(r, Event{Type: c.PathValue("type"), Sender: c.user(), Content: c.body, from: c.device, txn: c.PathValue("txn")})
		return map[string]any{"event_id": e.ID}, nil
	})
}

func (s *Server) setState(c *call) (any, error) {
	if !json.Valid(c.body) {
		return nil, problemf(http.StatusBadRequest, "M_NOT_JSON", "Content not JSON.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	e := s.add(r, Event{Type: c.PathValue("type"), Sender: c.user(), StateKey: stateful(c.PathValue("key")), Content: c.body})
	return map[string]any{"event_id": e.ID}, nil
}

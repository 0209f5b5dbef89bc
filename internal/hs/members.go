package hs

import (
	"encoding/json"

	"github.com/pawlkv/pawl/matrix"
)

// change gives somebody another membership.
func (s *Server) change(r *room, by, of matrix.UserID, membership string) {
	s.add(r, Event{Type: memberType, Sender: by, StateKey: stateful(string(of)), Content: raw(map[string]any{"membership": membership})})
}

func (s *Server) join(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[c.room()]
	switch {
	case r == nil:
		return nil, notFound("Room")
	case r.membership(c.user()) == "ban", r.membership(c.user()) != "invite" && !r.joined(c.user()) && r.is("m.room.join_rules", "join_rule", "invite") != "public":
		return nil, forbidden("You are not invited to this room.")
	case !r.joined(c.user()):
		s.change(r, c.user(), c.user(), "join")
	}
	return map[string]any{"room_id": r.id}, nil
}

func (s *Server) leaveRoom(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[c.room()]
	if r == nil {
		return nil, notFound("Room")
	}
	if m := r.membership(c.user()); m == "join" || m == "invite" {
		s.change(r, c.user(), c.user(), "leave")
	}
	return struct{}{}, nil
}

// forget is there for clients that tidy up: what they left is not shown to them
// anyway.
func (s *Server) forget(*call) (any, error) { return struct{}{}, nil }

// moves somebody else: invite, kick, ban and unban.
func moves(membership string) func(*Server, *call) (any, error) {
	return func(s *Server, c *call) (any, error) {
		var q struct {
			User matrix.UserID `json:"user_id"`
		}
		if err := c.read(&q); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		r, err := s.entered(c)
		switch {
		case err != nil:
			return nil, err
		case membership == "invite" && r.joined(q.User):
			return nil, forbidden("%s is already in the room.", q.User)
		}
		s.change(r, c.user(), q.User, membership)
		return struct{}{}, nil
	}
}

func (s *Server) joinedMembers(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	all := map[matrix.UserID]any{}
	for _, id := range r.members("join") {
		all[id] = struct{}{}
	}
	return map[string]any{"joined": all}, nil
}

func (s *Server) joinedRooms(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := []matrix.RoomID{}
	for id, r := range s.rooms {
		if r.joined(c.user()) {
			ids = append(ids, id)
		}
	}
	return map[string]any{"joined_rooms": ids}, nil
}

// memberEvents are all of a room, or those of a membership.
func (s *Server) memberEvents(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	chunk := []*Event{}
	for _, e := range r.current() {
		only, not := c.FormValue("membership"), c.FormValue("not_membership")
		if e.Type == memberType && (only == "" || membershipOf(e) == only) && (not == "" || membershipOf(e) != not) {
			chunk = append(chunk, e)
		}
	}
	return map[string]any{"chunk": chunk}, nil
}

// current is the state in the order in which it was set.
func (r *room) current() []*Event {
	all := []*Event{}
	for _, e := range r.events {
		if e.StateKey != nil && r.state[[2]string{e.Type, *e.StateKey}] == e {
			all = append(all, e)
		}
	}
	return all
}

func (s *Server) allState(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	return r.current(), nil
}

func (s *Server) getState(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	e := r.state[[2]string{c.PathValue("type"), c.PathValue("key")}]
	if e == nil {
		return nil, notFound("Event")
	}
	return e.Content, nil
}

func (s *Server) getEvent(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	for _, e := range r.events {
		if e.ID == matrix.EventID(c.PathValue("event")) && r.visible(e, c.user()) {
			return e.shown(c.device), nil
		}
	}
	return nil, notFound("Event")
}

// messages goes backwards or forwards through a room.
func (s *Server) messages(c *call) (any, error) {
	from, err := parseToken(c.FormValue("from"))
	if err != nil {
		return nil, err
	}
	limit := number(c.FormValue("limit"), perTimeline)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.entered(c)
	if err != nil {
		return nil, err
	}
	chunk, end := []json.RawMessage{}, from.rest
	backwards := c.FormValue("dir") != "f"
	for i := range r.events {
		e := r.events[i]
		if backwards {
			e = r.events[len(r.events)-1-i]
		}
		after := e.position > from.rest
		if from.rest != 0 && after == backwards || !r.visible(e, c.user()) {
			continue
		}
		if len(chunk) == limit {
			return map[string]any{"chunk": chunk, "start": c.FormValue("from"), "end": token{rest: end}.String()}, nil
		}
		chunk = append(chunk, raw(e.shown(c.device)))
		end = e.position
		if backwards {
			end--
		}
	}
	return map[string]any{"chunk": chunk, "start": c.FormValue("from")}, nil
}

// Timeline returns all events of a room.
func (s *Server) Timeline(id matrix.RoomID) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Event
	if r := s.rooms[id]; r != nil {
		for _, e := range r.events {
			all = append(all, *e)
		}
	}
	return all
}

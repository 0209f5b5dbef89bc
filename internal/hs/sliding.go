package hs

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/pawlkv/pawl/matrix"
)

// slide is one connection of simplified sliding sync (MSC4186): where the client
// stands after the last answer, and after the one before, which it asks again with
// if the last was lost.
type slide struct {
	number   int
	at, then standing
}

// standing is what a client has at a position.
type standing struct {
	pos    string
	rest   int64
	rooms  map[matrix.RoomID]bool // that were sent
	counts map[string]int
	unused []string
}

// slideRequest is what is done with a request.
type slideRequest struct {
	Connection string `json:"conn_id"`
	Lists      map[string]struct {
		Limit int `json:"timeline_limit"`
	}
	Subscriptions map[matrix.RoomID]struct {
		Limit int `json:"timeline_limit"`
	} `json:"room_subscriptions"`
	Extensions struct {
		ToDevice struct {
			Enabled bool
			Limit   int
			Since   string
		} `json:"to_device"`
		E2EE struct{ Enabled bool } `json:"e2ee"`
	}
}

// ForgetPositions makes the server know no position of a sliding sync any more.
func (s *Server) ForgetPositions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		for _, d := range u.devices {
			clear(d.slides)
		}
	}
}

// slidingSync answers at once on a first request, and with news later.
func (s *Server) slidingSync(c *call) (any, error) {
	var q slideRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	from, err := s.standing(c, q.Connection)
	if err != nil {
		return nil, err
	}
	since, err := parseToken(q.Extensions.ToDevice.Since)
	if err != nil {
		return nil, err
	}
	return s.wait(c, func() (any, bool) {
		if q.Extensions.ToDevice.Enabled {
			c.device.forget(since.toDevice)
		}
		answer, to, news := s.slide(c, q, from, since)
		if !news && from.pos != "" {
			to.pos = from.pos // nothing was said: the position stays
			answer["pos"] = from.pos
			return answer, false
		}
		s.advance(c, q.Connection, from, to)
		return answer, true
	})
}

// standing is where the connection stands at the position that the request names.
func (s *Server) standing(c *call, connection string) (standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pos := c.FormValue("pos")
	if pos == "" {
		return standing{rooms: map[matrix.RoomID]bool{}}, nil
	}
	if known := c.device.slides[connection]; known != nil {
		for _, at := range []standing{known.at, known.then} {
			if at.pos == pos {
				return at, nil
			}
		}
	}
	return standing{}, problemf(http.StatusBadRequest, "M_UNKNOWN_POS", "Unknown position")
}

// advance notes what was answered.
func (s *Server) advance(c *call, connection string, from, to standing) {
	known := c.device.slides[connection]
	if known == nil {
		known = &slide{}
		c.device.slides[connection] = known
	}
	known.then, known.at = from, to
}

func (s *Server) slide(c *call, q slideRequest, from standing, since token) (map[string]any, standing, bool) {
	d := c.device
	to := standing{rest: s.position, rooms: maps.Clone(from.rooms), counts: d.keys.counts(), unused: d.keys.unused()}
	number := 1
	if known := d.slides[q.Connection]; known != nil {
		number = known.number + 1
		known.number = number
	}
	to.pos = strconv.Itoa(number) + "/" + strconv.FormatInt(s.position, 10)
	rooms, lists := s.slideRooms(c, q, from, to)
	news := len(rooms) > 0
	extensions := map[string]any{}
	if q.Extensions.ToDevice.Enabled {
		limit := perSync
		if l := q.Extensions.ToDevice.Limit; l > 0 {
			limit = min(l, perSync)
		}
		events, last := d.letters(since.toDevice, s.position, limit)
		extensions["to_device"] = map[string]any{"next_batch": token{toDevice: last}.String(), "events": events}
		news = news || len(events) > 0
	}
	if q.Extensions.E2EE.Enabled {
		extension, changed := d.slideKeys(from, to)
		extensions["e2ee"], news = extension, news || changed
	}
	return map[string]any{"pos": to.pos, "lists": lists, "rooms": rooms, "extensions": extensions}, to, news
}

// slideKeys says of keys only what is not as the client knows it.
func (d *device) slideKeys(from, to standing) (map[string]any, bool) {
	e, changed := map[string]any{}, false
	if from.counts == nil || !maps.Equal(from.counts, to.counts) {
		e["device_one_time_keys_count"], changed = to.counts, true
	}
	if from.unused == nil || len(from.unused) != len(to.unused) {
		e["device_unused_fallback_key_types"], changed = to.unused, true
	}
	if from.pos != "" {
		lists := d.user.deviceLists(from.rest, to.rest)
		if len(lists["changed"])+len(lists["left"]) > 0 {
			e["device_lists"], changed = lists, true
		}
	}
	return e, changed
}

// slideRooms are all rooms of the user with news: a list has them all, whatever
// range is asked for.
func (s *Server) slideRooms(c *call, q slideRequest, from, to standing) (rooms map[matrix.RoomID]any, lists map[string]any) {
	limit := 0
	for _, l := range q.Lists {
		limit = max(limit, l.Limit)
	}
	for _, l := range q.Subscriptions {
		limit = max(limit, l.Limit)
	}
	rooms, lists = map[matrix.RoomID]any{}, map[string]any{}
	count := 0
	for id, r := range s.rooms {
		membership := r.membership(c.user())
		if membership == "join" || membership == "invite" {
			count++
		}
		_, subscribed := q.Subscriptions[id]
		if !subscribed && len(q.Lists) == 0 || membership == "" {
			continue
		}
		if about := r.slide(c, from, limit); about != nil {
			rooms[id], to.rooms[id] = about, membership == "join"
		}
	}
	for name := range q.Lists {
		lists[name] = map[string]any{"count": count}
	}
	return rooms, lists
}

// slide is what a client is told of a room, or nil.
func (r *room) slide(c *call, from standing, limit int) map[string]any {
	own := r.state[[2]string{memberType, string(c.user())}]
	membership := membershipOf(own)
	initial := !from.rooms[r.id]
	switch {
	case membership == "invite" && own.position > from.rest:
		return map[string]any{"initial": true, "membership": membership, "invite_state": r.invitation(own).State.Events}
	case membership != "join" && (initial || own.position <= from.rest):
		return nil
	}
	part := r.part(c, from.rest, initial, limit)
	if !initial && len(part.Timeline.Events)+len(part.State.Events) == 0 {
		return nil
	}
	about := map[string]any{
		"membership": membership, "timeline": part.Timeline.Events, "limited": part.Timeline.Limited, "prev_batch": part.Timeline.Prev,
		"num_live": len(part.Timeline.Events), "required_state": part.State.Events, "bump_stamp": r.events[len(r.events)-1].position,
		"joined_count": len(r.members("join")), "invited_count": len(r.members("invite")),
	}
	if initial {
		about["initial"], about["num_live"] = true, 0
		about["required_state"] = r.current()
		if name := r.is("m.room.name", "name", ""); name != "" {
			about["name"] = name
		}
	}
	return about
}

package hs

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/pawlkv/pawl/matrix"
)

// listEntry is something that a user is told of another's devices.
type listEntry struct {
	position int64
	user     matrix.UserID
	left     bool // no room is shared any more
}

// devicesChanged tells all who share a room with a user, and the user's own
// devices.
func (s *Server) devicesChanged(u *user) {
	position := s.next()
	u.lists = append(u.lists, listEntry{position: position, user: u.id})
	for id, other := range s.users {
		if id != u.id && s.share(id, u.id) {
			other.lists = append(other.lists, listEntry{position: position, user: u.id})
		}
	}
}

// share reports whether two users are in a room together.
func (s *Server) share(a, b matrix.UserID) bool {
	for _, r := range s.rooms {
		if r.joined(a) && r.joined(b) {
			return true
		}
	}
	return false
}

// deviceLists is what has changed between two positions: the last word on each
// user counts.
func (u *user) deviceLists(after, upTo int64) map[string][]matrix.UserID {
	last := map[matrix.UserID]bool{}
	for _, e := range u.lists {
		if e.position > after && e.position <= upTo {
			last[e.user] = e.left
		}
	}
	lists := map[string][]matrix.UserID{"changed": {}, "left": {}}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		name := "changed"
		if last[id] {
			name = "left"
		}
		lists[name] = append(lists[name], id)
	}
	return lists
}

func (s *Server) queryKeys(c *call) (any, error) {
	var q struct {
		Keys map[matrix.UserID][]matrix.DeviceID `json:"device_keys"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	devices, silent := map[matrix.UserID]any{}, map[string]bool{}
	answer := map[string]any{"device_keys": devices}
	identities := map[string]map[matrix.UserID]json.RawMessage{}
	for _, k := range identityKinds {
		identities[k.answered] = map[matrix.UserID]json.RawMessage{}
		answer[k.answered] = identities[k.answered]
	}
	for id, wanted := range q.Keys {
		u := s.users[id]
		switch {
		case s.down[serverOf(id)]:
			silent[serverOf(id)] = true
		case u != nil:
			devices[id] = u.queried(wanted)
			for _, k := range identityKinds {
				if key := u.identity[k.kind]; key != nil && (k.kind != "user_signing" || id == c.user()) {
					identities[k.answered][id] = key
				}
			}
		}
	}
	answer["failures"] = s.failures(silent)
	return answer, nil
}

// queried are the devices that have keys, of those that are wanted: all if none is
// named. The display name is in "unsigned", as Synapse has it.
func (u *user) queried(wanted []matrix.DeviceID) map[matrix.DeviceID]any {
	all := map[matrix.DeviceID]any{}
	for _, d := range u.devices {
		if d.keys.device == nil || len(wanted) > 0 && !slices.Contains(wanted, d.id) {
			continue
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(d.keys.device, &keys); err != nil {
			continue
		}
		if d.name != "" {
			keys["unsigned"], _ = json.Marshal(map[string]string{"device_display_name": d.name})
		}
		all[d.id] = keys
	}
	return all
}

// keyChanges is /keys/changes, between two of /sync's tokens.
func (s *Server) keyChanges(c *call) (any, error) {
	from, err := parseToken(c.FormValue("from"))
	if err != nil {
		return nil, err
	}
	to, err := parseToken(c.FormValue("to"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.device.user.deviceLists(from.rest, to.rest), nil
}

package hs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// token is how far a client has come: with to-device events, of which a response
// has so many at most, and with everything else.
type token struct {
	rest     int64
	toDevice int64
}

func (t token) String() string { return fmt.Sprintf("s%d_%d", t.rest, t.toDevice) }

// parseToken takes "" for the beginning.
func parseToken(text string) (t token, err error) {
	if text == "" {
		return t, nil
	}
	if _, err := fmt.Sscanf(text, "s%d_%d", &t.rest, &t.toDevice); err != nil || t.String() != text {
		return t, problemf(http.StatusBadRequest, "M_INVALID_PARAM", "Invalid stream token %q", text)
	}
	return t, nil
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return n
	}
	return otherwise
}

// perTimeline is how many events of a room one response has, unless the client's
// filter says something else.
const perTimeline = 10

// filter is what is done with a client's.
type filter struct {
	Room struct{ Timeline struct{ Limit int } }
}

func (s *Server) addFilter(c *call) (any, error) {
	var f filter
	if err := c.read(&f); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := c.device.user
	u.filters = append(u.filters, c.body)
	return map[string]any{"filter_id": strconv.Itoa(len(u.filters) - 1)}, nil
}

func (s *Server) getFilter(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := c.device.user
	if i := number(c.PathValue("filter"), len(u.filters)); i < len(u.filters) {
		return u.filters[i], nil
	}
	return nil, notFound("Filter")
}

// limit is the number of events that a sync wants of a room.
func (s *Server) limit(c *call) int {
	text := json.RawMessage(c.FormValue("filter"))
	if i, err := strconv.Atoi(string(text)); err == nil && i >= 0 && i < len(c.device.user.filters) {
		text = c.device.user.filters[i]
	}
	f := filter{}
	if json.Unmarshal(text, &f) != nil || f.Room.Timeline.Limit == 0 {
		return perTimeline
	}
	return f.Room.Timeline.Limit
}

// response is what /sync answers.
type response struct {
	Next     string                     `json:"next_batch"`
	Rooms    roomLists                  `json:"rooms"`
	ToDevice eventList                  `json:"to_device"`
	Lists    map[string][]matrix.UserID `json:"device_lists,omitempty"`
	Counts   map[string]int             `json:"device_one_time_keys_count"`
	Unused   []string                   `json:"device_unused_fallback_key_types"`
	Data     eventList                  `json:"account_data"`
	news     bool
}

type eventList struct {
	Events []json.RawMessage `json:"events"`
}

// sync is /sync. Without news it waits as long as it is asked to.
func (s *Server) sync(c *call) (any, error) {
	since, err := parseToken(c.FormValue("since"))
	if err != nil {
		return nil, err
	}
	first := c.FormValue("since") == ""
	return s.wait(c, func() (any, bool) {
		c.device.forget(since.toDevice)
		r := s.collect(c, since, first)
		return r, first || r.news
	})
}

// wait looks for news, under the lock, until there are some or the request's
// timeout is over.
func (s *Server) wait(c *call, look func() (any, bool)) (any, error) {
	timer := time.NewTimer(time.Duration(number(c.FormValue("timeout"), 0)) * time.Millisecond)
	defer timer.Stop()
	for {
		s.mu.Lock()
		answer, news := look()
		moved, running := s.moved, s.running
		if news {
			s.mu.Unlock()
			return answer, nil
		}
		s.waits(c.device)
		s.mu.Unlock()
		over := false
		select {
		case <-moved:
		case <-timer.C:
			over = true
		case <-c.Context().Done():
			over = true
		case <-running.Done():
		}
		if err := s.woken(c, running); over || err != nil {
			return answer, err
		}
	}
}

// woken is an error if a request cannot wait on: its server stops, or its device
// was logged out.
func (s *Server) woken(c *call, running context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.device.idle = 0
	switch {
	case running.Err() != nil:
		return problemf(http.StatusBadGateway, "M_UNKNOWN", "the server stops")
	case c.device.user.device(c.device.id) != c.device:
		return problemf(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
	}
	return nil
}

func (s *Server) collect(c *call, since token, first bool) response {
	d, u := c.device, c.device.user
	next := token{rest: s.position}
	r := response{Counts: d.keys.counts(), Unused: d.keys.unused(), Data: eventList{[]json.RawMessage{}}}
	r.ToDevice.Events, next.toDevice = d.letters(since.toDevice, s.position, perSync)
	r.Rooms = s.roomLists(c, since.rest, first, s.limit(c))
	if !first {
		r.Lists = u.deviceLists(since.rest, s.position)
	}
	r.Next = next.String()
	r.news = len(r.ToDevice.Events) > 0 || len(r.Rooms.Join)+len(r.Rooms.Invite)+len(r.Rooms.Leave) > 0 ||
		len(r.Lists["changed"])+len(r.Lists["left"]) > 0
	return r
}

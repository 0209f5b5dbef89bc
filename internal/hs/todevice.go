package hs

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// transaction is what a device did under an id of its own.
type transaction struct {
	device   *device
	endpoint string
	path     string
}

// finished is what was answered.
type finished struct {
	at     time.Time
	answer any
}

// transactionMemory is how long a server knows a transaction id.
const transactionMemory = 30 * time.Minute

// once does what a transaction asks for, or answers as it did before. The caller
// holds the lock.
func (s *Server) once(c *call, do func() (any, error)) (any, error) {
	t := transaction{c.device, c.endpoint, c.URL.Path}
	if f, known := s.done[t]; known && s.now().Sub(f.at) < transactionMemory {
		return f.answer, nil
	}
	answer, err := do()
	if err == nil {
		s.done[t] = finished{s.now(), answer}
	}
	return answer, err
}

// ForgetTransactions makes the server know no transaction id any more.
func (s *Server) ForgetTransactions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.done)
}

func (s *Server) sendToDevice(c *call) (any, error) {
	var q struct {
		Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	if q.Messages == nil {
		return nil, problemf(http.StatusBadRequest, "M_MISSING_PARAM", "Missing 'messages'")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.once(c, func() (any, error) {
		position := s.next()
		for _, id := range slices.Sorted(maps.Keys(q.Messages)) {
			for of, content := range q.Messages[id] {
				if err := s.post(c, position, id, of, content); err != nil {
					return nil, err
				}
			}
		}
		return struct{}{}, nil
	})
}

// everyDevice stands for all devices of a user, but the sender's.
const everyDevice = "*"

// post puts an event into inboxes. Devices that nobody has get nothing, and their
// senders learn nothing.
func (s *Server) post(c *call, position int64, id matrix.UserID, of matrix.DeviceID, content json.RawMessage) error {
	event, err := json.Marshal(map[string]any{"type": c.PathValue("type"), "sender": c.user(), "content": content})
	if err != nil {
		return fmt.Errorf("to-device event: %w", err)
	}
	u := s.users[id]
	if u == nil {
		return nil
	}
	for _, d := range u.devices {
		if d.id == of || of == everyDevice && d != c.device {
			d.inbox = append(d.inbox, letter{position, event})
		}
	}
	return nil
}

// perSync is how many to-device events one response has.
const perSync = 100

// letters returns the events after a position, as many as a response takes, and
// the position of the last: all up to there have been handed out.
func (d *device) letters(after, upTo int64, limit int) (events []json.RawMessage, last int64) {
	events = []json.RawMessage{}
	for i, l := range d.inbox {
		if l.position <= after || l.position > upTo {
			continue
		}
		// Those of one request have one position: they are not parted.
		if len(events) >= limit && l.position != d.inbox[i-1].position {
			return events, d.inbox[i-1].position
		}
		events = append(events, l.event)
	}
	return events, upTo
}

// forget drops what a newer token shows to have arrived.
func (d *device) forget(upTo int64) {
	d.inbox = slices.DeleteFunc(d.inbox, func(l letter) bool { return l.position <= upTo })
}

// Inbox returns the to-device events that a device has not been seen to receive.
func (s *Server) Inbox(id matrix.UserID, of matrix.DeviceID) []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.find(id, of)
	if d == nil {
		return nil
	}
	events, _ := d.letters(0, s.position, len(d.inbox))
	return events
}

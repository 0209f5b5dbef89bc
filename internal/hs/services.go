package hs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// Service is an application service: users whose ids begin with a prefix are its,
// and what concerns them is pushed to it in transactions.
type Service struct {
	URL         string
	ServerToken string // with which the server comes to it
	Token       string // with which it comes to the server
	Prefix      string // "@bridge_"
}

// service is one that is registered.
type service struct {
	Service
	number int   // of the last transaction
	rest   int64 // what came until then is in one
	inbox  map[*device]int64
}

func (a *service) owns(id matrix.UserID) bool { return strings.HasPrefix(string(id), a.Prefix) }

// Register adds an application service. Its transactions are made and sent by
// Push.
func (s *Server) Register(a Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services = append(s.services, &service{Service: a, rest: s.position, inbox: map[*device]int64{}})
}

func (s *Server) serviceOf(token string) *service {
	for _, a := range s.services {
		if token != "" && a.Token == token {
			return a
		}
	}
	return nil
}

// register makes a user of an application service's.
func (s *Server) register(c *call) (any, error) {
	var q struct{ Type, Username string }
	if err := c.read(&q); err != nil {
		return nil, err
	}
	id := matrix.UserID("@" + q.Username + ":" + s.name)
	s.mu.Lock()
	a, there := s.serviceOf(c.token()), s.users[id] != nil
	s.mu.Unlock()
	switch {
	case q.Type != "m.login.application_service" || a == nil || !a.owns(id):
		return nil, forbidden("Only application services register users, of their own.")
	case there:
		return nil, problemf(http.StatusBadRequest, "M_USER_IN_USE", "User ID already taken.")
	}
	s.AddUser(id, "")
	return map[string]any{"user_id": id, "home_server": s.name}, nil
}

// ping asks an application service whether it is there.
func (s *Server) ping(c *call) (any, error) {
	s.mu.Lock()
	a := s.serviceOf(c.token())
	s.mu.Unlock()
	if a == nil {
		return nil, forbidden("Only application services have themselves pinged.")
	}
	begin := time.Now()
	if err := ask(c.Context(), a.Service, http.MethodPost, "ping", []byte("{}")); err != nil {
		return nil, problemf(http.StatusBadGateway, "M_BAD_STATUS", "%v", err)
	}
	return map[string]any{"duration_ms": time.Since(begin).Milliseconds()}, nil
}

// masked is the device that an application service speaks for (MSC4326).
func (s *Server) masked(c *call, token string) (*device, bool) {
	a := s.serviceOf(token)
	id := matrix.UserID(c.FormValue("user_id"))
	u := s.users[id]
	if a == nil || u == nil || !a.owns(id) {
		return nil, false
	}
	of := c.FormValue("device_id")
	if of == "" {
		of = c.FormValue("org.matrix.msc3202.device_id")
	}
	if d := u.device(matrix.DeviceID(of)); d != nil {
		return d, true
	}
	return &device{user: u, keys: newKeySet(), slides: map[string]*slide{}}, true // the user without a device
}

// Transaction is what is pushed: it can be pushed again, as servers do that got no
// answer.
type Transaction struct {
	service Service
	ID      string
	Body    json.RawMessage
}

// Transaction makes the next one, of all that is new to the service. With nothing
// new it has no events.
func (s *Server) Transaction(of Service) (Transaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.serviceOf(of.Token)
	if a == nil {
		return Transaction{}, fmt.Errorf("hs: no application service has the token")
	}
	body, err := json.Marshal(s.pushed(a))
	a.number++
	a.rest = s.position
	return Transaction{a.Service, fmt.Sprint(a.number), body}, err
}

// pushed is the body of a transaction, with the names of MSC2409 and MSC3202.
func (s *Server) pushed(a *service) map[string]any {
	events, toDevice := []*Event{}, []map[string]any{}
	counts, unused := map[matrix.UserID]any{}, map[matrix.UserID]any{}
	changed, left := []matrix.UserID{}, []matrix.UserID{}
	for _, r := range s.rooms {
		for _, e := range r.events {
			if e.position > a.rest && s.concerns(a, r) {
				events = append(events, e)
			}
		}
	}
	for id, u := range s.users {
		if !a.owns(id) {
			continue
		}
		lists := u.deviceLists(a.rest, s.position)
		changed, left = append(changed, lists["changed"]...), append(left, lists["left"]...)
		ownCounts, ownUnused := map[matrix.DeviceID]any{}, map[matrix.DeviceID]any{}
		for _, d := range u.devices {
			ownCounts[d.id], ownUnused[d.id] = d.keys.counts(), d.keys.unused()
			letters, last := d.letters(a.inbox[d], s.position, perSync)
			for _, l := range letters {
				toDevice = append(toDevice, addressed(l, d))
			}
			a.inbox[d] = last
		}
		counts[id], unused[id] = ownCounts, ownUnused
	}
	return map[string]any{
		"events": events, "de.sorunome.msc2409.to_device": toDevice, "de.sorunome.msc2409.ephemeral": []any{},
		"org.matrix.msc3202.device_lists":                     map[string]any{"changed": changed, "left": left},
		"org.matrix.msc3202.device_one_time_keys_count":       counts,
		"org.matrix.msc3202.device_unused_fallback_key_types": unused,
	}
}

func (s *Server) concerns(a *service, r *room) bool {
	for _, id := range append(r.members("join"), r.members("invite")...) {
		if a.owns(id) {
			return true
		}
	}
	return false
}

func addressed(event json.RawMessage, d *device) map[string]any {
	var e map[string]any
	_ = json.Unmarshal(event, &e) // we wrote it
	e["to_user_id"], e["to_device_id"] = d.user.id, d.id
	return e
}

// Push sends a transaction, once. The error is nil if the service took it.
func (s *Server) Push(ctx context.Context, t Transaction) error {
	return ask(ctx, t.service, http.MethodPut, "transactions/"+t.ID, t.Body)
}

// ask asks an application service something.
func ask(ctx context.Context, a Service, method, path string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.URL, "/")+"/_matrix/app/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+a.ServerToken)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("hs: the application service answers %s", answer.Status)
	}
	return nil
}

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// Service is an application service: devices of many users, its ghosts, with all keys
// in one store. They do not sync: the homeserver pushes what concerns any of them.
type Service struct {
	Homeserver // with the service's token
	Reader     // is given what is said in the ghosts' rooms, by the first of them
	Store      *pawl.Store

	ghosts []*Ghost
	taking sync.Mutex // one transaction at a time
}

// Ghost is one of the devices.
type Ghost struct {
	Client
	rooms []matrix.RoomID // guarded by the service's taking
}

// atOnce is how many ghosts do something at a time: their commits share syncs.
const atOnce = 64

// Enter logs ghosts in, and publishes the keys of those who are new. It is called once.
func (s *Service) Enter(ctx context.Context, device matrix.DeviceID, users ...matrix.UserID) error {
	for _, user := range users {
		s.ghosts = append(s.ghosts, &Ghost{Client: Client{Homeserver: Homeserver{User: user}, Reader: s.Reader}})
	}
	return s.each(func(g *Ghost) (err error) {
		if g.Homeserver, err = s.Homeserver.As(ctx, g.User, device); err != nil {
			return err
		}
		if g.Machine, err = s.Store.OpenOrCreate(ctx, g.User, device); err != nil {
			return err
		}
		if g.rooms, err = g.Rooms(ctx); err != nil {
			return err
		}
		return g.Send(ctx)
	})
}

// Say lets a ghost say something.
func (s *Service) Say(ctx context.Context, user matrix.UserID, room matrix.RoomID, name, eventType string, content json.RawMessage) error {
	g := s.find(func(g *Ghost) bool { return g.User == user })
	if g == nil {
		return fmt.Errorf("client: %s is no ghost", user)
	}
	return g.Say(ctx, room, name, eventType, content)
}

// Take takes a transaction, for the ghosts whom it concerns.
func (s *Service) Take(ctx context.Context, id string, body []byte) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	var t transaction
	if err := json.Unmarshal(body, &t); err != nil {
		return err
	}
	named := t.names()
	err := s.each(func(g *Ghost) error {
		if len(g.rooms) == 0 && !named[g.User] {
			return nil
		}
		if _, err := g.ReceiveTransaction(ctx, id, body); err != nil {
			return err
		}
		return g.Send(ctx)
	})
	if err != nil {
		return err
	}
	for _, e := range t.Events {
		if err := s.handle(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// transaction is what says whom it concerns (Matrix specification, and the names of
// MSC2409 and MSC3202 that servers use).
type transaction struct {
	Events   []stateEvent
	ToDevice []addressed                                          `json:"to_device"`
	Early    []addressed                                          `json:"de.sorunome.msc2409.to_device"`
	Counts   map[matrix.UserID]map[matrix.DeviceID]map[string]int `json:"device_one_time_keys_count"`
	Earlier  map[matrix.UserID]map[matrix.DeviceID]map[string]int `json:"org.matrix.msc3202.device_one_time_keys_count"`
}

type addressed struct {
	To matrix.UserID `json:"to_user_id"`
}

// enough is how many one-time keys the server is kept at.
const enough = 50

// names are those to whom it has events, and those whose keys run out. Whoever is in a
// room is concerned by all: by who comes and who leaves, and whose devices change.
func (t transaction) names() map[matrix.UserID]bool {
	named := map[matrix.UserID]bool{}
	for _, e := range slices.Concat(t.ToDevice, t.Early) {
		named[e.To] = true
	}
	for _, counts := range []map[matrix.UserID]map[matrix.DeviceID]map[string]int{t.Counts, t.Earlier} {
		for user, devices := range counts {
			for _, n := range devices {
				named[user] = named[user] || n["signed_curve25519"] < enough
			}
		}
	}
	return named
}

// stateEvent is an event that is of the state, perhaps.
type stateEvent struct {
	Event
	Subject matrix.UserID `json:"state_key"`
}

// handle reads an event, and lets ghosts come who are invited.
func (s *Service) handle(ctx context.Context, e stateEvent) error {
	if encrypted, ok := e.Encrypted(); ok {
		if g := s.find(func(g *Ghost) bool { return slices.Contains(g.rooms, e.Room) }); g != nil {
			return g.Read(ctx, encrypted)
		}
	}
	g := s.find(func(g *Ghost) bool { return g.User == e.Subject && e.Type == "m.room.member" })
	if g == nil {
		return nil
	}
	var to struct{ Membership pawl.Membership }
	_ = json.Unmarshal(e.Content, &to) // of another shape is no membership
	g.rooms = slices.DeleteFunc(g.rooms, func(r matrix.RoomID) bool { return r == e.Room })
	switch to.Membership {
	case pawl.Invite:
		return Allowed(g.Join(ctx, e.Room))
	case pawl.Join:
		g.rooms = append(g.rooms, e.Room)
	}
	return nil
}

// find returns the first ghost of whom something holds, or nil.
func (s *Service) find(holds func(*Ghost) bool) *Ghost {
	if i := slices.IndexFunc(s.ghosts, holds); i >= 0 {
		return s.ghosts[i]
	}
	return nil
}

func (s *Service) each(do func(*Ghost) error) error {
	var all errgroup.Group
	all.SetLimit(atOnce)
	for _, g := range s.ghosts {
		all.Go(func() error { return do(g) })
	}
	return all.Wait()
}

package hs

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/matrix"
)

// user is somebody, here or on a server that we stand in for.
type user struct {
	id       matrix.UserID
	password string
	devices  []*device
	identity map[string]json.RawMessage // cross-signing keys: master, self_signing, user_signing
	filters  []json.RawMessage
	data     map[string]json.RawMessage // account data
	lists    []listEntry                // what /sync says of others' devices
}

// device is one that somebody is logged in with.
type device struct {
	user   *user
	id     matrix.DeviceID
	name   string
	token  string
	number int // to tell devices apart that had the same id
	keys   keySet
	inbox  []letter
	idle   int64             // the position up to which it knows everything, while it waits; else 0
	slides map[string]*slide // sliding syncs, by connection
}

// letter is a to-device event that has not been seen to arrive.
type letter struct {
	position int64
	event    json.RawMessage
}

// AddUser makes a user who logs in with a password. The id may name another
// server.
func (s *Server) AddUser(id matrix.UserID, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[id] = &user{id: id, password: password, identity: map[string]json.RawMessage{}, data: map[string]json.RawMessage{}}
}

func (u *user) device(id matrix.DeviceID) *device {
	i := slices.IndexFunc(u.devices, func(d *device) bool { return d.id == id })
	if i < 0 {
		return nil
	}
	return u.devices[i]
}

// server is the part of a user id after the colon.
func serverOf(id matrix.UserID) string {
	_, name, _ := strings.Cut(string(id), ":")
	return name
}

func (s *Server) flows(*call) (any, error) {
	return map[string]any{"flows": []map[string]string{{"type": "m.login.password"}, {"type": "m.login.application_service"}}}, nil
}

func (s *Server) login(c *call) (any, error) {
	var q struct {
		Type       string
		Identifier struct{ User string }
		User       string // of old clients
		Password   string
		Device     matrix.DeviceID `json:"device_id"`
		Name       string          `json:"initial_device_display_name"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.named(q.Identifier.User + q.User)
	switch {
	case q.Type == "m.login.application_service":
		if service := s.serviceOf(c.token()); service == nil || u == nil || !service.owns(u.id) {
			return nil, forbidden("Application service may not log in as that user.")
		}
	case q.Type != "m.login.password":
		return nil, problemf(http.StatusBadRequest, "M_UNKNOWN", "Unknown login type %s", q.Type)
	case u == nil || subtle.ConstantTimeCompare([]byte(u.password), []byte(q.Password)) == 0:
		return nil, forbidden("Invalid username or password")
	}
	d := s.enter(u, q.Device, q.Name)
	return map[string]any{"user_id": u.id, "device_id": d.id, "access_token": d.token, "home_server": s.name}, nil
}

// named finds a user by id or by what is before the colon.
func (s *Server) named(name string) *user {
	if !strings.HasPrefix(name, "@") {
		name = "@" + name + ":" + s.name
	}
	return s.users[matrix.UserID(name)]
}

// enter logs a user in. A device that was there keeps its keys and loses its
// token.
func (s *Server) enter(u *user, id matrix.DeviceID, name string) *device {
	if id == "" {
		id = matrix.DeviceID(rand.Text()[:10])
	}
	d := u.device(id)
	if d == nil {
		s.next()
		d = &device{user: u, id: id, name: name, number: int(s.position), keys: newKeySet(), slides: map[string]*slide{}}
		u.devices = append(u.devices, d)
	}
	delete(s.tokens, d.token)
	d.token = "token_" + rand.Text()
	s.tokens[d.token] = d
	return d
}

// Login logs somebody in without a request, and returns the access token.
func (s *Server) Login(id matrix.UserID, of matrix.DeviceID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(s.users[id], of, "").token
}

func (s *Server) whoami(c *call) (any, error) {
	return map[string]any{"user_id": c.user(), "device_id": c.device.id, "is_guest": false}, nil
}

func (s *Server) listDevices(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []any{}
	for _, d := range c.device.user.devices {
		all = append(all, d.about())
	}
	return map[string]any{"devices": all}, nil
}

func (d *device) about() map[string]any {
	return map[string]any{"device_id": d.id, "display_name": d.name}
}

// ownDevice is the device that a path names.
func (s *Server) ownDevice(c *call) (*device, error) {
	if d := c.device.user.device(matrix.DeviceID(c.PathValue("device"))); d != nil {
		return d, nil
	}
	return nil, notFound("Device")
}

func (s *Server) getDevice(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.ownDevice(c)
	if err != nil {
		return nil, err
	}
	return d.about(), nil
}

// renameDevice changes the display name, which others are told of as of new keys.
func (s *Server) renameDevice(c *call) (any, error) {
	var q struct {
		Name string `json:"display_name"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.ownDevice(c)
	if err != nil && s.serviceOf(c.token()) != nil { // it makes devices without a login (MSC4190)
		d, err = s.enter(c.device.user, matrix.DeviceID(c.PathValue("device")), ""), nil
	}
	if err != nil {
		return nil, err
	}
	d.name = q.Name
	s.devicesChanged(d.user)
	return struct{}{}, nil
}

func (s *Server) deleteDevice(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.ownDevice(c)
	if err != nil {
		return nil, err
	}
	s.leave(d)
	return struct{}{}, nil
}

func (s *Server) logout(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(c.device)
	return struct{}{}, nil
}

func (s *Server) logoutAll(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range slices.Clone(c.device.user.devices) {
		s.leave(d)
	}
	return struct{}{}, nil
}

// leave removes a device with all that it has.
func (s *Server) leave(d *device) {
	delete(s.tokens, d.token)
	d.user.devices = slices.DeleteFunc(d.user.devices, func(other *device) bool { return other == d })
	s.devicesChanged(d.user)
}

// Logout removes a device, as its user can from another one.
func (s *Server) Logout(id matrix.UserID, of matrix.DeviceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.users[id].device(of); d != nil {
		s.leave(d)
	}
}

package hs

import (
	"net/http"
	"testing"

	"github.com/pawlkv/pawl/matrix"
)

const base = "/_matrix/client/v3/"

// started is a server with users that is closed with the test.
func started(t *testing.T, users ...matrix.UserID) *Server {
	t.Helper()
	s, err := Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, id := range users {
		s.AddUser(id, "secret")
	}
	return s
}

// client is a device that asks.
type client struct {
	t      *testing.T
	server *Server
	user   matrix.UserID
	device matrix.DeviceID
	token  string
	proxy  *Proxy // nil: it asks the server itself
}

func (s *Server) client(t *testing.T, user matrix.UserID, device matrix.DeviceID) *client {
	return &client{t, s, user, device, s.Login(user, device), nil}
}

// object is JSON of some shape.
type object = map[string]any

func (c *client) url() string {
	if c.proxy != nil {
		return c.proxy.URL()
	}
	return c.server.URL()
}

// ask returns the status and the answer. The status is 0 if none came.
func (c *client) ask(method, path string, body any) (int, object) {
	c.t.Helper()
	status, o, err := Ask(c.t.Context(), c.token, method, c.url()+path, body)
	if err != nil && status != 0 {
		c.t.Fatal(err)
	}
	return status, o
}

// must is ask where the answer is 200.
func (c *client) must(method, path string, body any) object {
	c.t.Helper()
	status, o := c.ask(method, path, body)
	if status != http.StatusOK {
		c.t.Fatalf("%s %s: %d %v", method, path, status, o)
	}
	return o
}

// expect is ask where the answer is a problem.
func (c *client) expect(status int, code, method, path string, body any) object {
	c.t.Helper()
	got, o := c.ask(method, path, body)
	if got != status || o["errcode"] != code {
		c.t.Errorf("%s %s: %d %v, want %d %s", method, path, got, o, status, code)
	}
	return o
}

// at follows keys into an answer.
func at(o any, keys ...string) any {
	for _, k := range keys {
		m, _ := o.(object)
		o = m[k]
	}
	return o
}

func list(o any, keys ...string) []any {
	l, _ := at(o, keys...).([]any)
	return l
}

func (c *client) sync(since string) object {
	c.t.Helper()
	return c.must("GET", base+"sync?timeout=0&since="+since, nil)
}

func next(o object) string { return o["next_batch"].(string) }

// room makes one that anybody may join, and lets others in.
func (c *client) room(others ...*client) string {
	c.t.Helper()
	id := c.must("POST", base+"createRoom", object{"preset": "public_chat"})["room_id"].(string)
	for _, o := range others {
		o.must("POST", base+"join/"+id, nil)
	}
	return id
}

func key(text string) object { return object{"key": text} }

func (c *client) upload(keys object) (int, object) {
	c.t.Helper()
	return c.ask("POST", base+"keys/upload", object{"one_time_keys": keys})
}

func (c *client) claim(from *client) object {
	c.t.Helper()
	o := c.must("POST", base+"keys/claim", object{"one_time_keys": object{string(from.user): object{string(from.device): "signed_curve25519"}}})
	keys, _ := at(o, "one_time_keys", string(from.user), string(from.device)).(object)
	return keys
}

func (c *client) deviceKeys(name string) object {
	return object{"device_keys": object{"user_id": c.user, "device_id": c.device, "algorithms": []string{}, "keys": object{"ed25519:" + string(c.device): name}}}
}

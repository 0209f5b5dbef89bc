package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"testing"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/synapse"
	"github.com/pawlkv/pawl/matrix"
)

// object is JSON of some shape.
type object = map[string]any

// where Synapse is installed, or "": then the homeserver is that of package hs.
var where = flag.String("synapse", "", "the virtual environment that has Synapse, for a real homeserver")

// dendrite is Dendrite's program, or "".
var dendrite = flag.String("dendrite", "", "the program of Dendrite, for another real homeserver")

func homeserver(t *testing.T) hs.Homeserver {
	t.Helper()
	if *dendrite != "" {
		return synapse.StartDendrite(t, *dendrite, "example.org")
	}
	if *where != "" {
		return synapse.Start(t, *where, "example.org")
	}
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// server has a user who makes rooms and has no keys, and others.
func server(t *testing.T, users ...matrix.UserID) hs.Homeserver {
	t.Helper()
	s := homeserver(t)
	t.Cleanup(func() { s.Close() }) // after the clients, who were started later
	for _, user := range append(users, admin) {
		s.AddUser(user, "secret")
	}
	return s
}

// The users of all tests.
const (
	alice = matrix.UserID("@alice:example.org") // whose device is tested
	bob   = matrix.UserID("@bob:example.org")
	carol = matrix.UserID("@carol:example.org")
	dave  = matrix.UserID("@dave:example.org")
	eve   = matrix.UserID("@eve:example.org")
	admin = matrix.UserID("@admin:example.org")
)

// person asks the server without a client.
type person struct {
	t      *testing.T
	server hs.Homeserver
	token  string
}

func as(t *testing.T, s hs.Homeserver, user matrix.UserID) *person {
	return &person{t, s, s.Login(user, "BROWSER")}
}

// ask asks for something that is granted.
func (p *person) ask(method, path string, body any) object {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.server.URL()+"/_matrix/client/v3/"+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	var o object
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(text, &o) != nil {
		p.t.Fatalf("%s %s: %s %s %v", method, path, answer.Status, text, err)
	}
	return o
}

// room makes an encrypted room that anybody may join.
func (p *person) room(encryption object, invited ...matrix.UserID) string {
	p.t.Helper()
	content := object{"algorithm": "m.megolm.v1.aes-sha2"}
	for name, value := range encryption {
		content[name] = value
	}
	state := []object{{"type": "m.room.encryption", "state_key": "", "content": content}}
	return p.ask("POST", "createRoom", object{"preset": "public_chat", "initial_state": state, "invite": append([]matrix.UserID{}, invited...)})["room_id"].(string)
}

// settle waits until devices have processed all that the server told them.
func settle(t *testing.T, s hs.Homeserver, all ...*device) {
	t.Helper()
	of := map[matrix.UserID]matrix.DeviceID{}
	for _, d := range all {
		of[d.User] = d.ID
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Settle(ctx, of); err != nil {
		t.Fatalf("the clients do not settle: %v", err)
	}
}

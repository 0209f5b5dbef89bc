// Package person is somebody whom the tests of the examples talk to: a client with
// its keys in memory.
package person

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/examples/client"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// Person is a client that syncs until the test ends.
type Person struct {
	*client.Client
	t     testing.TB
	heard chan Heard
}

// Heard is a text that somebody said.
type Heard struct {
	Room   matrix.RoomID
	Sender matrix.UserID
	Body   string
}

// Login makes a user of the server who is logged in, and begins to sync.
func Login(t testing.TB, s *hs.Server, user matrix.UserID) *Person {
	t.Helper()
	p := New(t, s, user)
	ended, ctx := make(chan error), t.Context()
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", user, err)
		}
	})
	return p
}

// New makes a user of the server who is logged in, and does nothing.
func New(t testing.TB, s *hs.Server, user matrix.UserID) *Person {
	t.Helper()
	s.AddUser(user, "secret")
	p := &Person{t: t, heard: make(chan Heard, 10_000)}
	store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	machine, err := store.Create(t.Context(), user, "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	p.Client = &client.Client{Machine: machine, Reader: p, Homeserver: client.Homeserver{URL: s.URL(), Token: s.Login(user, "PHONE")}}
	return p
}

// Room makes an encrypted room and invites others.
func (p *Person) Room(others ...matrix.UserID) matrix.RoomID {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{
		"invite": others,
		"initial_state": []any{map[string]any{
			"type": "m.room.encryption", "state_key": "", "content": map[string]string{"algorithm": "m.megolm.v1.aes-sha2"},
		}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := p.Do(p.t.Context(), "POST", "/_matrix/client/v3/createRoom", body)
	var made struct {
		Room matrix.RoomID `json:"room_id"`
	}
	if err == nil {
		err = json.Unmarshal(answer, &made)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return made.Room
}

// Says says a text, however often it takes: under one name it is one event.
func (p *Person) Says(room matrix.RoomID, name, body string) {
	p.t.Helper()
	content, err := json.Marshal(map[string]string{"msgtype": "m.text", "body": body})
	if err != nil {
		p.t.Fatal(err)
	}
	for ctx := p.t.Context(); ctx.Err() == nil; {
		err := p.Say(ctx, room, name, "m.room.message", content)
		if err == nil {
			return
		}
		p.t.Logf("%q is said again: %v", body, err)
	}
	p.t.Fatalf("nobody takes %q", body)
}

// Hears waits for what somebody else says next.
func (p *Person) Hears() Heard {
	p.t.Helper()
	select {
	case h := <-p.heard:
		return h
	case <-time.After(time.Minute):
		p.t.Fatal("nobody says anything any more")
		return Heard{}
	}
}

// Message implements client.Reader.
func (p *Person) Message(ctx context.Context, e pawl.RoomEvent, read pawl.DecryptedRoomEvent) error {
	id, err := p.Identity(ctx)
	if err != nil || e.Sender == id.UserID {
		return err
	}
	var said struct{ Body string }
	if err := json.Unmarshal(read.Content, &said); err != nil {
		return err
	}
	p.heard <- Heard{e.Room, e.Sender, said.Body}
	return nil
}

// Invited implements client.Reader.
func (p *Person) Invited(ctx context.Context, room matrix.RoomID) error { return p.Join(ctx, room) }

// ToDevice implements client.Reader.
func (p *Person) ToDevice(context.Context, pawl.ToDeviceEvent) error { return nil }

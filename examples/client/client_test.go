package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/examples/internal/person"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

const (
	alice = matrix.UserID("@alice:example.org")
	bob   = matrix.UserID("@bob:example.org")
)

func started(t *testing.T) *hs.Server {
	t.Helper()
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestTalk: two clients with the loop of docs/client.md read each other, and the
// server has read neither.
func TestTalk(t *testing.T) {
	s := started(t)
	a, b := person.Login(t, s, alice), person.Login(t, s, bob)
	room := a.Room(bob)
	settled(t, s)
	talk(t, a, b, room)
	for _, e := range s.Timeline(room) {
		if e.Type == "m.room.message" {
			t.Errorf("the server can read %s", e.Content)
		}
	}
}

// TestFaults: two clients that know each other read all that they say, whatever
// becomes of their requests, once.
func TestFaults(t *testing.T) {
	effects := map[string]hs.Fault{
		"lost":    {Times: 3, Do: hs.Lose},
		"dropped": {Times: 3, Do: hs.Drop},
		"gateway": {Times: 1, Do: hs.Gateway},
		"limited": {Times: 1, Do: hs.Limit(time.Millisecond)},
	}
	// How often each is asked at least beside the faults. An upload is not tried again
	// before there is another reason, and a pause.
	for endpoint, least := range map[string]int{"sync": 1, "keys/upload": 0, "sendToDevice": 1, "joined_members": 1, "send": 1} {
		for name, fault := range effects {
			t.Run(endpoint+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := started(t)
				a, b := person.Login(t, s, alice), person.Login(t, s, bob)
				room := a.Room(bob)
				settled(t, s)
				before := len(s.Exchanges(endpoint))
				fault.Endpoint = endpoint
				s.Fail(fault)
				talk(t, a, b, room)
				if n := len(s.Exchanges(endpoint)) - before; n < min(fault.Times+least, 1+3*least) {
					t.Errorf("%s was asked %d times", endpoint, n)
				}
				said := 0
				for _, e := range s.Timeline(room) {
					if e.Type == "m.room.encrypted" {
						said++
					}
				}
				if said != 2*rounds {
					t.Errorf("the room has %d messages, want %d", said, 2*rounds)
				}
			})
		}
	}
}

// settled waits until both have handled all that happened.
func settled(t *testing.T, s *hs.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Settle(ctx, map[matrix.UserID]matrix.DeviceID{alice: "PHONE", bob: "PHONE"}); err != nil {
		t.Fatalf("the clients do not come to rest: %v", err)
	}
}

// rounds is how often both say something.
const rounds = 5

// talk lets two people say something in turn.
func talk(t *testing.T, a, b *person.Person, room matrix.RoomID) {
	t.Helper()
	for i := range rounds {
		said := fmt.Sprint("to Bob ", i)
		a.Says(room, said, said)
		if got, want := b.Hears(), (person.Heard{Room: room, Sender: alice, Body: said}); got != want {
			t.Fatalf("Bob reads %v, want %v", got, want)
		}
		said = fmt.Sprint("to Alice ", i)
		b.Says(room, said, said)
		if got, want := a.Hears(), (person.Heard{Room: room, Sender: bob, Body: said}); got != want {
			t.Fatalf("Alice reads %v, want %v", got, want)
		}
	}
}

package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/matrix"
)

// cast says of what make a story's devices are.
type cast struct{ subject, peer string }

// story is a device under test, its peers and what they say in one room.
type story struct {
	t      *testing.T
	server hs.Homeserver
	cast   cast
	admin  *person
	room   string
	mine   *subject
	peers  []*device

	happened []incident // in the order in which it began

	mu      sync.Mutex // guards sent, where several talk at once
	sent    []oracle.Message
	excused map[matrix.EventID]bool
	sights  []oracle.Sight // until now
}

// tell begins a story: the room is made, and nobody has begun.
func tell(t *testing.T, c cast, encryption object, invited ...matrix.UserID) *story {
	t.Helper()
	needKinds(t, c.subject, c.peer)
	s := server(t, alice, bob, carol, dave, eve)
	y := &story{t: t, server: s, cast: c, admin: as(t, s, admin), excused: map[matrix.EventID]bool{}}
	y.room = y.admin.room(encryption, invited...)
	y.mine = newSubject(t, s, c.subject)
	return y
}

// meet lets the device and a peer of each user come into the room.
func (y *story) meet(users ...matrix.UserID) {
	y.t.Helper()
	y.mine.open()
	y.mine.processes[0].join(y.room)
	for _, user := range users {
		y.peer(user, "LAPTOP").join(y.room)
	}
	y.settle()
}

// peer starts a peer's device.
func (y *story) peer(user matrix.UserID, id matrix.DeviceID) *device {
	y.t.Helper()
	d := start(y.t, y.server, y.cast.peer, user, id)
	y.peers = append(y.peers, d)
	return d
}

func (y *story) settle() {
	y.t.Helper()
	settle(y.t, y.server, append(slices.Clone(y.peers), y.mine.processes[0])...)
}

// readers are the devices that are given what is sent now.
func (y *story) readers() []oracle.Device {
	all := []oracle.Device{y.mine.Device}
	for _, d := range y.peers {
		all = append(all, d.Device)
	}
	return all
}

// say lets a process send, and notes it.
func (y *story) say(from *device, body string) (matrix.EventID, error) {
	a, err := from.try(bot.Command{Name: "send", Room: y.room, Body: body})
	if err != nil {
		return "", err
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.sent = append(y.sent, oracle.Message{Event: matrix.EventID(a.Event), Sender: from.User, Body: body, Readers: y.readers()})
	return matrix.EventID(a.Event), nil
}

// says is say where nothing hinders it.
func (y *story) says(from *device, body string) matrix.EventID {
	y.t.Helper()
	id, err := y.say(from, body)
	if err != nil {
		y.t.Fatal(err)
	}
	return id
}

// seen waits until one of the device's processes has told of a message: which one is
// chance, where several sync.
func (y *story) seen(id matrix.EventID) {
	y.t.Helper()
	y.until(fmt.Sprint("message ", id), func() bool {
		return slices.ContainsFunc(y.mine.processes, func(d *device) bool { return told(d, id) })
	})
}

// told reports whether a process has told of a message.
func told(d *device, id matrix.EventID) bool {
	return slices.ContainsFunc(d.Events(), func(e bot.Event) bool { return e.Name == "message" && e.Event == string(id) })
}

// reads fetches an event as a notification extension does.
func (y *story) reads(by *device, id matrix.EventID, within time.Duration) (bot.Answer, error) {
	return by.try(bot.Command{Name: "read", Room: y.room, Event: string(id), Timeout: int(within.Milliseconds())})
}

// talk lets everybody say something that all the others read.
func (y *story) talk(about string) {
	y.t.Helper()
	for _, from := range append([]*device{y.mine.next()}, y.peers...) {
		y.says(from, fmt.Sprintf("%s, says %s", about, from.name))
	}
	y.judge()
}

// excuse names messages that not all must read.
func (y *story) excuse(ids ...matrix.EventID) {
	for _, id := range ids {
		y.excused[id] = true
	}
}

// session is what a message was encrypted in.
func (y *story) session(id matrix.EventID) string {
	y.t.Helper()
	for _, e := range y.server.Timeline(matrix.RoomID(y.room)) {
		if e.ID == id {
			return sessionOf(y.t, e)
		}
	}
	y.t.Fatalf("no event %s", id)
	return ""
}

func sessionOf(t *testing.T, e hs.Event) string {
	t.Helper()
	var content struct {
		Session string `json:"session_id"`
	}
	if err := json.Unmarshal(e.Content, &content); err != nil || content.Session == "" {
		t.Fatalf("%s has no session: %s", e.ID, e.Content)
	}
	return content.Session
}

// until waits for something that the server sees.
func (y *story) until(what string, met func() bool) {
	y.t.Helper()
	ctx, cancel := context.WithTimeout(y.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			y.t.Fatalf("waiting for %s: %v", what, ctx.Err())
		}
	}
}

// fail lets requests of the device under test fail, and nobody else's.
func (y *story) fail(endpoint string, times int, do hs.Effect) {
	y.server.Fail(hs.Fault{Endpoint: endpoint, User: y.mine.User, Device: y.mine.ID, Times: times, Do: do})
}

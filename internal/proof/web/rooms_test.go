package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/matrix"
)

// TestRoomsOfTabs: two pages and the service worker of examples/web are one device with one
// token. The pages sync, the service worker reads what push messages name, and all three send;
// peers are clients of mautrix-go and of matrix-sdk-crypto. At the end no page is open.
func TestRoomsOfTabs(t *testing.T) {
	t.Parallel()
	each := 60
	if testing.Short() {
		each = 10
	}
	y := newRoomStory(t)
	first, second := y.open(), y.open()
	y.login(first)
	y.reload(second)
	y.enter()
	began := time.Now()
	var all []func()
	for _, from := range []struct {
		name  string
		sends func(body string) matrix.EventID
	}{
		{"page one", func(body string) matrix.EventID { return y.sends(first, "send", body) }},
		{"page two", func(body string) matrix.EventID { return y.sends(second, "send", body) }},
		{"the service worker", func(body string) matrix.EventID { return y.sends(second, "reply", body) }},
	} {
		all = append(all, func() {
			for i := range each {
				body := fmt.Sprintf("message %d of %s", i, from.name)
				y.sent(oracle.Message{Event: from.sends(body), Sender: y.device.User, Body: body})
			}
		})
	}
	for _, p := range y.peers {
		all = append(all, func() {
			for i := range each {
				y.push(y.says(p, fmt.Sprintf("message %d of %s", i, p.ID)))
			}
		})
	}
	story.Together(all...)
	y.readAll()
	took := time.Since(began)
	y.shown(first, len(y.life.Sent))
	y.shown(second, len(y.life.Sent))
	first.Close()
	second.Close()
	for i := range 2 * rotation { // of keys that no page has
		y.push(y.says(y.peers[i%2], fmt.Sprint("no page is open, message ", i)))
	}
	y.readAll()
	y.judge()
	t.Logf("%d messages in %v, and %d to a service worker without pages", 5*each, took.Round(time.Millisecond), 2*rotation)
}

// says lets a peer send.
func (y *roomStory) says(p *roomPeer, body string) matrix.EventID {
	y.t.Helper()
	id := matrix.EventID(p.do(bot.Command{Name: "send", Room: string(y.room), Body: body}).Event)
	y.sent(oracle.Message{Event: id, Sender: p.User, Body: body})
	y.mu.Lock()
	defer y.mu.Unlock()
	y.pushed = append(y.pushed, id)
	return id
}

// sent notes a message, which everybody is to read.
func (y *roomStory) sent(m oracle.Message) {
	m.Readers = []oracle.Device{y.device}
	for _, p := range y.peers {
		m.Readers = append(m.Readers, p.Device)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.life.Sent = append(y.life.Sent, m)
}

// readAll waits until the device has read everything, and the service worker all that it was
// woken for.
func (y *roomStory) readAll() {
	y.t.Helper()
	for late := time.After(patience); ; {
		missing := y.missing()
		if len(missing) == 0 {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-late:
			y.t.Fatalf("not read within %v: %s", patience, strings.Join(missing, "; "))
		}
	}
}

func (y *roomStory) missing() (events []string) {
	heard := y.heard()
	read := func(id matrix.EventID, by string) bool {
		return slices.ContainsFunc(heard, func(h heardEvent) bool { return h.ID == id && h.Error == "" && (by == "" || h.By == by) })
	}
	for _, m := range y.life.Sent {
		if !read(m.Event, "") {
			events = append(events, m.Body)
		}
	}
	for _, id := range y.pushed {
		if !read(id, "service worker") {
			events = append(events, string(id)+" by the service worker")
		}
	}
	return events
}

// judge has peers read what they have not, and asks the oracle about the device.
func (y *roomStory) judge() {
	y.t.Helper()
	for _, h := range y.heard() {
		if h.Error == "" {
			y.life.Seen = append(y.life.Seen, oracle.Sight{By: y.device, Event: h.ID, Sender: h.Sender, Body: h.Body, Encrypted: true})
		}
	}
	for _, p := range y.peers {
		for _, m := range y.life.Sent {
			a := p.do(bot.Command{Name: "read", Room: string(y.room), Event: string(m.Event), Timeout: int(patience.Milliseconds())})
			y.life.Seen = append(y.life.Seen, oracle.Sight{By: p.Device, Event: m.Event, Sender: matrix.UserID(a.Sender), Body: a.Body, Encrypted: true})
		}
	}
	y.life.Exchanges = y.server.Exchanges()
	for _, broken := range oracle.Judge(y.life) {
		y.t.Error(broken)
	}
}

package pawlmautrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// reader is a program that reads from the bridge's store.
type reader struct {
	*talker
	mu      sync.Mutex
	changed chan struct{}
	told    map[string]line // by what was asked
	silent  bool            // it was waited for in vain once
}

func newReader(y *bridgeStory) *reader {
	y.t.Helper()
	r := &reader{changed: make(chan struct{}), told: map[string]line{}}
	r.talker = talk(y.t, func(l line) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told[l.ID] = l
		close(r.changed)
		r.changed = make(chan struct{})
	}, y.programs[1], y.store, bridgeBot.String(), y.device.String())
	return r
}

// tells waits until it has told of something, or tells nothing any more.
func (r *reader) tells(what string) line {
	for {
		r.mu.Lock()
		l, is := r.told[what]
		changed, silent := r.changed, r.silent
		r.mu.Unlock()
		switch {
		case is:
			return l
		case silent:
			return line{Error: "it was waited for in vain"}
		}
		select {
		case <-changed:
		case <-time.After(patience):
			r.mu.Lock()
			r.silent = true
			r.mu.Unlock()
		}
	}
}

// readAlong gives an event to who reads along.
func (y *bridgeStory) readAlong(e *event.Event) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if e.Type.Type == event.EventEncrypted.Type && y.along != nil {
		y.along.say(toRead(y, e.RoomID, e.ID, e.Sender, e.Content.VeryRaw))
	}
}

// toRead asks a reader for an event of a room.
func toRead(y *bridgeStory, room id.RoomID, event id.EventID, sender id.UserID, content json.RawMessage) line {
	text, err := json.Marshal(map[string]any{"room_id": room, "event_id": event, "sender": sender, "content": content})
	if err != nil {
		y.t.Errorf("%s: %v", event, err)
	}
	return line{Event: "read", ID: event.String(), Content: text}
}

// judge compares what was sent with what each device reads now.
func (y *bridgeStory) judge() {
	y.t.Helper()
	events := y.accepted()
	if len(events) < len(y.spoken)+len(y.said) {
		y.t.Errorf("Synapse has %d events, of %d that it accepted", len(events), len(y.spoken)+len(y.said))
	}
	bodies := map[string]string{}
	for _, e := range events {
		r := y.along.tells(string(e.ID))
		if bodies[string(e.ID)] = r.Body; r.Error != "" || r.Body == "" {
			y.t.Errorf("who reads along never read %s of %s: %s", e.ID, e.Sender, r.Error)
		}
	}
	y.along.quit()
	fresh := newReader(y)
	for _, e := range events {
		fresh.say(toRead(y, id.RoomID(e.Room), id.EventID(e.ID), id.UserID(e.Sender), e.Content))
	}
	for _, e := range events {
		read := map[string]string{"the bridge's device": fresh.tells(string(e.ID)).Body, "bob": y.reads(y.bob, e), "alice": y.reads(y.alice, e)}
		a := y.carol.do("read", map[string]any{"room": e.Room, "event_id": e.ID, "timeout_ms": patience.Milliseconds()})
		read["carol"], _ = a["body"].(string)
		for who, body := range read {
			if body == "" || body != bodies[string(e.ID)] {
				y.t.Errorf("%s reads %s of %s as %q, it is %q", who, e.ID, e.Sender, body, bodies[string(e.ID)])
			}
		}
	}
	y.countSent(bodies)
	dropped := y.countArrived()
	letters := y.countLetters(fresh)
	fresh.quit()
	y.checkKeys()
	y.gate.mu.Lock()
	defer y.gate.mu.Unlock()
	y.t.Logf("%d messages to the network, of which mautrix-go dropped %d between its 200 and the handler; %d from it; %d kills; "+
		"all %d events that Synapse accepted are read by all five; all %d to-device events for the bridge were received; transactions were answered %v (0: not at all); "+
		"Synapse left %d behind until one was refused",
		len(y.spoken), dropped, len(y.said), y.kills, len(events), letters, y.gate.statuses, y.left)
}

// accepted are the encrypted events of all rooms. Nothing was said in the clear.
func (y *bridgeStory) accepted() (all []hs.Event) {
	y.t.Helper()
	for _, room := range y.rooms {
		for _, e := range y.server.Timeline(matrix.RoomID(room)) {
			switch e.Type {
			case event.EventEncrypted.Type:
				e.Room = matrix.RoomID(room)
				all = append(all, e)
			case event.EventMessage.Type:
				y.t.Errorf("%s of %s is in the clear", e.ID, e.Sender)
			}
		}
	}
	return all
}

// reads has a client read an event.
func (y *bridgeStory) reads(p *program, e hs.Event) string {
	y.t.Helper()
	evt := &event.Event{
		Type: event.EventEncrypted, RoomID: id.RoomID(e.Room), ID: id.EventID(e.ID), Sender: id.UserID(e.Sender), Timestamp: e.Time,
		Content: event.Content{VeryRaw: e.Content},
	}
	if err := evt.Content.ParseRaw(evt.Type); err != nil {
		y.t.Error(err)
		return ""
	}
	d, err := p.client.Crypto.Decrypt(y.t.Context(), evt)
	if c := evt.Content.AsEncrypted(); errors.Is(err, crypto.ErrNoSessionFound) && p.client.Crypto.WaitForSession(y.t.Context(), evt.RoomID, c.SenderKey, c.SessionID, patience) {
		d, err = p.client.Crypto.Decrypt(y.t.Context(), evt)
	}
	if err != nil {
		y.t.Errorf("%s: %s: %v", p.client.UserID, e.ID, err)
		return ""
	}
	if ghosts := strings.HasPrefix(string(e.Sender), "@echo_"); ghosts && d.Mautrix.TrustState != id.TrustStateUnknownDevice {
		y.t.Errorf("%s: %s of %s is %v", p.client.UserID, e.ID, e.Sender, d.Mautrix.TrustState)
	}
	return d.Content.AsMessage().Body
}

// countSent looks whether all messages, of the network and of peers, are in Matrix.
func (y *bridgeStory) countSent(bodies map[string]string) {
	y.t.Helper()
	is := map[string]bool{}
	for _, body := range bodies {
		is[body] = true
	}
	for _, l := range y.said {
		if !is[l.Body] {
			y.t.Errorf("%q of the network is nowhere", l.Body)
		}
	}
	for e, body := range y.spoken {
		if bodies[e] != body {
			y.t.Errorf("%s is read as %q, it is %q", e, bodies[e], body)
		}
	}
}

// countArrived counts the events of peers that bridges have answered for and not handed
// to the network. All of those bridges were killed.
func (y *bridgeStory) countArrived() (dropped int) {
	y.t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	y.gate.mu.Lock()
	defer y.gate.mu.Unlock()
	for e, body := range y.spoken {
		life, answered := y.gate.answered[e]
		switch arrived, is := y.handled[e]; {
		case is && arrived != body:
			y.t.Errorf("%s arrived as %q, it is %q", e, arrived, body)
		case is:
		case !answered:
			y.t.Errorf("%s was in no transaction that was answered", e)
		case life == y.kills:
			y.t.Errorf("%s came to a bridge that was not killed, and never arrived (%s)", e, y.failed[e])
		default:
			dropped++
		}
	}
	return dropped
}

// countLetters has the bridge's device read all Olm messages for it again: those that it
// received it knows.
func (y *bridgeStory) countLetters(r *reader) (letters int) {
	y.t.Helper()
	for _, e := range y.server.Exchanges("sendToDevice") {
		var q struct {
			Messages map[id.UserID]map[id.DeviceID]struct {
				Sender     string `json:"sender_key"`
				Ciphertext map[string]struct {
					Type int
					Body string
				}
			}
		}
		if e.Status != 200 || !strings.Contains(e.Path, "m.room.encrypted") || json.Unmarshal(e.Request, &q) != nil {
			continue
		}
		letter := q.Messages[bridgeBot][y.device]
		for _, m := range letter.Ciphertext {
			letters++
			name := fmt.Sprint("letter ", letters)
			content, _ := json.Marshal(map[string]any{"sender_key": letter.Sender, "type": m.Type, "body": m.Body})
			r.say(line{Event: "letter", ID: name, Content: content})
			if a := r.tells(name); a.Body != "received" {
				y.t.Errorf("a to-device event of %s was lost: the device says %q %s", e.User, a.Body, a.Error)
			}
		}
	}
	if letters == 0 {
		y.t.Error("the bridge was sent no to-device events")
	}
	return letters
}

// checkKeys looks whether a one-time key of the bridge's device was in two uploads.
func (y *bridgeStory) checkKeys() {
	y.t.Helper()
	seen := map[id.KeyID]int{}
	for _, e := range y.server.Exchanges("keys/upload") {
		if slices.Contains([]id.UserID{bob, carol, alice}, id.UserID(e.User)) {
			continue
		}
		for key := range oneTimeKeys(y.t, e.Request) {
			if seen[key]++; seen[key] > 1 {
				y.t.Errorf("%s was in %d uploads", key, seen[key])
			}
		}
	}
	if len(seen) == 0 {
		y.t.Error("the bridge uploaded no one-time key")
	}
}

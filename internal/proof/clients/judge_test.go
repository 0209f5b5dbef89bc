package clients

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/matrix"
)

// judge reads everything on every device, and asks the oracle.
func (y *story) judge() {
	y.t.Helper()
	y.findUnanswered()
	life := oracle.Life{Ours: []oracle.Device{y.mine.Device}, Exchanges: y.server.Exchanges()}
	for _, m := range y.sent {
		if y.excused[m.Event] {
			m.Readers = nil
		}
		life.Sent = append(life.Sent, m)
	}
	for _, d := range append(slices.Clone(y.peers), y.mine.processes...) {
		y.look(d, life.Sent)
	}
	y.mine.check()
	life.Seen = y.sights
	broken := oracle.Judge(life)
	for _, b := range broken[:min(len(broken), 20)] {
		y.t.Error(b)
	}
	if y.t.Failed() {
		y.t.FailNow()
	}
}

// look notes all that a process read, in its sync and when it is asked to.
func (y *story) look(d *device, all []oracle.Message) {
	note := func(event, sender, body string, encrypted bool) {
		y.sights = append(y.sights, oracle.Sight{By: d.Device, Event: matrix.EventID(event), Sender: matrix.UserID(sender), Body: body, Encrypted: encrypted})
	}
	events := d.Events()
	for _, e := range events[d.noted:] {
		if e.Name == "message" {
			note(e.Event, e.Sender, e.Body, e.Encrypted)
		}
	}
	d.noted = len(events)
	for _, m := range all {
		if d.read[m.Event] || !slices.Contains(m.Readers, d.Device) {
			continue
		}
		within := patience / 4
		if y.t.Failed() {
			within = time.Second // one was waited for, and the rest is told soon
		}
		a, err := y.reads(d, m.Event, within)
		if err != nil {
			y.t.Errorf("%s cannot read %s (%q of %s): %v", d.name, m.Event, m.Body, m.Sender, err)
			continue
		}
		d.read[m.Event] = true
		note(string(m.Event), a.Sender, a.Body, true)
	}
}

// findUnanswered notes the messages of ours whose sender was killed before it
// could tell their event. Where a server that forgot a transaction id made two events
// of one message, each reader reads one of them, and not the other.
func (y *story) findUnanswered() {
	made := map[string]matrix.EventID{}
	for _, e := range y.server.Timeline(matrix.RoomID(y.room)) {
		if e.Type != "m.room.encrypted" {
			continue
		}
		if !slices.ContainsFunc(y.sent, func(m oracle.Message) bool { return m.Event == e.ID }) {
			y.sent = append(y.sent, oracle.Message{Event: e.ID, Sender: e.Sender, Readers: y.readers()})
		}
		if first, again := made[string(e.Content)]; again {
			y.excuse(first, e.ID)
		}
		made[string(e.Content)] = e.ID
	}
}

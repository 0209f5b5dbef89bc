// Package oracle judges the life of devices by what others saw of it: the requests
// that reached the server, and the messages that were read. It knows no state of the
// devices, so it is right about any client.
//
//	for _, broken := range oracle.Judge(life) {
//		t.Error(broken)
//	}
package oracle

import (
	"slices"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// Device is one that somebody is logged in with.
type Device struct {
	User matrix.UserID
	ID   matrix.DeviceID
}

// Life is what was seen of some devices until all was quiet.
type Life struct {
	Ours      []Device      // the devices that are judged
	Exchanges []hs.Exchange // the server's log
	Sent      []Message     // what must have been read at the end
	Seen      []Sight       // what was read, by anybody, in any order
}

// Message is an event of a room, and the devices that must have read it at the end.
type Message struct {
	Event   matrix.EventID
	Sender  matrix.UserID
	Body    string // "": whoever asked for it was killed before the event had an id
	Readers []Device
}

// Sight is a message as a device read it.
type Sight struct {
	By        Device
	Event     matrix.EventID
	Sender    matrix.UserID
	Body      string
	Encrypted bool
}

// Judge returns what is broken in a life, a line each:
//
//   - no index of a room's session, and no message key of an Olm chain, is used for
//     two ciphertexts, and no index for two events;
//   - no one-time key is in an upload after one that may have arrived, and no id is
//     given to two keys;
//   - no one-time key opens two sessions (fallback keys may);
//   - no fallback key is in an upload after its device knows that it was used;
//   - nothing is sent in the clear;
//   - every message was read as it was sent, encrypted, by all that must, and by
//     nobody as anything else.
func Judge(l Life) []string {
	var broken []string
	for _, rule := range []func(Life) []string{indices, messageKeys, offers, openings, fallbacks, clear, readings} {
		broken = append(broken, rule(l)...)
	}
	return broken
}

// ours are the requests of the judged devices to an endpoint.
func (l Life) ours(endpoint string) []hs.Exchange {
	return l.asked(endpoint, func(d Device) bool { return slices.Contains(l.Ours, d) })
}

func (l Life) asked(endpoint string, by func(Device) bool) []hs.Exchange {
	var some []hs.Exchange
	for _, e := range l.Exchanges {
		if e.Endpoint == endpoint && by(Device{e.User, e.Device}) {
			some = append(some, e)
		}
	}
	return some
}

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// largeClient has a thousand rooms, and one of everything else, with names that would
// write on a screen.
func largeClient() pawl.Inspection {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	in := pawl.Inspection{Records: map[string]int{"group-in": 7, "key-request": 2, "refused": 3, "unread": 1}}
	for i := range 1000 {
		in.Rooms = append(in.Rooms, pawl.RoomInspection{Room: matrix.RoomID(fmt.Sprintf("!%d\x1b[2J:example.org", i)), Encrypted: i%2 == 0})
	}
	in.Rooms[0].Session, in.Rooms[0].Messages, in.Rooms[0].Given, in.Rooms[0].Withheld, in.Rooms[0].Waiting = group.SessionID{1}, 5, 3, 2, 1
	in.Rooms[0].Why = group.SomebodyLeft
	for _, gone := range []time.Time{{}, at} {
		in.Devices = append(in.Devices, pawl.DeviceInspection{
			Name: device.Name{User: "@bob:example.org", Device: "A\nB"}, Curve25519: [32]byte{2}, Gone: gone, Disputed: !gone.IsZero(),
		})
	}
	in.Requests = []pawl.RequestInspection{{ID: pawl.RequestID{1}, Kind: "keys/query", Made: at, Handed: 2, Failures: 1}}
	in.Unreadable = []pawl.PeerEvidence{
		{Curve25519: [32]byte{3}, User: "@bob:example.org", First: at, Last: at, Why: "no session", Tries: 2, Tried: at},
		{Curve25519: [32]byte{4}, User: "@bob:example.org", Why: "a notice", Heard: at},
	}
	return in
}

// TestInspectOfAClient: a thousand rooms are one line unless they are asked for, and
// then nobody's name writes on the screen.
func TestInspectOfAClient(t *testing.T) {
	text := func(show parts) []string {
		var b strings.Builder
		describeClient(&b, clientOf(largeClient(), show))
		return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	}
	numbers := []string{
		"  rooms          1000, 500 of them encrypted",
		"  room keys      7, 2 asked for",
		"  devices        1 of 1 users",
		"  requests       1 without an answer",
		"  unreadable     1 peers",
		"  events         3 refused, 1 wait for a repair",
	}
	if got := text(parts{}); strings.Join(got, "\n") != strings.Join(numbers, "\n") {
		t.Errorf("it shows\n%s", strings.Join(got, "\n"))
	}
	id := strings.Repeat("A", 43)
	for name, c := range map[string]struct {
		show parts
		more int
		want string
	}{
		"rooms":      {parts{rooms: true}, 1000, `  room !0\u001b[2J:example.org: session AQ` + id[:41] + ` next 5, 3 devices have it, 2 do not, 1 requests wait, given up: somebody left`},
		"devices":    {parts{devices: true}, 2, `  device @bob:example.org/A\u000aB: Ag` + id[:41]},
		"requests":   {parts{requests: true}, 1, "  request 01000000000000000000000000000000: keys/query, made 2026-11-01T00:00:00Z, handed out 2 times, 1 failures"},
		"unreadable": {parts{unreadable: true}, 2, "  peer Aw" + id[:41] + " of @bob:example.org: no session, last 2026-11-01T00:00:00Z, 2 new sessions, the last 2026-11-01T00:00:00Z"},
	} {
		got := text(c.show)
		if len(got) != len(numbers)+c.more || got[len(numbers)] != c.want {
			t.Errorf("%s: %d lines, the first\n%q, want\n%q", name, len(got), got[len(numbers)], c.want)
		}
	}
	if got := text(parts{rooms: true})[len(numbers)+1]; got != `  room !1\u001b[2J:example.org: not encrypted, nothing was sent` {
		t.Errorf("a room that nothing was sent in: %q", got)
	}
	if c := clientOf(largeClient(), parts{}); len(c.Rooms)+len(c.Devices)+len(c.Requests)+len(c.Unreadable) > 0 {
		t.Error("JSON has what nobody asked for")
	}
	var b strings.Builder
	if describeClient(&b, clientOf(pawl.Inspection{}, parts{})); b.Len() > 0 {
		t.Errorf("of an account that only has sessions it shows %q", b.String())
	}
}

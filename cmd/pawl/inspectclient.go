package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/cli"
)

// parts are what of an account is shown one by one: there may be thousands.
type parts struct{ rooms, devices, requests, unreadable bool }

func (p *parts) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.rooms, "rooms", false, "show each room, and the session that events are encrypted in")
	cmd.Flags().BoolVar(&p.devices, "devices", false, "show each device that is known")
	cmd.Flags().BoolVar(&p.requests, "requests", false, "show each request that has no answer")
	cmd.Flags().BoolVar(&p.unreadable, "unreadable", false, "show each peer of whom something could not be read, and what was done")
}

// clientJSON is what a client has beside Olm: numbers, and what was asked for.
type clientJSON struct {
	Counts     clientCounts     `json:"client"`
	Rooms      []roomJSON       `json:"rooms,omitempty"`
	Devices    []deviceJSON     `json:"devices,omitempty"`
	Requests   []requestJSON    `json:"requests,omitempty"`
	Unreadable []unreadableJSON `json:"unreadable_peers,omitempty"`
}

type clientCounts struct {
	Rooms       int `json:"rooms"`
	Encrypted   int `json:"encrypted_rooms"`
	RoomKeys    int `json:"room_keys"` // of others
	Users       int `json:"users"`
	Devices     int `json:"devices"` // that are there
	Requests    int `json:"requests"`
	KeyRequests int `json:"key_requests"`
	Unreadable  int `json:"unreadable_peers"` // that are not well again
	Refused     int `json:"refused_events"`
	Unread      int `json:"unread_events"`
}

type roomJSON struct {
	Room      string `json:"room"`
	Encrypted bool   `json:"encrypted"`
	Session   string `json:"session,omitempty"`
	Messages  uint32 `json:"messages"`
	GivenUp   string `json:"given_up,omitempty"` // why the session was
	Given     int    `json:"given"`
	Withheld  int    `json:"withheld"`
	Waiting   int    `json:"waiting"`
}

type deviceJSON struct {
	User       string `json:"user"`
	Device     string `json:"device"`
	Curve25519 string `json:"curve25519"`
	Gone       string `json:"gone,omitempty"`
	Disputed   bool   `json:"disputed,omitempty"`
}

type requestJSON struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Made     string `json:"made"`
	Handed   uint32 `json:"handed"`
	Failures uint32 `json:"failures"`
}

type unreadableJSON struct {
	Curve25519 string `json:"curve25519"`
	User       string `json:"user"`
	First      string `json:"first,omitempty"`
	Last       string `json:"last,omitempty"`
	Why        string `json:"why"`
	Tries      int    `json:"tries"`
	Tried      string `json:"tried,omitempty"`
	Heard      string `json:"heard,omitempty"`
}

func clientOf(in pawl.Inspection, show parts) clientJSON {
	n := clientCounts{
		Rooms: len(in.Rooms), RoomKeys: in.Records["group-in"], Requests: len(in.Requests),
		KeyRequests: in.Records["key-request"], Refused: in.Records["refused"], Unread: in.Records["unread"],
	}
	var out clientJSON
	for _, r := range in.Rooms {
		if r.Encrypted {
			n.Encrypted++
		}
		if show.rooms {
			out.Rooms = append(out.Rooms, roomOf(r))
		}
	}
	users := map[string]bool{}
	for _, d := range in.Devices {
		users[string(d.User)] = true
		if d.Gone.IsZero() {
			n.Devices++
		}
		if show.devices {
			out.Devices = append(out.Devices, deviceJSON{string(d.User), string(d.Device), d.Curve25519.String(), when(d.Gone), d.Disputed})
		}
	}
	n.Users = len(users)
	for _, r := range in.Requests {
		if show.requests {
			out.Requests = append(out.Requests, requestJSON{r.ID.String(), r.Kind, when(r.Made), r.Handed, r.Failures})
		}
	}
	for _, p := range in.Unreadable {
		if p.Heard.IsZero() {
			n.Unreadable++
		}
		if show.unreadable {
			out.Unreadable = append(out.Unreadable, unreadableJSON{
				p.Curve25519.String(), string(p.User), when(p.First), when(p.Last), p.Why, p.Tries, when(p.Tried), when(p.Heard),
			})
		}
	}
	out.Counts = n
	return out
}

func roomOf(r pawl.RoomInspection) roomJSON {
	out := roomJSON{Room: string(r.Room), Encrypted: r.Encrypted, Messages: r.Messages, Given: r.Given, Withheld: r.Withheld, Waiting: r.Waiting}
	if r.Session != (group.SessionID{}) {
		out.Session = r.Session.String()
	}
	if r.Why != group.Kept {
		out.GivenUp = r.Why.String()
	}
	return out
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// describeClient prints numbers, those that are none left out, and what was asked for.
func describeClient(b *strings.Builder, c clientJSON) {
	n := c.Counts
	count := func(name string, shown bool, format string, args ...any) {
		if shown {
			row(b, name, fmt.Sprintf(format, args...))
		}
	}
	count("rooms", n.Rooms > 0, "%d, %d of them encrypted", n.Rooms, n.Encrypted)
	count("room keys", n.RoomKeys > 0, "%d, %d asked for", n.RoomKeys, n.KeyRequests)
	count("devices", n.Users > 0, "%d of %d users", n.Devices, n.Users)
	count("requests", n.Requests > 0, "%d without an answer", n.Requests)
	count("unreadable", n.Unreadable > 0, "%d peers", n.Unreadable)
	count("events", n.Refused+n.Unread > 0, "%d refused, %d wait for a repair", n.Refused, n.Unread)
	for _, r := range c.Rooms {
		detail(b, "room %s: %s", r.Room, describeRoom(r))
	}
	for _, d := range c.Devices {
		detail(b, "device %s/%s: %s%s%s", d.User, d.Device, d.Curve25519, since(", gone since ", d.Gone), map[bool]string{true: ", disputed"}[d.Disputed])
	}
	for _, r := range c.Requests {
		detail(b, "request %s: %s, made %s, handed out %d times, %d failures", r.ID, r.Kind, r.Made, r.Handed, r.Failures)
	}
	for _, p := range c.Unreadable {
		detail(b, "peer %s of %s: %s%s%s%s", p.Curve25519, p.User, p.Why, since(", last ", p.Last),
			since(fmt.Sprintf(", %d new sessions, the last ", p.Tries), p.Tried), since(", well since ", p.Heard))
	}
}

func describeRoom(r roomJSON) string {
	if r.Session == "" {
		return map[bool]string{true: "encrypted", false: "not encrypted"}[r.Encrypted] + ", nothing was sent"
	}
	return fmt.Sprintf("session %s next %d, %d devices have it, %d do not, %d requests wait%s",
		r.Session, r.Messages, r.Given, r.Withheld, r.Waiting, since(", given up: ", r.GivenUp))
}

// since is a part of a line that may be missing.
func since(words, what string) string {
	if what == "" {
		return ""
	}
	return words + what
}

func detail(b *strings.Builder, format string, args ...any) {
	fmt.Fprintf(b, "  %s\n", cli.Shown(fmt.Sprintf(format, args...)))
}

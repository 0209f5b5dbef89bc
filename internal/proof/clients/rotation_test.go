package clients

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/matrix"
)

// sessions sends before and after something, from one process and another, and
// returns the sessions of both.
func (y *story) sessions(change func()) (before, after string) {
	y.t.Helper()
	first := y.says(y.mine.next(), "before")
	y.judge() // all have it
	change()
	y.settle()
	last := y.says(y.mine.next(), "after")
	y.judge()
	return y.session(first), y.session(last)
}

func (y *story) cycles(change func()) {
	y.t.Helper()
	if before, after := y.sessions(change); before == after {
		y.t.Error("the session is the same")
	}
}

func (y *story) keeps(change func()) {
	y.t.Helper()
	if before, after := y.sessions(change); before != after {
		y.t.Error("the session is another one")
	}
}

// leaves takes a peer's device out of the story, and makes sure that it is sent
// nothing any more.
func (y *story) leaves(d *device) {
	for i, p := range y.peers {
		if p == d {
			y.peers = append(y.peers[:i:i], y.peers[i+1:]...)
		}
	}
	past := len(y.server.Exchanges("sendToDevice"))
	y.t.Cleanup(func() {
		for _, e := range y.server.Exchanges("sendToDevice")[past:] {
			if e.User == y.mine.User && strings.Contains(e.Path, "/m.room.encrypted/") && names(e, d.User, d.ID) {
				y.t.Errorf("%s was sent a key after it had gone: %s", d.name, e.Path)
			}
		}
	})
}

func names(e hs.Exchange, user matrix.UserID, id matrix.DeviceID) bool {
	var q struct {
		Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
	}
	_ = json.Unmarshal(e.Request, &q) // the oracle judges what is not JSON
	return q.Messages[user][id] != nil
}

func cycledByLogout(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.meet(bob)
	tablet := y.peer(bob, "TABLET")
	y.settle()
	y.cycles(func() {
		y.says(tablet, "I am logged out")
		y.judge()
		tablet.do(bot.Command{Name: "stop"})
		y.leaves(tablet)
		y.server.Logout(bob, tablet.ID)
	})
}

func cycledByLeaving(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.meet(bob, carol)
	y.cycles(func() {
		y.leaves(y.peers[1])
		y.admin.ask("POST", y.at("kick"), object{"user_id": carol})
	})
}

// The invited member has a device, and is not in the room.
func cycledByUninviting(t *testing.T, c cast) {
	y := tell(t, c, nil, carol)
	carols := y.peer(carol, "LAPTOP")
	y.peers = nil
	y.meet(bob)
	y.cycles(func() {
		if !y.wasSent(carols) {
			t.Error("an invited member is not given the key")
		}
		y.leaves(carols)
		y.admin.ask("POST", y.at("kick"), object{"user_id": carol})
	})
}

// wasSent tells whether the device under test sent something to another.
func (y *story) wasSent(d *device) bool {
	for _, e := range y.server.Exchanges("sendToDevice") {
		if e.User == y.mine.User && names(e, d.User, d.ID) {
			return true
		}
	}
	return false
}

// at is a path of the room's.
func (y *story) at(what string) string { return "rooms/" + url.PathEscape(y.room) + "/" + what }

func cycledByCount(t *testing.T, c cast) {
	y := tell(t, c, object{"rotation_period_msgs": 3})
	y.meet(bob)
	used := map[string]int{}
	for range 7 {
		used[y.session(y.says(y.mine.next(), "one of seven"))]++
	}
	y.judge()
	if len(used) != 3 {
		t.Errorf("seven messages are in %d sessions, want 3: %v", len(used), used)
	}
	for session, n := range used {
		if n > 3 {
			t.Errorf("%d messages are in session %s", n, session)
		}
	}
}

func cycledByAge(t *testing.T, c cast) {
	y := tell(t, c, object{"rotation_period_ms": (2 * time.Hour).Milliseconds()})
	y.meet(bob)
	y.keeps(func() { y.mine.later(time.Hour) })
	y.cycles(func() { y.mine.later(3 * time.Hour) })
}

func cycledByVisibility(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.meet(bob)
	set := func(visibility string) func() {
		return func() {
			y.admin.ask("PUT", y.at("state/m.room.history_visibility"), object{"history_visibility": visibility})
		}
	}
	y.keeps(set("world_readable")) // as shared as before
	y.cycles(set("joined"))
	y.keeps(set("invited"))
	y.cycles(set("shared"))
}

func keptByRestart(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.meet(bob)
	y.keeps(y.mine.restart)
}

// A new device is given the session as it is now: it reads what comes, and not what
// was.
func keptByNewDevice(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.meet(bob)
	var tablet *device
	y.keeps(func() { tablet = y.peer(bob, "TABLET") })
	if a, err := y.reads(tablet, y.sent[0].Event, 0); err == nil {
		t.Errorf("the new device reads %q, which was sent before", a.Body)
	}
}

func keptByNames(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.meet(bob)
	bobs := as(t, y.server, bob)
	y.keeps(func() {
		bobs.ask("PUT", y.at("state/m.room.member/"+url.PathEscape(string(bob))), object{"membership": "join", "displayname": "Bob"})
		bobs.ask("PUT", "devices/LAPTOP", object{"display_name": "Bob's new laptop"})
	})
}

package clients

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/matrix"
)

// What random rounds meet by chance is played here at chosen commits: processes that
// have read the same and then write, and one that is gone after each of its commits.

// gather lets all processes come to a commit of a kind before any of them makes it.
// The ways there are by chance: one may have done what the others would, and then they
// try again.
func (m *subject) gather(kind string, do func()) {
	m.t.Helper()
	for range 10 {
		if err := os.RemoveAll(m.store + ".meeting"); err != nil {
			m.t.Fatal(err)
		}
		before := m.met()
		m.each(func(d *device) error {
			_, err := d.try(bot.Command{Name: "meet", Kind: kind, Count: len(m.processes)})
			return err
		})
		do()
		if m.met() == before+len(m.processes) {
			return
		}
	}
	m.t.Fatalf("the processes never came to a commit of %s together", kind)
}

// met counts how often processes met.
func (m *subject) met() (n int) {
	for _, d := range m.processes {
		for _, e := range d.Events() {
			if e.Name == "met" {
				n++
			}
		}
	}
	return n
}

// allSend lets all processes send at once.
func (y *story) allSend(body string) {
	y.t.Helper()
	y.mine.each(func(d *device) error {
		_, err := y.say(d, fmt.Sprintf("%s, says %s", body, d.name))
		return err
	})
}

// Three processes take an index of one session, a message key of one chain, and keys
// for one upload, and each has read what the others have when it commits.
func atOneStep(t *testing.T, c cast) {
	y := tell(t, c, object{"rotation_period_msgs": 20})
	y.meet(bob)
	y.talk("first")
	y.mine.gather("group-out", func() { y.allSend("in one session") })
	y.judge()
	y.mine.gather("session", func() {
		y.mine.later(8 * 24 * time.Hour) // the next message is in another session
		y.allSend("in another session")
	})
	y.judge()
	y.mine.gather("otk-pool", func() {
		y.stocked(25)
		y.claim(40)
		y.says(y.peers[0], "keys are missing") // which makes the server say so
		y.stocked(25)
	})
	y.claim(y.server.KeyCount(y.mine.User, y.mine.ID))
	y.peer(carol, "LAPTOP").join(y.room) // who gets the fallback key, or one of the new
	y.settle()
	y.talk("last")
}

// mostCommits bounds the commits of one step.
const mostCommits = 40

// dies lets a process do something, and end after each of its commits in turn, until
// it is done before that. Another is started in its place each time.
func (y *story) dies(i int, before func(*device), do func(*device) (done func() bool)) {
	y.t.Helper()
	for n := range mostCommits {
		d := y.mine.processes[i]
		before(d)
		d.do(bot.Command{Name: "die", Count: n})
		done := do(d)
		y.until("the end of a process", func() bool { return d.Ended() != nil || done() })
		if _, err := d.try(bot.Command{Name: "die", Count: -1}); err == nil {
			y.t.Logf("%d commits, at most", n)
			return
		}
		y.until("the end of a process", func() bool { return d.Ended() != nil })
		d.gone = true
		y.mine.killed++
		y.mine.revive(i)
	}
	y.t.Fatalf("more than %d commits", mostCommits)
}

// A process dies after each commit of a sync that brings keys, and nobody else syncs.
// What the token covers was taken in, or comes again.
func killedInSync(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	y.meet(bob)
	y.talk("first")
	stop := func(d *device) { d.do(bot.Command{Name: "stop"}) }
	for _, d := range y.mine.processes[1:] {
		stop(d)
	}
	said := 0
	y.dies(0, stop, func(d *device) func() bool {
		var last matrix.EventID
		for range 3 {
			last = y.says(y.peers[0], fmt.Sprint("message ", said))
			said++
		}
		_, _ = d.try(bot.Command{Name: "start"}) // it may end before it answers
		return func() bool { return told(d, last) }
	})
	for _, d := range y.mine.processes[1:] {
		d.begin()
	}
	y.talk("last")
}

// A process dies after each commit of sending: claiming a key, sharing the room's,
// encrypting, and noting what was sent.
func killedInSend(t *testing.T, c cast) {
	y := tell(t, c, everyMessage)
	y.meet(bob)
	y.dies(0, func(*device) {}, func(d *device) func() bool {
		sending := y.sending(d, "while it may end")
		return func() bool {
			select {
			case <-sending:
				return true
			default:
				return false
			}
		}
	})
	y.talk("last")
}

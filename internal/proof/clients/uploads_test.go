package clients

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// late is how long an answer takes. It is longer than a client's steps between two
// requests, so that another process meets an upload under way.
func late() time.Duration {
	if *all {
		return 4 * time.Second
	}
	return time.Second
}

// claim takes one-time keys of the device under test, as a stranger may.
func (y *story) claim(n int) {
	y.t.Helper()
	stranger := as(y.t, y.server, eve)
	for range n {
		wanted := map[matrix.UserID]map[matrix.DeviceID]string{y.mine.User: {y.mine.ID: "signed_curve25519"}}
		stranger.ask("POST", "keys/claim", object{"one_time_keys": wanted})
	}
}

// stocked waits until the server has keys again. The device may pause before it
// uploads, so its time flies meanwhile.
func (y *story) stocked(n int) {
	y.t.Helper()
	y.until(fmt.Sprint(n, " keys on the server"), func() bool {
		stocked := y.server.KeyCount(y.mine.User, y.mine.ID) >= n
		if !stocked && y.mine.shares() {
			y.mine.later(100 * time.Millisecond)
		}
		return stocked
	})
}

// All processes begin at once, and find the server without keys; later they all see
// that keys are missing. The answers are late, so that each acts before it has learnt
// what another one did.
func lateUploads(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.fail("keys/upload", 0, hs.Effect{Delay: late()})
	y.meet(bob)
	y.talk("first")
	y.stocked(25)
	y.claim(40)
	y.talk("keys are missing") // which makes the server say so
	y.stocked(25)
	y.talk("last")
}

// unheardUpload begins with a first upload that arrived, and whose sender is gone
// before it knows.
func unheardUpload(t *testing.T, c cast) *story {
	y := tell(t, c, nil)
	answered := make(chan struct{})
	y.fail("keys/upload", 1, hs.Effect{Hold: answered})
	first := y.mine.launch(0)
	go func() { _ = y.mine.login(first) }() // it is killed
	y.until("the first upload", func() bool { return len(y.server.Exchanges("keys/upload")) > 0 })
	y.mine.kill(0)
	close(answered)
	return y
}

// What was in an unheard upload still opens sessions, and is in no other.
func killedUpload(t *testing.T, c cast) {
	y := unheardUpload(t, c)
	if y.mine.shares() {
		y.mine.later(pawl.UploadLease) // until then the sender might be alive
	}
	y.meet(bob)
	y.opens(y.peers[0], "under one of the first keys")
	y.talk("the oldest keys are used first")
	y.stocked(25)
	y.claim(y.server.KeyCount(y.mine.User, y.mine.ID) - 1)
	carols := y.peer(carol, "LAPTOP")
	carols.join(y.room)
	y.settle()
	y.opens(carols, "under a newer one")
	y.talk("and newer ones later")
}

// opens lets a peer speak before it was spoken to, and looks that it took a key of the
// device for that.
func (y *story) opens(by *device, body string) {
	y.t.Helper()
	before := len(y.keysThatOpen())
	y.says(by, body)
	if after := len(y.keysThatOpen()); after != before+1 {
		y.t.Errorf("%s has claimed %d keys, want one", by.name, after-before)
	}
	y.judge()
}

// All one-time keys of an unheard upload are claimed, and a peer uses the fallback key:
// the next upload has another one.
func unheardFallback(t *testing.T, c cast) {
	y := unheardUpload(t, c)
	y.claim(y.server.KeyCount(y.mine.User, y.mine.ID))
	bobs := y.peer(bob, "LAPTOP")
	y.mine.open()
	for _, d := range []*device{bobs, y.mine.processes[0]} {
		d.join(y.room)
	}
	y.settle()
	y.seen(y.says(bobs, "under the fallback key"))
	y.mine.later(pawl.UploadLease)
	y.stocked(25)
	y.talk("last")
	y.mine.later(2 * 24 * time.Hour)
	uploads := func() int { return len(y.server.Exchanges("keys/upload")) }
	before := uploads()
	y.until("another fallback key", func() bool { return uploads() > before })
	y.claim(y.server.KeyCount(y.mine.User, y.mine.ID))
	y.peer(carol, "LAPTOP").join(y.room)
	y.settle()
	y.talk("under another")
}

// Requests fail, and are made again.
func failedRequests(t *testing.T, c cast) {
	y := tell(t, c, nil)
	endpoints := []string{"keys/upload", "keys/claim", "sendToDevice", "send"}
	for _, endpoint := range endpoints {
		y.fail(endpoint, 1, hs.Gateway)
	}
	y.fail("keys/upload", 1, hs.Limit(50*time.Millisecond))
	y.fail("keys/upload", 1, hs.Drop)
	y.mine.openPatiently()
	y.mine.processes[0].join(y.room)
	bobs := y.peer(bob, "LAPTOP")
	bobs.join(y.room)
	y.stocked(25)
	y.settle()
	y.untilRead(bobs)
	for _, endpoint := range endpoints {
		if n := y.refused(endpoint); n != 1 {
			t.Errorf("of the requests to %s %d were refused, want 1", endpoint, n)
		}
	}
	y.talk("all is well again")
}

// refused counts the requests to an endpoint that the server did not answer in time.
func (y *story) refused(endpoint string) (n int) {
	for _, e := range y.server.Exchanges(endpoint) {
		if e.Status == http.StatusGatewayTimeout {
			n++
		}
	}
	return n
}

// openPatiently is open for a client that gives up when its first requests fail, as
// users do.
func (m *subject) openPatiently() {
	m.t.Helper()
	for i := range m.processes {
		d := m.launch(i)
		for range 10 {
			if err := m.login(d); err == nil {
				break
			} else if m.shares() {
				m.t.Fatal(err)
			}
			m.kill(i)
			d = m.launch(i)
		}
		d.begin()
	}
}

// untilRead lets the device send until a peer reads it. What was said before is
// excused: the peer was not given its key.
func (y *story) untilRead(by *device) {
	y.t.Helper()
	y.until("a message that is read", func() bool {
		id, err := y.say(y.mine.next(), "can you read this?")
		if err != nil {
			return false
		}
		if _, err := y.reads(by, id, time.Second); err == nil {
			return true
		}
		y.excuse(id)
		if y.mine.shares() {
			y.mine.later(time.Minute) // the device waits before it tries again
		}
		return false
	})
}

// Nobody's devices can be learnt, four times. The message that is sent meanwhile
// holds nobody up, and those that follow are read.
func failedQueries(t *testing.T, c cast) {
	y := tell(t, c, nil)
	y.mine.open()
	y.mine.processes[0].join(y.room)
	y.settle()
	y.fail("keys/query", 4, hs.Gateway)
	bobs := y.peer(bob, "LAPTOP")
	bobs.join(y.room)
	y.settle()
	y.untilRead(bobs)
	failed := y.refused("keys/query")
	if failed == 0 || y.mine.shares() && failed < 4 {
		t.Errorf("%d queries failed, want 4", failed)
	}
	y.talk("all is well again")
}

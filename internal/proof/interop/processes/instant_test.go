//go:build unix

package processes_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// times is how often each instant is tried.
const times = 6

// TestKilledDuringCommit kills a process while its commit is made. The message
// is there again for the next one.
func TestKilledDuringCommit(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newFamily(t, processes.Setup{Engine: engine, Patience: unhurried}, other, processes.ErrGone)
		for i := range 2 * times {
			victim := c.Owner()
			if i%2 == 1 {
				victim = c.victimBut(victim)
			}
			letter := c.Letter(c.One(3))
			c.killAt(processes.Committing, victim, func() {
				if c.One(2) {
					c.Pause(2 * time.Millisecond)
				}
			}, func() { _, _ = victim.Receive(t.Context(), letter) })
			c.Start(victim.Name)
			c.Redeliver(letter)
		}
		c.EndUnrefused()
	})
}

// killAt kills a process when a call of it is at a moment, after a pause.
func (c *crew) killAt(at processes.Moment, victim *member, pause, call func()) {
	c.Helper()
	if err := victim.Process.Watch(at); err != nil {
		c.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	if _, err := processes.Await(at, victim.Process); err != nil {
		c.Fatal(err)
	}
	pause()
	c.Kill(victim)
	<-done
}

func atOnce() {}

// TestKilledAfterCommit kills a process when a message, or a batch of them, is
// committed and the caller has not heard of it. When they come again, to another
// process, all are there, and are known to have been.
func TestKilledAfterCommit(t *testing.T) {
	const many = 20
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newFamily(t, processes.Setup{Engine: engine, Patience: unhurried}, other, processes.ErrGone)
		for i := range times {
			victim := c.Owner()
			if i%2 == 1 {
				victim = c.victimBut(victim)
			}
			victim.SyncAll(t.Context())
			var letters []*story.Letter
			for range 1 + (i%3)*many/2 {
				letters = append(letters, c.Letter(false))
			}
			c.killAt(processes.Committed, victim, atOnce, func() { victim.SyncAll(t.Context()) })
			heir := c.Any()
			for j, l := range letters {
				if d, err := heir.Receive(t.Context(), l); err != nil || !d.Duplicate || string(d.Plaintext) != string(l.Plaintext) {
					t.Fatalf("message %d of a batch of %d that was committed: duplicate %v, error %v", j, len(letters), d.Duplicate, err)
				}
			}
			c.Start(victim.Name)
			c.Redeliver()
		}
		c.EndUnrefused()
	})
}

// TestKilledAfterSending kills a process when it has committed a step of its
// ratchet and not released the message. Nobody uses that step again.
func TestKilledAfterSending(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newFamily(t, processes.Setup{Engine: engine, Patience: unhurried}, other, processes.ErrGone)
		for range times {
			victim := c.Any()
			before := c.sending()
			c.killAt(processes.Committed, victim, atOnce, func() { victim.Post(t.Context(), false) })
			if got := c.sending(); got != before+1 {
				t.Fatalf("the sending chain was at %d and is at %d after a message that nobody has", before, got)
			}
			c.Any().Post(t.Context(), false)
			c.Start(victim.Name)
			c.Redeliver()
		}
		c.EndUnrefused()
	})
}

// sending returns where the chain is that the device sends in.
func (c *crew) sending() uint32 {
	c.Helper()
	in, err := c.Any().Machine.Inspect(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	if len(in.Peers) != 1 || len(in.Peers[0].Sessions) != 1 || in.Peers[0].Sessions[0].Sending == nil {
		c.Fatalf("the device has %+v, want one session that it sends in", in.Peers)
	}
	return in.Peers[0].Sessions[0].Sending.Index
}

// TestKilledDuringOpening kills the first process while it opens a store that
// nobody has open.
func TestKilledDuringOpening(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newCrew(t, processes.Setup{Engine: engine, Patience: unhurried, Tell: true}, other, processes.ErrGone)
		for range times {
			p, err := processes.Begin("app")
			if err != nil {
				t.Fatal(err)
			}
			opened := make(chan error, 1)
			go func() { opened <- p.Open(c.Setup) }()
			if engine == processes.Badger {
				if _, err := processes.Await(processes.Opening, p); err != nil {
					t.Fatal(err)
				}
			}
			c.Pause(15 * time.Millisecond)
			if err := p.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := <-opened; err != nil && !errors.Is(err, processes.ErrGone) {
				t.Fatalf("opening: %v", err)
			}
			m := c.Start("nse")
			c.Redeliver(c.Letter(false))
			c.Close(m)
		}
		c.Start("app")
		c.EndUnrefused()
	})
}

package kvtest

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTurnClock: what a script says of turns counts as long as the oldest lasts,
// and what should come by its expiry may not come before.
func TestTurnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := turnClock{life: time.Second, held: make(map[string]time.Time)}
		after := func(d time.Duration) { <-time.After(d) }
		c.cause = time.Now()
		began := c.cause
		c.held["A"] = c.atOnce()
		after(700 * time.Millisecond)
		c.held["B"] = time.Now()
		if c.late() {
			t.Error("late while both last")
		}
		if _, err := c.byExpiry(); err == nil {
			t.Error("something came by expiry, and A was held for 0.7 s")
		}
		after(300 * time.Millisecond)
		if !c.late() {
			t.Error("not late, and A was held for 1 s")
		}
		if at, err := c.byExpiry(); err != nil || !at.Equal(began.Add(time.Second)) {
			t.Errorf("by expiry: %v, %v, want A's end", at, err)
		}
		if c.late() {
			t.Error("late, and B is held for 0.3 s")
		}
		after(300 * time.Millisecond)
		if c.atOnce(); !c.late() {
			t.Error("what came 1.3 s after its cause came at once")
		}
	})
}

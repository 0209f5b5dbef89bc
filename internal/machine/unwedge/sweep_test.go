package unwedge_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
)

// TestSweepKeepsThePause: a session was asked for by a clock that is ahead. A sweep at
// the right time, which takes what that clock said for wrong, does not let another be
// opened before its time; and what it keeps goes when the pause is over.
func TestSweepKeepsThePause(t *testing.T) {
	for name, off := range map[string]time.Duration{
		"right": 0, "an hour behind": -time.Hour, "a month ahead": 30 * 24 * time.Hour, "years ahead": 20 * 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
			*phone.clock = off
			w.meet(phone, laptop)
			w.later(2 * time.Hour)
			phone.take(laptop.broken(phone))
			phone.send()
			if got := phone.wedge(laptop).Tries; got != 1 {
				t.Fatalf("%d tries, want 1", got)
			}
			sweep := func(after time.Duration) {
				w.later(after)
				_, err := upkeep.Sweep(t.Context(), phone.account, records.Kinds(), w.now)
				must(t, err)
			}
			for range 3 {
				sweep(time.Minute)
			}
			before := len(phone.sessions(laptop))
			phone.take(laptop.broken(phone))
			phone.send()
			phone.send()
			if got := len(phone.sessions(laptop)); got != before {
				t.Errorf("minutes after the first there is another session: %+v", phone.wedge(laptop))
			}
			w.later(60 * 24 * time.Hour)
			for range 8 {
				sweep(24 * time.Hour)
			}
			if got := phone.wedge(laptop); off >= 0 && got.Begun.Order != 0 {
				t.Errorf("at the end there is %+v", got)
			}
			phone.check()
		})
	}
}

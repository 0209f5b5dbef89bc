package demo

import (
	"reflect"
	"testing"
)

// TestSchedule: one seed gives one order, which has something of everything.
func TestSchedule(t *testing.T) {
	rounds := schedule(16, DefaultRounds)
	if !reflect.DeepEqual(rounds, schedule(16, DefaultRounds)) {
		t.Error("one seed gives two orders")
	}
	if reflect.DeepEqual(rounds, schedule(17, DefaultRounds)) {
		t.Error("two seeds give one order")
	}
	first := rounds[0]
	if first.fate != lives || first.letters[first.victim] == nil || !first.letters[first.victim].toBob || first.letters[1-first.victim] != nil {
		t.Errorf("the first round is %+v, want a letter of Alice's and no more", first)
	}
	fates, atOnce := map[fate]int{}, 0
	for _, r := range rounds {
		fates[r.fate]++
		if r.letters[r.victim] == nil || r.fate == stop && r.letters[1-r.victim] == nil || r.after < 0 || r.after >= strike {
			t.Errorf("round %+v has nobody to strike, or no moment", r)
		}
		if r.letters[0] != nil && r.letters[1] != nil {
			atOnce++
		}
	}
	if fates[kill] < 15 || fates[restart] < 10 || canStop && fates[stop] != DefaultRounds/stopEvery || atOnce < 60 {
		t.Errorf("kills, restarts, stops: %v; both at once: %d", fates, atOnce)
	}
	if got := messages(rounds); got != DefaultRounds+atOnce {
		t.Errorf("%d messages, want %d", got, DefaultRounds+atOnce)
	}
}

func TestEvent(t *testing.T) {
	in, out := &letter{toBob: true}, &letter{}
	for want, r := range map[string]round{
		"Alice writes to the app": {letters: [2]*letter{in, nil}},
		"the NSE writes to Alice while Alice writes to the app; the NSE is killed":         {letters: [2]*letter{in, out}, victim: 1, fate: kill},
		"the app is restarted; the app writes to Alice":                                    {letters: [2]*letter{out, nil}, fate: restart},
		"Alice writes to the app while the NSE writes to Alice; the app is stopped for 1s": {letters: [2]*letter{in, out}, fate: stop},
	} {
		if got := event(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

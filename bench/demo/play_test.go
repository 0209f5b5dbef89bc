package demo

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/effort"
)

// playRounds plays rounds with one design.
func playRounds(t *testing.T, engine, name string, rounds []round) (Outcome, string) {
	t.Helper()
	var told bytes.Buffer
	c := config(t, engine, &told)
	c.Progress = func(Progress) {}
	starts := 0
	c.Process = func(ctx context.Context) *exec.Cmd {
		starts++
		return as("process")(ctx)
	}
	plans, err := chosen([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	s := story{w: &told}
	s.chapter(1, plans[0])
	o, err := play(t.Context(), stage{Config: c, plan: plans[0], dir: c.Dir + "/store"}, rounds, &s)
	if err != nil {
		t.Fatal(err)
	}
	s.summary(o)
	// The app to register, then both, and both at the end; after a loss, more.
	if want := 5 + o.Kills + o.Restarts; o.Lost == 0 && starts != want {
		t.Errorf("processes were started %d times, want %d", starts, want)
	}
	return o, told.String()
}

// inTurn is one letter a round: "app<" is from Alice to the app, "NSE>" from the
// NSE to Alice.
func inTurn(letters string) (rounds []round) {
	for i, l := range strings.Fields(letters) {
		r := round{number: i + 1}
		if strings.HasPrefix(l, "NSE") {
			r.victim = 1
		}
		r.letters[r.victim] = &letter{toBob: strings.HasSuffix(l, "<"), payload: fmt.Appendf(nil, "letter %d", i)}
		rounds = append(rounds, r)
	}
	return rounds
}

// TestWhatBreaks: events in this order break the designs that break, in just
// this way, and Pawl not at all.
func TestWhatBreaks(t *testing.T) {
	for _, c := range []struct {
		letters              string
		breaks               []string // designs
		lost, wedged, reused int
		says                 string
	}{
		// Both answer from the session as Alice's letters left it: each begins a
		// sending chain of its own, and the second is written over the first.
		{"app< NSE< app> NSE>", []string{"stale", "lease"}, 1, 1, 0, "round   4  the NSE writes to Alice: LOST"},
		// Both send from the same index of one chain.
		{"app< app> NSE> app>", []string{"stale", "lease"}, 1, 0, 1, "The NSE had moved it on in round 3"},
		// Alice answers what the app knows nothing of. Where the NSE had the lease
		// since, the app forgets and reads.
		{"app< NSE< NSE> NSE< app<", []string{"stale"}, 1, 0, 0, "The NSE had moved it on in round 2"},
		// One process alone is right with any cache.
		{"app< app> app> app< app> app<", nil, 0, 0, 0, ""},
	} {
		for _, name := range Designs() {
			t.Run(c.letters+" "+name, func(t *testing.T) {
				t.Parallel()
				rounds := inTurn(c.letters)
				o, told := playRounds(t, SQLite, name, rounds)
				if !slices.Contains(c.breaks, name) {
					if !o.clean() || !strings.Contains(told, fmt.Sprintf("Read: all of %d messages.", len(rounds))) {
						t.Errorf("%+v, want nothing lost\n%s", o, told)
					}
					return
				}
				if o.Decrypted != len(rounds)-c.lost || o.Lost != c.lost || o.Wedged != c.wedged || o.Reused != c.reused {
					t.Errorf("%+v, want %d lost, %d wedged, %d reused\n%s", o, c.lost, c.wedged, c.reused, told)
				}
				if !strings.Contains(told, c.says) {
					t.Errorf("the story does not say %q:\n%s", c.says, told)
				}
			})
		}
	}
}

// TestKilled: a process that is killed at any moment loses nothing, and nor
// does the other one.
func TestKilled(t *testing.T) {
	effort.Processes(t)
	for _, engine := range []string{Badger, SQLite} {
		for _, name := range []string{"none", "validated"} {
			t.Run(engine+" "+name, func(t *testing.T) {
				t.Parallel()
				rounds := schedule(5, 16)
				for i := 1; i < len(rounds); i++ {
					r := &rounds[i]
					r.fate, r.after = kill, time.Duration(i)*strike/time.Duration(len(rounds))
				}
				o, told := playRounds(t, engine, name, rounds)
				if o.Kills != len(rounds)-1 || !o.clean() {
					t.Errorf("%+v\n%s", o, told)
				}
			})
		}
	}
}

// TestStopped: a process that is stopped in the middle of a step, or is not
// quite in it, costs time and nothing else.
func TestStopped(t *testing.T) {
	effort.Processes(t)
	if !canStop {
		t.Logf("nothing stops a process on this system")
		return
	}
	for _, engine := range []string{Badger, SQLite} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			rounds := inTurn("app< NSE> app<")
			for i := 1; i < len(rounds); i++ {
				r := &rounds[i]
				r.fate, r.after = stop, time.Duration(i)*strike/6
				r.letters[1-r.victim] = &letter{toBob: i%2 == 0, payload: []byte("meanwhile")}
			}
			o, told := playRounds(t, engine, "none", rounds)
			if o.Stops != len(rounds)-1 || !o.clean() {
				t.Errorf("%+v\n%s", o, told)
			}
		})
	}
}

// TestNote: what is counted of a round.
func TestNote(t *testing.T) {
	g := game{bob: [2]*process{{name: "app"}, {name: "NSE"}}, history: history{}}
	r := inTurn("app<")[0]
	r.letters[1] = &letter{}
	r.fate = kill
	lost := g.note(r, [2]*delivery{
		{answer: answer{Micros: 900, Retries: 2}, disturbed: true},
		{answer: answer{Micros: 100, Retries: 3}, lost: "bad"},
	})
	if len(g.steps) != 1 || g.steps[0] != 100 {
		t.Errorf("steps %v, want those of the process that was left alone", g.steps)
	}
	if o := g.outcome; o.Kills != 1 || o.Restarts+o.Stops != 0 || o.Retries != 5 || o.Decrypted != 1 || o.Lost != 1 {
		t.Errorf("%+v", o)
	}
	if len(lost) != 1 || lost[0].Process != "NSE" || lost[0].ToBob || lost[0].Error != "bad" || lost[0].Round != 1 {
		t.Errorf("lost: %+v", lost)
	}
	if lost := g.note(r, [2]*delivery{}); len(lost) != 0 || g.outcome.Lost != 1 {
		t.Errorf("where there was no letter: %+v", lost)
	}
}

func TestArrived(t *testing.T) {
	l := letter{payload: []byte("dear Bob")}
	for text, lost := range map[string]string{"dear Bob": "", "dear": "it decrypts to something else"} {
		if d, err := arrived(answer{}, nil, []byte(text), l); err != nil || d.lost != lost {
			t.Errorf("%q: %+v, %v, want %q", text, d, err, lost)
		}
	}
	if d, err := arrived(answer{Error: "bad"}, nil, nil, l); err != nil || d.lost != "bad" {
		t.Errorf("%+v, %v, want what the process says", d, err)
	}
}

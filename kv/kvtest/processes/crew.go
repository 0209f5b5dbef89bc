//go:build linux || darwin

package processes

import (
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// CountRole is the role that a Crew starts its processes in: it opens the store
// in the directory and calls Count.
const CountRole = "count"

// Crew is processes that work in one store. Its methods fail the test.
type Crew struct {
	*testing.T
	Dir     string
	role    string
	place   Place
	Rand    *rand.Rand
	Members []*Child
}

// Place is where the i-th member runs: what starts it, and more in its environment.
type Place func(i int) (start func(*exec.Cmd) error, env []string)

// NewCrew starts processes that count in the store in a directory, which must
// have one of its own around it for the logs.
func NewCrew(t *testing.T, size int, dir string, rng *rand.Rand) *Crew {
	return NewCrewIn(t, CountRole, size, dir, rng)
}

// NewCrewIn is NewCrew with processes in another role that counts.
func NewCrewIn(t *testing.T, role string, size int, dir string, rng *rand.Rand) *Crew {
	return newCrewAt(t, func(int) (func(*exec.Cmd) error, []string) { return (*exec.Cmd).Start, nil }, role, size, dir, rng)
}

func newCrewAt(t *testing.T, place Place, role string, size int, dir string, rng *rand.Rand) *Crew {
	c := &Crew{T: t, Dir: dir, role: role, place: place, Rand: rng}
	for i := range size {
		c.Members = append(c.Members, c.start(i))
	}
	return c
}

func (c *Crew) start(i int) *Child {
	c.Helper()
	start, env := c.place(i)
	return StartBy(c.T, start, c.role, c.Dir, env...)
}

// KillAtRandom kills so many members at any instant of their work, and starts
// others.
func (c *Crew) KillAtRandom(kills int) {
	c.Helper()
	for range kills {
		for range 1 + c.Rand.IntN(10) {
			c.Wait("")
		}
		c.Pause(2 * time.Millisecond)
		c.Replace(c.Rand.IntN(len(c.Members)))
	}
}

// Wait returns a member that says something that begins with a text.
func (c *Crew) Wait(text string) int {
	c.Helper()
	for late := time.Now().Add(Patience); time.Now().Before(late); {
		for i, member := range c.Members {
			select {
			case line, alive := <-member.lines:
				if !alive {
					c.Fatalf("process %d has ended by itself", member.PID())
				}
				if strings.HasPrefix(line, text) {
					return i
				}
			case <-time.After(time.Millisecond):
			}
		}
	}
	c.Fatalf("no process has said %q for %v", text, Patience)
	return -1
}

// Pause lets the processes work for a random time: what follows may come at any
// instant of it.
func (c *Crew) Pause(most time.Duration) {
	<-time.After(time.Duration(c.Rand.Int64N(int64(most))))
}

// Replace kills a member and starts another.
func (c *Crew) Replace(i int) {
	c.Members[i].Kill()
	c.Members[i] = c.start(i)
}

// Check lets the members finish and holds what they say to have done against
// what is in the store.
func (c *Crew) Check(open func() (kv.Store, error)) {
	c.Helper()
	for _, member := range c.Members {
		member.Finish()
	}
	store, err := open()
	if err != nil {
		c.Fatal(err)
	}
	defer store.Close()
	events, stored := c.events(), c.content(store)
	c.checkCounts(stored)
	for _, e := range events {
		mark, there := stored[e.markKey()]
		switch {
		case e.Outcome == applied && mark != e.To:
			c.Errorf("process %s: commit %d of %q was acknowledged and is lost", e.Process, e.Number, e.To)
		case (e.Outcome == conflict || e.Outcome == refused) && there:
			c.Errorf("process %s: commit %d is called %s and was applied", e.Process, e.Number, e.Outcome)
		case e.Outcome == unknown:
			c.Errorf("process %s: commit %d was not resolved", e.Process, e.Number)
		}
	}
	c.checkHistory(events, stored)
}

// content returns all entries of a store.
func (c *Crew) content(store kv.Store) map[string]string {
	c.Helper()
	snapshot := store.Snapshot()
	defer snapshot.Close()
	all := make(map[string]string)
	for entry, err := range snapshot.Scan(c.Context(), "") {
		if err != nil {
			c.Fatal(err)
		}
		all[entry.Key] = string(entry.Value)
	}
	return all
}

// checkCounts compares the counters with the marks: a commit that was applied
// twice, or partly, makes a difference.
func (c *Crew) checkCounts(stored map[string]string) {
	c.Helper()
	counts, marks := 0, 0
	for key, value := range stored {
		if strings.HasPrefix(key, "mark/") {
			marks++
			continue
		}
		n, _, _ := strings.Cut(value, " ")
		count, err := strconv.Atoi(n)
		if err != nil {
			c.Errorf("%s: %q", key, value)
		}
		counts += count
	}
	if counts != marks || counts == 0 {
		c.Errorf("the counters are at %d, and %d commits have left their mark", counts, marks)
	}
	c.Logf("%d commits were applied", marks)
}

//go:build linux || darwin

package badgerkv_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var crashRounds = flag.Int("badgerkv.rounds", 40, "how many processes are killed in each test of it")

// crew is workers over one store.
type crew struct {
	*testing.T
	dir     string
	rng     *rand.Rand
	workers []*child
}

func newCrew(t *testing.T, size int) *crew {
	c := &crew{T: t, dir: newDir(t), rng: seeded(t)}
	for range size {
		c.workers = append(c.workers, start(t, "worker", c.dir))
	}
	return c
}

// wait returns a worker that says something.
func (c *crew) wait(text string) int {
	c.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); {
		for i, w := range c.workers {
			select {
			case line, alive := <-w.lines:
				if !alive {
					c.Fatalf("worker %d has ended by itself", i)
				}
				if strings.HasPrefix(line, text) {
					return i
				}
			case <-time.After(time.Millisecond):
			}
		}
	}
	c.Fatalf("no worker has said %q for %v", text, patience)
	return -1
}

// replace kills a worker and starts another.
func (c *crew) replace(i int) {
	c.workers[i].kill()
	c.workers[i] = start(c.T, "worker", c.dir)
}

// check lets the workers finish and holds what they say to have done against
// what is in the store.
func (c *crew) check() {
	c.Helper()
	for _, w := range c.workers {
		w.finish()
	}
	events := c.events()
	store := open(c.T, c.dir)
	stored := content(c.T, store)
	c.checkCounts(stored)
	for _, e := range events {
		mark, there := stored[e.opKey()]
		switch {
		case e.Outcome == outApplied && mark != e.To:
			c.Errorf("worker %s: commit %d of %q was acknowledged and is lost", e.Worker, e.Number, e.To)
		case (e.Outcome == outConflict || e.Outcome == outRefused) && there:
			c.Errorf("worker %s: commit %d is called %s and was applied", e.Worker, e.Number, e.Outcome)
		case e.Outcome == outUnknown:
			c.Errorf("worker %s: commit %d was not resolved", e.Worker, e.Number)
		}
	}
	c.checkHistory(events, stored)
}

// checkCounts compares each counter with the marks: a commit that was applied
// twice, or partly, makes a difference.
func (c *crew) checkCounts(stored map[string]string) {
	c.Helper()
	counts, marks := 0, 0
	for key, value := range stored {
		if strings.HasPrefix(key, "op/") {
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

// events reads the workers' logs. The last line of one that was killed may be
// cut off.
func (c *crew) events() []event {
	c.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(c.dir), "log-*"))
	if err != nil || len(names) < len(c.workers) {
		c.Fatalf("%d logs of %d workers: %v", len(names), len(c.workers), err)
	}
	var events []event
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			c.Fatal(err)
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				events = append(events, e)
			}
		}
	}
	return events
}

// checkHistory checks that the reads and commits of each counter can be put in
// an order that explains them, in which a commit that was killed comes at any
// time after its call, or never.
func (c *crew) checkHistory(events []event, stored map[string]string) {
	c.Helper()
	clients := make(map[string]int)
	open := make(map[string]int) // commits that were called, by opKey
	var ops []porcupine.Operation
	for _, e := range events {
		id, known := clients[e.Worker]
		if !known {
			id = len(clients)
			clients[e.Worker] = id
		}
		op := porcupine.Operation{ClientId: id, Input: e, Call: e.Call, Return: e.Return, Output: e.Outcome}
		switch i, called := open[e.opKey()]; {
		case e.To != "" && e.Outcome == "": // called
			op.Return, op.Output = math.MaxInt64, outUnknown
			open[e.opKey()] = len(ops)
			ops = append(ops, op)
		case e.To != "" && called:
			ops[i] = op
		default:
			ops = append(ops, op)
		}
	}
	for i := range counters {
		e := event{Key: counterKey(i), From: stored[counterKey(i)]}
		ops = append(ops, porcupine.Operation{ClientId: len(clients), Input: e, Call: math.MaxInt64 - 1, Return: math.MaxInt64, Output: ""})
	}
	switch result := porcupine.CheckOperationsTimeout(counterModel, ops, 2*time.Minute); result {
	case porcupine.Illegal:
		c.Error("the history is not linearizable")
	case porcupine.Unknown:
		c.Error("the history could not be checked in time")
	}
	c.Logf("%d reads and commits of %d workers are explained", len(ops), len(clients))
}

// counterModel is a register of strings, all different, that is changed by
// compare-and-set.
var counterModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := make(map[string][]porcupine.Operation)
		for _, op := range history {
			key := op.Input.(event).Key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		e, now := input.(event), state.(string)
		same := now == e.From
		switch output.(string) {
		case "": // a read
			return same, now
		case outApplied:
			return same, e.To
		case outConflict:
			return !same, now
		case outRefused:
			return true, now
		}
		if same {
			return true, e.To
		}
		return true, now
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %v", input, output) },
}

// TestKilledAtRandom kills processes, the owner more often than not, at any
// instant of their work.
func TestKilledAtRandom(t *testing.T) {
	c := newCrew(t, 4)
	owner := c.wait("owner")
	for range *crashRounds {
		for range c.rng.IntN(12) {
			c.wait("counted")
		}
		<-time.After(time.Duration(c.rng.IntN(3000)) * time.Microsecond) // at any instant
		if c.rng.IntN(4) == 0 {
			victim := c.rng.IntN(len(c.workers))
			c.replace(victim)
			if victim != owner {
				continue
			}
		} else {
			c.replace(owner)
		}
		owner = c.wait("owner")
	}
	c.check()
}

// TestKilledDuringTakeover kills each owner, and then whoever takes over at
// some instant of opening Badger, and the next one, too.
func TestKilledDuringTakeover(t *testing.T) {
	c := newCrew(t, 4)
	owner := c.wait("owner")
	for range *crashRounds / 2 {
		c.wait("counted")
		c.replace(owner)
		for range 1 + c.rng.IntN(2) {
			next := c.wait("locked")
			<-time.After(time.Duration(c.rng.IntN(20000)) * time.Microsecond) // at any instant
			c.replace(next)
		}
		owner = c.wait("owner")
	}
	c.check()
}

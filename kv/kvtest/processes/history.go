//go:build linux || darwin

package processes

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
)

// events reads the logs. The last line of a process that was killed may be cut
// off.
func (c *Crew) events() []event {
	c.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(c.Dir), "log-*"))
	if err != nil || len(names) < len(c.Members) {
		c.Fatalf("%d logs of %d processes: %v", len(names), len(c.Members), err)
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
// an order that explains them, in which a commit whose process was killed comes
// at any time after its call, or never.
func (c *Crew) checkHistory(events []event, stored map[string]string) {
	c.Helper()
	clients := make(map[string]int)
	open := make(map[string]int) // commits that were called, by markKey
	var ops []porcupine.Operation
	for _, e := range events {
		id, known := clients[e.Process]
		if !known {
			id = len(clients)
			clients[e.Process] = id
		}
		op := porcupine.Operation{ClientId: id, Input: e, Call: e.Call, Return: e.Return, Output: e.Outcome}
		switch i, called := open[e.markKey()]; {
		case e.To != "" && e.Outcome == "": // called
			op.Return, op.Output = math.MaxInt64, unknown
			open[e.markKey()] = len(ops)
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
	switch porcupine.CheckOperationsTimeout(counterModel, ops, 2*time.Minute) {
	case porcupine.Illegal:
		c.Error("the history is not linearizable")
	case porcupine.Unknown:
		c.Error("the history could not be checked in time")
	}
	c.Logf("%d reads and commits of %d processes are explained", len(ops), len(clients))
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
		e, value := input.(event), state.(string)
		same := value == e.From
		switch output.(string) {
		case "": // a read
			return same, value
		case applied:
			return same, e.To
		case conflict:
			return !same, value
		case refused:
			return true, value
		}
		if same {
			return true, e.To
		}
		return true, value
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %v", input, output) },
}

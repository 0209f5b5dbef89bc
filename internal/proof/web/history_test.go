package web

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pawlkv/pawl/internal/proof/web/calls"
)

// history is what tabs did, in the order in which the server heard of it: it hears of a
// call before it begins and after it has ended, so that its times enclose the call.
type history struct {
	mu    sync.Mutex
	clock int64
	calls []timed
	ended chan struct{} // has room for one
}

type timed struct {
	calls.Call
	from, to int64 // to is 0 if it has not ended
}

func (h *history) serve(s *Server) {
	h.ended = make(chan struct{}, 1)
	s.mux.HandleFunc("/begin", h.handler(func(c calls.Call) int {
		h.calls = append(h.calls, timed{Call: c, from: h.clock})
		return len(h.calls) - 1
	}))
	s.mux.HandleFunc("/end", h.handler(func(c calls.Call) int {
		h.calls[c.Number].Call, h.calls[c.Number].to = c, h.clock
		select {
		case h.ended <- struct{}{}:
		default:
		}
		return c.Number
	}))
}

func (h *history) handler(note func(calls.Call) int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var c calls.Call
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.clock++
		fmt.Fprint(w, note(c))
	}
}

// calledBy returns how many calls of a tab have ended.
func (h *history) calledBy(tab string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c.Tab == tab && c.to != 0 {
			n++
		}
	}
	return n
}

// check puts the calls in an order that explains them. One that has not ended comes at any
// time after it began, or never.
func (h *history) check(t *testing.T) porcupine.CheckResult {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	clients := make(map[string]int)
	var ops []porcupine.Operation
	for _, c := range h.calls {
		if _, known := clients[c.Tab]; !known {
			clients[c.Tab] = len(clients)
		}
		op := porcupine.Operation{ClientId: clients[c.Tab], Input: c.Call, Call: c.from, Return: c.to}
		switch {
		case c.to == 0 && c.To == "": // a read that nobody heard of
			continue
		case c.to == 0:
			op.Return = math.MaxInt64
		}
		ops = append(ops, op)
	}
	t.Logf("%d calls of %d tabs", len(ops), len(clients))
	return porcupine.CheckOperationsTimeout(registers, ops, 2*time.Minute)
}

// registers are strings, all different, that are replaced by compare-and-set.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := make(map[string][]porcupine.Operation)
		for _, op := range history {
			key := op.Input.(calls.Call).Key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		c, value := input.(calls.Call), state.(string)
		same := value == c.From
		switch c.Outcome {
		case calls.Read:
			return same, value
		case calls.Applied:
			return same, c.To
		case calls.Conflict:
			return !same, value
		}
		if same {
			return true, c.To
		}
		return true, value
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

// transactions is how many each tab makes.
const transactions = 60

// TestHistoryOfTabs: three tabs make random transactions on one store; one is closed in
// the middle of one, and another takes its place.
func TestHistoryOfTabs(t *testing.T) {
	t.Parallel()
	testHistory(t, Shared(t))
}

func testHistory(t *testing.T, browser Opener) {
	server := NewServer(t, Build(t, ".", "./actor", false))
	var h history
	h.serve(server)
	name := rand.Text()
	var runs []*Run
	open := func(id string) *Tab {
		address, run := server.Address("worker", id, "history", name, id, strconv.Itoa(transactions))
		runs = append(runs, run)
		return browser.Open(address)
	}
	defer open("one").Close()
	defer open("two").Close()
	dies := open("dies")
	for patience := time.After(5 * time.Minute); h.calledBy("dies") < transactions/2; {
		select {
		case <-h.ended:
		case <-patience:
			t.Fatal("the tab that is to be closed has not come far enough")
		}
	}
	dies.Close()
	defer open("three").Close()
	for _, run := range runs {
		if run.ID == "dies" {
			continue
		}
		if said := server.Wait(run, 5*time.Minute); run.Code != 0 {
			t.Errorf("%s: exit code %d: %s", run.ID, run.Code, said)
		}
	}
	if got := h.check(t); got != porcupine.Ok {
		t.Errorf("the history of the tabs: %s, want it to be linearizable", got)
	}
}

// TestStaleReadIsFound: a tab that reads from a cache that nothing checks.
func TestStaleReadIsFound(t *testing.T) {
	t.Parallel()
	browser := Shared(t)
	server := NewServer(t, Build(t, ".", "./actor", false))
	var h history
	h.serve(server)
	name := rand.Text()
	var runs []*Run
	for i, more := range [][]string{nil, nil, {"stale"}} {
		id := strconv.Itoa(i)
		address, run := server.Address("worker", id, append([]string{"history", name, id, strconv.Itoa(transactions / 4)}, more...)...)
		runs = append(runs, run)
		defer browser.Open(address).Close()
	}
	for _, run := range runs {
		if said := server.Wait(run, 5*time.Minute); run.Code != 0 {
			t.Errorf("%s: exit code %d: %s", run.ID, run.Code, said)
		}
	}
	if got := h.check(t); got != porcupine.Illegal {
		t.Errorf("the history with a stale tab: %s, want %s", got, porcupine.Illegal)
	}
}

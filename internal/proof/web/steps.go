package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/web/calls"
)

// Actor is the program of ./actor in a page or a worker: it does what the test says, step
// by step, and several steps at once if the test does not wait.
type Actor struct {
	t     testing.TB
	run   *Run
	steps chan calls.Step
	mu    sync.Mutex
	next  int
	waits map[int]chan string
	seen  map[string]bool // instances: a page may be loaded again, a service worker started again
	leave func()          // ends the poll that waits
	given int             // the last step that a poll was answered with
	asks  int             // polls that wait
	came  chan struct{}   // has room for one: an instance was seen first
}

// actors are those of one server.
type actors struct {
	mu   sync.Mutex
	byID map[string]*Actor
}

// serveActors lets the server tell actors what to do.
func (s *Server) serveActors() {
	s.actors.byID = make(map[string]*Actor)
	s.mux.HandleFunc("/step", func(w http.ResponseWriter, r *http.Request) {
		var poll calls.Poll
		if err := json.NewDecoder(r.Body).Decode(&poll); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		io.Copy(io.Discard, r.Body) // whether the client is gone is only seen after it
		a := s.actor(r)
		ctx := a.polled(r.Context(), poll.Instance)
		select {
		case step := <-a.steps:
			err := json.NewEncoder(w).Encode(step)
			a.answered(step.Number, err)
		case <-ctx.Done():
			a.answered(0, nil)
		}
	})
	s.mux.HandleFunc("/did", func(w http.ResponseWriter, r *http.Request) {
		var did calls.Did
		if err := json.NewDecoder(r.Body).Decode(&did); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a := s.actor(r)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.waits[did.Number] <- did.Said
		delete(a.waits, did.Number)
	})
}

// polled notes that an instance asks for a step: one that asked before, and is gone
// perhaps, gets none any more.
func (a *Actor) polled(ctx context.Context, instance string) context.Context {
	ctx, leave := context.WithCancel(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leave != nil {
		a.leave()
	}
	a.leave = leave
	a.asks++
	if !a.seen[instance] {
		a.seen[instance] = true
		select {
		case a.came <- struct{}{}:
		default:
		}
	}
	return ctx
}

// answered notes that a poll has ended, with a step unless it is 0.
func (a *Actor) answered(step int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asks--
	if step > 0 && err == nil {
		a.given = step
	}
}

// Instances waits until so many instances of the actor have come.
func (a *Actor) Instances(n int) {
	a.t.Helper()
	for late := time.After(patience); ; {
		a.mu.Lock()
		come := len(a.seen)
		a.mu.Unlock()
		if come >= n {
			return
		}
		select {
		case <-a.came:
		case <-late:
			a.t.Fatalf("%s: %d instances have come after %v, want %d", a.run.ID, come, patience, n)
		}
	}
}

func (s *Server) actor(r *http.Request) *Actor {
	s.actors.mu.Lock()
	defer s.actors.mu.Unlock()
	return s.actors.byID[r.URL.Query().Get("id")]
}

// NewActor returns where an actor is to be opened, and what it is told by.
func (s *Server) NewActor(where, id string) (address string, a *Actor) {
	address, run := s.Address(where, id, id)
	a = &Actor{t: s.t, run: run, steps: make(chan calls.Step, 16), waits: make(map[int]chan string),
		seen: make(map[string]bool), came: make(chan struct{}, 1)}
	s.actors.mu.Lock()
	s.actors.byID[id] = a
	s.actors.mu.Unlock()
	return address, a
}

// Begin tells the actor to do something. What it says of it comes later.
func (a *Actor) Begin(what string, args ...string) (said <-chan string) {
	a.mu.Lock()
	a.next++
	step := calls.Step{Number: a.next, What: what, Args: args}
	answer := make(chan string, 1)
	a.waits[step.Number] = answer
	a.mu.Unlock()
	a.steps <- step
	return answer
}

// Do tells the actor to do something, and returns what it says of it.
func (a *Actor) Do(what string, args ...string) string {
	a.t.Helper()
	return a.Said(a.Begin(what, args...), what)
}

// Said waits for what the actor says.
func (a *Actor) Said(answer <-chan string, what string) string {
	a.t.Helper()
	select {
	case said := <-answer:
		return said
	case <-a.run.Done:
		a.t.Fatalf("%s: %s: the program has ended", a.run.ID, what)
	case <-time.After(patience):
		a.mu.Lock()
		defer a.mu.Unlock()
		a.t.Fatalf("%s: %s: no answer for %v; of %d steps the last that it was given is %d, and it asks for more: %v", a.run.ID, what, patience, a.next, a.given, a.asks > 0)
	}
	return ""
}

// Expect tells the actor to do something, and fails if it says something else than want.
func (a *Actor) Expect(want, what string, args ...string) {
	a.t.Helper()
	if said := a.Do(what, args...); said != want {
		a.t.Fatalf("%s: %s %q: %q, want %q", a.run.ID, what, args, said, want)
	}
}

// patience is for machines that are very busy: a step that is not answered fails a test.
const patience = 3 * time.Minute

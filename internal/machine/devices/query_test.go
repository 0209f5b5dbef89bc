package devices_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// TestQueries: who is outdated is asked for once, by whichever process, in requests
// of at most 250 users and of what the engine takes.
func TestQueries(t *testing.T) {
	for name, limits := range map[string]kv.Limits{"embedded": kv.Embedded(), "floor": kv.Floor()} {
		w := newWorld(t, limits)
		p, other := w.first, w.open()
		var users []matrix.UserID
		for i := range 600 {
			users = append(users, matrix.UserID(fmt.Sprintf("@user%03d:example.org", i)))
		}
		for some := range slices.Chunk(users, p.account.Store.PerCommit(devices.TrackShare)) {
			p.do(func(tx *txn.Tx, _ account.Account) error { return devices.Track(tx, some...) })
		}
		s := w.server()
		var asked []matrix.UserID
		for _, r := range append(p.outgoing(), other.outgoing()...) {
			some := w.asks(r)
			if len(some) > device.MaxQuery || limits == kv.Embedded() && len(some) < 100 {
				t.Errorf("%s: a request asks for %d users", name, len(some))
			}
			asked = append(asked, some...)
			w.must(other.box.MarkSent(t.Context(), r.ID, s.answer(some...)))
		}
		slices.Sort(asked)
		if diff := cmp.Diff(users, asked); diff != "" {
			t.Errorf("%s: asked for\n%s", name, diff)
		}
		if again := p.outgoing(); len(again) > 0 {
			t.Errorf("%s: asks for %v once more", name, w.asks(again[0]))
		}
		slices.Sort(other.settled)
		if !slices.Equal(other.settled, users) {
			t.Errorf("%s: %d users were settled", name, len(other.settled))
		}
		p.allOutdated()
		if n := p.answers(s); n < 3 {
			t.Errorf("%s: %d requests after a lost token", name, n)
		}
		for _, u := range users {
			if p.state(u) != devices.Current {
				t.Fatalf("%s: %s is outdated", name, u)
			}
		}
		if found := p.broken(); len(found) > 0 {
			t.Errorf("%s: check finds %q", name, found)
		}
	}
}

// TestChangeDuringQuery: an answer does not cover what changed after its query began,
// and who has left is not asked for.
func TestChangeDuringQuery(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	p.track(bob, carol)
	s.person(bob).device("B1")
	r := p.outgoing()[0]
	response := s.answer(bob, carol)
	s.person(bob).device("B2")
	p.outdate(bob, dave) // dave is nobody's business
	p.leave(carol)
	w.must(p.box.MarkSent(t.Context(), r.ID, response))
	if got := []devices.State{p.state(bob), p.state(carol), p.state(dave)}; !slices.Equal(got, []devices.State{devices.Awaited, devices.Awaited, devices.Awaited}) {
		t.Errorf("states %v", got)
	}
	if err := p.box.MarkSent(t.Context(), r.ID, response); !errors.Is(err, outbox.ErrNoRequest) {
		t.Errorf("the answer once more: %v", err)
	}
	next := p.outgoing()
	if len(next) != 1 || !slices.Equal(w.asks(next[0]), []matrix.UserID{bob}) {
		t.Fatalf("then asks for %v", next)
	}
	w.must(p.box.MarkSent(t.Context(), next[0].ID, s.answer(bob)))
	if p.state(bob) != devices.Current || len(p.live(bob)) != 2 {
		t.Errorf("bob is %v with %v", p.state(bob), p.live(bob))
	}
	p.track(carol)
	if n := p.answers(s); n != 1 || p.state(carol) != devices.Current {
		t.Errorf("carol came back: %d requests, then %v", n, p.state(carol))
	}
}

// TestFailures: a query that fails holds nobody up, and is made again after a while
// that doubles; where the server did not look at it the same bytes go out again, and where
// there is no answer three times in all.
func TestFailures(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	p.track(bob, carol)
	s.down[carol] = true
	r := p.outgoing()[0]
	for _, reason := range []outbox.Reason{outbox.Unknown, outbox.NotSent} {
		w.must(p.box.MarkFailed(t.Context(), r.ID, outbox.Failure{Reason: reason}))
		same := p.outgoing()
		if len(same) != 1 || same[0].ID != r.ID || string(same[0].Body) != string(r.Body) || p.state(bob) != devices.Awaited {
			t.Fatalf("reason %d: then %v, bob %v", reason, same, p.state(bob))
		}
	}
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob, carol)))
	if p.state(bob) != devices.Current || p.state(carol) != devices.Outdated {
		t.Errorf("carol's server does not answer: bob %v, carol %v", p.state(bob), p.state(carol))
	}
	wait := time.Second
	for i := range 12 {
		w.later(wait - time.Millisecond)
		if early := p.outgoing(); len(early) > 0 {
			t.Fatalf("failure %d: asks again before %v", i, wait)
		}
		w.later(time.Millisecond)
		again := p.outgoing()
		if len(again) != 1 || !slices.Equal(w.asks(again[0]), []matrix.UserID{carol}) {
			t.Fatalf("failure %d: after %v asks %v", i, wait, again)
		}
		fail := []outbox.Failure{
			{Reason: outbox.Unknown}, {Reason: outbox.Refused, Status: 504}, {Reason: outbox.Later, Until: w.clock.now().Add(16 * time.Second)},
		}[i%3]
		for tries := 1; fail.Unanswered() && tries < outbox.MaxTries; tries++ {
			w.must(p.box.MarkFailed(t.Context(), again[0].ID, fail))
			w.later(4 * time.Second) // what a server that fails is left alone for
			if same := p.outgoing(); len(same) != 1 || same[0].ID != again[0].ID {
				t.Fatalf("failure %d, try %d: then %v", i, tries, same)
			}
		}
		w.must(p.box.MarkFailed(t.Context(), again[0].ID, fail))
		if p.state(carol) != devices.Outdated {
			t.Fatalf("failure %d: carol is %v", i, p.state(carol))
		}
		wait = min(2*wait, device.MaxBackoff)
		if i == 2 {
			w.later(16*time.Second - wait)
		}
	}
	p.outdate(carol)
	s.down[carol] = false
	if p.state(carol) != devices.Awaited {
		t.Errorf("after a change carol is %v", p.state(carol))
	}
	if n := p.answers(s); n != 1 || p.state(carol) != devices.Current {
		t.Errorf("after a change: %d requests, then %v", n, p.state(carol))
	}
}

// TestRefusedQueries: where a server refuses a query, the users are asked for in
// smaller ones, until whoever is the reason is alone.
func TestRefusedQueries(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	const bad = matrix.UserID("@bad:elsewhere.org")
	var users []matrix.UserID
	for i := range 200 {
		users = append(users, matrix.UserID(fmt.Sprintf("@user%03d:example.org", i)))
	}
	p.do(func(tx *txn.Tx, _ account.Account) error { return devices.Track(tx, append(users, bad)...) })
	asked := 0
	for range 20 {
		for _, r := range p.outgoing() {
			asked++
			some := w.asks(r)
			if slices.Contains(some, bad) {
				w.must(p.box.MarkFailed(t.Context(), r.ID, outbox.Failure{Reason: outbox.Refused, Status: 400}))
				continue
			}
			w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(some...)))
		}
		w.later(device.MaxBackoff)
	}
	for _, u := range users {
		if p.state(u) != devices.Current {
			t.Errorf("%s is %v", u, p.state(u))
		}
	}
	if p.state(bad) != devices.Outdated || asked > 60 {
		t.Errorf("after %d requests the reason is %v", asked, p.state(bad))
	}
}

// TestLostRequest: where a request is damaged, its users are asked for in another.
func TestLostRequest(t *testing.T) {
	for _, kind := range []string{"/request/", "/request-body/"} {
		w := newWorld(t, kv.Embedded())
		p, s := w.first, w.server()
		p.track(bob)
		first := p.outgoing()[0]
		w.damage(kind)
		w.later(outbox.LeaseLife + time.Minute)
		second := p.outgoing()
		if len(second) != 1 || second[0].ID == first.ID {
			t.Fatalf("%s: then %v", kind, second)
		}
		w.must(p.box.MarkSent(t.Context(), second[0].ID, s.answer(bob)))
		if p.state(bob) != devices.Current {
			t.Errorf("%s: bob is %v", kind, p.state(bob))
		}
	}
}

// TestAnswersAtOnce: two processes apply different answers to one request while others
// hear of changes: one of them ends the request, and what changed is asked for again.
func TestAnswersAtOnce(t *testing.T) {
	for range 10 {
		w := newWorld(t, kv.Floor())
		p, s := w.first, w.server()
		for i := range 60 {
			s.person(bob).device(nameOf(i))
		}
		r := p.ask(bob)
		first := s.answer(bob)
		for i := range 30 {
			delete(s.person(bob).devices, nameOf(i))
			s.person(bob).device(nameOf(100 + i))
		}
		second := s.answer(bob)
		var all sync.WaitGroup
		errs := make([]error, 3)
		processes := []*process{p, w.open(), w.open()}
		for i, do := range []func(p *process) error{
			func(p *process) error { return p.box.MarkSent(t.Context(), r.ID, first) },
			func(p *process) error { return p.box.MarkSent(t.Context(), r.ID, second) },
			func(p *process) error {
				return p.account.Do(t.Context(), func(tx *txn.Tx) error { return devices.MarkOutdated(tx, bob) })
			},
		} {
			all.Go(func() { errs[i] = do(processes[i]) })
		}
		all.Wait()
		lost := 0
		for _, err := range errs {
			if errors.Is(err, outbox.ErrNoRequest) {
				lost++
			} else if err != nil {
				t.Error(err)
			}
		}
		if lost > 1 {
			t.Errorf("nobody ended the request: %v", errs)
		}
		p.answers(s)
		if live := p.live(bob); p.state(bob) != devices.Current || len(live) != 60 {
			t.Errorf("bob is %v with %d devices", p.state(bob), len(live))
		}
		if found := p.broken(); len(found) > 0 {
			t.Errorf("check finds %q", found)
		}
	}
}

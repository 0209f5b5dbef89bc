package pawl_test

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

const (
	// sharePatience is what the stores of this file have, in time of their own.
	sharePatience = 5 * time.Second
	// callBound is docs/waits.md's for a call of Machine.
	callBound = 6 * sharePatience
)

// frozenAt is how the owner is frozen, or gone, when a guest asks it something.
var frozenAt = map[string]sharetest.Stall{
	"the request is not taken":   {Full: true, Down: sharetest.All},
	"the request lies there":     {},
	"the answer is not sent":     {Up: sharetest.All},
	"gone in the middle of both": {Up: sharetest.All, Down: 3, Gone: true},
}

// usualStop is the one that every run has: all of it happens, and nobody hears of
// it. kv/sharekv has each of its calls at each stop.
const usualStop = "the answer is not sent"

var allStops = flag.Bool("frozen.all", false, "freeze the owner at every step of an exchange, and not only before its answer")

// guestCalls is every call that talks to the store.
func (s *prepared) guestCalls() []call {
	return append(s.calls(), []call{
		{"Outstanding", func(ctx context.Context, d *device) ([]byte, error) {
			u, err := d.Outstanding(ctx)
			return u.Body, err
		}},
		{"Recover", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.Recover(ctx); return nil, err }},
		{"NeedsRecovery", func(ctx context.Context, d *device) ([]byte, error) {
			_, _, err := d.NeedsRecovery(ctx)
			return nil, err
		}},
		{"Store.Check", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.store.Check(ctx); return nil, err }},
		{"Repair", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.store.Repair(ctx); return nil, err }},
		{"Open", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := pawl.Open(ctx, d.kv, testKey)
			return nil, err
		}},
	}...)
}

// severalCommits are the calls that may have written something before they fail.
var severalCommits = []string{"Sweep", "ChangeKey", "Recover", "Repair", "Open"}

// TestFrozenOwner: whenever in a call of a guest's the owner is frozen, or is gone
// and nobody can take its place, the call ends, with a context that does not. What
// it was about to release is withheld. When the owner goes on, the store is right,
// and so is the same call.
func TestFrozenOwner(t *testing.T) {
	for stop, stall := range frozenAt {
		if stop != usualStop && !*allStops {
			continue
		}
		t.Run(stop, func(t *testing.T) {
			t.Parallel()
			for i, c := range prepare(t).guestCalls() {
				t.Run(c.name, func(t *testing.T) {
					n := 1
					for frozenDuring(t, stall, i, n) && !t.Failed() {
						n++
					}
					if n < 2 {
						t.Errorf("%s made no call of the store", c.name)
					}
				})
			}
		})
	}
}

// frozenDuring makes the i-th call on a guest whose owner is frozen before the
// call's n-th of the store, and reports whether there was one.
func frozenDuring(t *testing.T, stall sharetest.Stall, i, n int) (reached bool) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		stalls := new(sharetest.Stalls)
		open := func() *sharekv.Store {
			store, err := sharekv.Open(dir, sharetest.Journal{}, sharekv.WithTransport(stalls), sharekv.WithPatience(sharePatience))
			if err != nil {
				t.Fatal(err)
			}
			return store
		}
		owner, guest := open(), open()
		s := prepareIn(t, owner)
		calls, counting := 0, false
		handle := s.alice.on(faulty.Wrap(guest, faulty.Hooks{Before: func(context.Context, faulty.Call) error {
			if counting {
				if calls++; calls == n {
					stalls.Begin(stall)
				}
			}
			return nil
		}}))
		rest := func() { time.Sleep(time.Second); synctest.Wait() } // what is under way arrives
		rest()
		before := dump(t, owner)
		c := s.guestCalls()[i]
		counting = true
		began := time.Now()
		released, err := c.make(context.Background(), handle)
		counting = false
		reached = calls >= n
		if took := time.Since(began); took > callBound {
			t.Errorf("%s, frozen at call %d of the store: took %v, at most %v", c.name, n, took, callBound)
		}
		wantFrozen(t, c.name, n, released, err)
		unknown := errors.Is(err, kv.ErrUnknown)
		if err != nil && !unknown && !slices.Contains(severalCommits, c.name) && len(before) != len(dump(t, owner)) {
			t.Errorf("%s, frozen at call %d of the store: %v, and the store has changed", c.name, n, err)
		}

		stalls.End()
		rest()
		s.alice.intact()
		if err != nil {
			if _, err := c.make(t.Context(), handle); err != nil && !(unknown && errors.Is(err, pawl.ErrAccountExists)) {
				t.Errorf("%s made again gives %v", c.name, err)
			}
		}
		s.alice.receive(s.bob, s.bob.send(s.alice, "afterwards"))
		if c.name != "Recover" {
			s.bob.receive(s.alice, s.alice.send(s.bob, "by the owner"))
			s.bob.receive(s.alice, handle.send(s.bob, "by the guest"))
		}
		s.alice.intact()
		if err := errors.Join(guest.Close(), owner.Close()); err != nil {
			t.Error(err)
		}
	})
	return reached
}

// wantFrozen checks what a call returned whose owner was frozen. It may have
// succeeded: some things it can do without.
func wantFrozen(t *testing.T, call string, n int, released []byte, err error) {
	t.Helper()
	switch {
	case err == nil:
	case released != nil:
		t.Errorf("%s, frozen at call %d of the store: both %q and %v", call, n, released, err)
	case !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrUnknown):
		t.Errorf("%s, frozen at call %d of the store: %v", call, n, err)
	}
}

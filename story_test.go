package pawl_test

import (
	"context"
	"errors"
	"flag"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// engines that the stories run on. The stores are empty.
var engines = map[string]func(t *testing.T) kv.Store{
	"memkv": func(*testing.T) kv.Store { return newMemory() },
	"files": func(t *testing.T) kv.Store {
		open := openSQLite
		if badgerRuns {
			open = openBadger
		}
		store, err := open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return store
	},
}

var policies = map[string]txn.CachePolicy{"NoCache": txn.NoCache, "Validated": txn.Validated}

// eachStore runs a test on every engine with every cache policy; at the floor
// in memory only.
func eachStore(t *testing.T, test func(t *testing.T, s story.Setting)) {
	for engine, open := range engines {
		if *atFloor && engine != "memkv" {
			continue
		}
		for name, policy := range policies {
			t.Run(engine+"/"+name, func(t *testing.T) {
				test(t, story.Setting{Seed: 1, Store: open(t), Policy: policy})
			})
		}
	}
}

// teller is what a tale is told with. open returns the handle of a process.
type teller struct {
	*testing.T
	*story.World
	ctx  context.Context
	open func(process string) *story.Handle
	// together makes calls of several processes at once; of one process, whose
	// cache has no lock, in a row.
	together func(calls ...func())
}

// tale is a story. It returns the handles that are alive at its end.
type tale struct {
	name string
	tell func(t teller) []*story.Handle
	// wedges are oracles that a stale cache fails; none where the story does
	// not need two processes to know the same thing.
	wedges []story.Oracle
}

var tales = []tale{
	{"receive, send, receive", receiveSendReceive, []story.Oracle{story.FalseFailure}},
	{"the extension lives while the app talks", extensionLives, []story.Oracle{story.FalseFailure}},
	{"both sides send", bothSend, []story.Oracle{story.KeyReuse, story.Unreadable}},
	{"two processes send at once", sendAtOnce, []story.Oracle{story.KeyReuse, story.Unreadable}},
	{"a pre-key message twice", preKeyTwice, nil},
	{"a pre-key message at two processes at once", preKeyRace, nil},
	{"two pre-key messages of one session at once", twoPreKeys, nil},
	{"a malformed pre-key message consumes nothing", malformedPreKey, nil},
	{"two sessions with the fallback key", fallbackTwice, nil},
	{"two processes upload at once", uploadAtOnce, []story.Oracle{story.Uploads}},
	{"acknowledging while the message comes again", acknowledgeRace, nil},
	{"a process outlives its successor's start", outlive, []story.Oracle{story.FalseFailure}},
}

func TestStories(t *testing.T) {
	for _, one := range tales {
		t.Run(one.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s story.Setting) {
				if broken := tell(t, one, s, false); len(broken) > 0 {
					t.Errorf("broken:\n%s", broken)
				}
			})
		})
	}
}

// TestStoriesOnStaleCache shows that the oracles see the wedge: with a cache in
// each process that nothing invalidates, as first shipped in several SDKs.
func TestStoriesOnStaleCache(t *testing.T) {
	for _, one := range tales {
		if one.wedges == nil {
			continue
		}
		t.Run(one.name, func(t *testing.T) {
			broken := tell(t, one, story.Setting{Seed: 1, Store: newMemory(), Design: story.Stale}, false)
			for _, want := range one.wedges {
				if !broken.Has(want) {
					t.Errorf("oracle %s holds with a stale cache; broken are:\n%s", want, broken)
				}
			}
		})
	}
}

// TestStaleCacheIsRightAlone shows that the oracles blame nothing else: one
// process with such a cache passes.
func TestStaleCacheIsRightAlone(t *testing.T) {
	for _, one := range tales {
		t.Run(one.name, func(t *testing.T) {
			s := story.Setting{Seed: 1, Store: newMemory(), Design: story.Stale}
			if broken := tell(t, one, s, true); len(broken) > 0 {
				t.Errorf("broken:\n%s", broken)
			}
		})
	}
}

// tell tells a tale to its end and returns what was broken. With alone, all
// handles are of one process.
func tell(t *testing.T, one tale, s story.Setting, alone bool) story.Violations {
	t.Helper()
	ctx := t.Context()
	w, err := story.NewWorld(ctx, s, 3)
	if err != nil {
		t.Fatal(err)
	}
	var only *story.Handle
	open := func(process string) *story.Handle {
		if alone && only != nil {
			return only
		}
		h, err := w.Open(ctx, process)
		if err != nil {
			t.Fatal(err)
		}
		only = h
		return h
	}
	if alone {
		return w.Quiesce(ctx, one.tell(teller{t, w, ctx, open, inARow})...)
	}
	return w.Finish(ctx, one.tell(teller{t, w, ctx, open, story.Together})...)
}

func inARow(calls ...func()) {
	for _, call := range calls {
		call()
	}
}

// receiveSendReceive is the shortest way to the wedge: Bob is received, Alice
// sends, Bob is received.
func receiveSendReceive(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	app.Receive(t.ctx, t.Send(false))
	nse.Receive(t.ctx, t.Send(false))
	app.Post(t.ctx, false)
	t.ReadAll()
	nse.Receive(t.ctx, t.Send(false))
	app.Receive(t.ctx, t.Send(false))
	return []*story.Handle{app, nse}
}

// extensionLives: the app moves the ratchet on, past all chains that the
// extension ever saw.
func extensionLives(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	nse.Receive(t.ctx, t.Send(false))
	for range 7 {
		app.Post(t.ctx, false)
		t.ReadAll()
		app.Receive(t.ctx, t.Send(false))
	}
	nse.Receive(t.ctx, t.Send(false))
	nse.Post(t.ctx, false)
	return []*story.Handle{app, nse}
}

func bothSend(t teller) []*story.Handle {
	app, share := t.open("app"), t.open("share")
	first := t.Send(false)
	app.Receive(t.ctx, first)
	share.Receive(t.ctx, first)
	for range 3 {
		crossing := t.Send(false)
		app.Post(t.ctx, false)
		share.Post(t.ctx, false)
		share.Receive(t.ctx, crossing)
		t.ReadAll()
	}
	return []*story.Handle{app, share}
}

func sendAtOnce(t teller) []*story.Handle {
	app, share := t.open("app"), t.open("share")
	app.Receive(t.ctx, t.Send(false))
	app.Post(t.ctx, false) // begins the chain that both go on with
	share.Receive(t.ctx, t.Send(false))
	var calls []func()
	for i := range 8 {
		h := []*story.Handle{app, share}[i%2]
		calls = append(calls, func() { h.Post(t.ctx, false) })
	}
	t.together(calls...)
	return []*story.Handle{app, share}
}

func preKeyTwice(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	first := t.Send(false)
	for i, h := range []*story.Handle{app, nse, app} {
		d, err := h.Receive(t.ctx, first)
		if err != nil || d.Duplicate != (i > 0) {
			t.Errorf("answer %d: duplicate %t, error %v", i, d.Duplicate, err)
		}
	}
	t.wantSessions(app, 1)
	return []*story.Handle{app, nse}
}

func preKeyRace(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	first := t.Send(false)
	receive := func(h *story.Handle) func() { return func() { h.Receive(t.ctx, first) } }
	t.together(receive(app), receive(nse), receive(app), receive(nse))
	t.wantSessions(app, 1)
	return []*story.Handle{app, nse}
}

func twoPreKeys(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	var calls []func()
	for i := range 6 {
		m, h := t.Send(false), []*story.Handle{app, nse}[i%2]
		calls = append(calls, func() { h.Receive(t.ctx, m) })
	}
	t.together(calls...)
	t.wantSessions(nse, 1)
	return []*story.Handle{app, nse}
}

func malformedPreKey(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	first := t.Send(false)
	for _, h := range []*story.Handle{app, nse} {
		_, err := h.Machine.Decrypt(t.ctx, t.Bob.Identity(), edit(first.Message, -1, flip))
		if !errors.Is(err, ratchet.ErrMAC) {
			t.Errorf("with another MAC: %v, want %v", err, ratchet.ErrMAC)
		}
	}
	in, err := nse.Machine.Inspect(t.ctx)
	if err != nil || len(in.Peers) != 0 || in.Keys.Used != 0 {
		t.Errorf("after it there are %d peers and %d used keys, error %v", len(in.Peers), in.Keys.Used, err)
	}
	nse.Receive(t.ctx, first)
	return []*story.Handle{app, nse}
}

func fallbackTwice(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	for range 5 { // three one-time keys, then the fallback key
		m := t.Send(true)
		app.Receive(t.ctx, m)
		nse.Receive(t.ctx, m)
	}
	t.wantSessions(app, 5)
	return []*story.Handle{app, nse}
}

func uploadAtOnce(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	// Both know the pool, as processes that have run for a while.
	app.Publish(t.ctx, 1)
	nse.Publish(t.ctx, 1)
	publish := func(h *story.Handle) func() { return func() { h.Publish(t.ctx, 10) } }
	t.together(publish(app), publish(nse), publish(app), publish(nse))
	for range 3 {
		app.Settle(t.ctx, true)
		nse.Settle(t.ctx, false)
	}
	app.Publish(t.ctx, 10)
	return []*story.Handle{app, nse}
}

func acknowledgeRace(t teller) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	first := t.Send(false)
	app.Receive(t.ctx, first)
	t.together(
		func() { app.Acknowledge(t.ctx) },
		func() { nse.Receive(t.ctx, first) },
		func() { nse.Receive(t.ctx, first) },
	)
	return []*story.Handle{app, nse}
}

func outlive(t teller) []*story.Handle {
	old := t.open("app")
	old.Receive(t.ctx, t.Send(false))
	next := t.open("app again")
	next.Post(t.ctx, false)
	t.ReadAll()
	old.Receive(t.ctx, t.Send(false))
	old.Post(t.ctx, false)
	next.Receive(t.ctx, t.Send(false))
	return []*story.Handle{old, next}
}

// wantSessions fails the test if the device has not so many sessions.
func (t teller) wantSessions(h *story.Handle, n int) {
	t.Helper()
	in, err := h.Machine.Inspect(t.ctx)
	if err != nil || len(in.Peers) != 1 || len(in.Peers[0].Sessions) != n {
		t.Errorf("the device has %+v (error %v), want %d sessions with one peer", in.Peers, err, n)
	}
}

// More rounds are played, from another seed, with
//
//	go test -run 'TestRounds$' -story.rounds=5000 -story.roundseed=7 .
var (
	rounds    = effort.Flag("story.rounds", 300, 50, "random rounds on each engine with each cache policy")
	roundSeed = flag.Uint64("story.roundseed", 300, "seed of the random rounds")
)

// TestRounds plays the random rounds that complement-crypto's
// TestMultiprocessNSE was written for.
func TestRounds(t *testing.T) {
	eachStore(t, func(t *testing.T, s story.Setting) {
		s.Seed = *roundSeed
		played, broken, err := story.Rounds(t.Context(), s, rounds())
		if err != nil {
			t.Fatal(err)
		}
		if len(broken) > 0 || played != rounds() {
			t.Errorf("seed %d: after %d rounds:\n%s", s.Seed, played, broken)
		}
	})
}

// TestRoundsOnStaleCache shows how soon the rounds find a stale cache.
func TestRoundsOnStaleCache(t *testing.T) {
	const soon = 40
	for seed := range uint64(10) {
		s := story.Setting{Seed: seed, Store: newMemory(), Design: story.Stale}
		played, broken, err := story.Rounds(t.Context(), s, rounds())
		if err != nil {
			t.Fatal(err)
		}
		if !broken.Lost() || !broken.Has(story.Agreement) || played > soon {
			t.Errorf("seed %d: after %d rounds a stale cache has broken only %v", seed, played, broken.Oracles())
		}
		t.Logf("seed %d: a stale cache loses a message in round %d", seed, played)
	}
}

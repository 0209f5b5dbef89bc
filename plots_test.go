package pawl_test

import (
	"errors"

	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/ratchet"
)

// receiveSendReceive is the shortest way to the wedge: Bob is received, Alice
// sends, Bob is received.
func receiveSendReceive(t stage) []*story.Handle {
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
func extensionLives(t stage) []*story.Handle {
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

func bothSend(t stage) []*story.Handle {
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

func sendAtOnce(t stage) []*story.Handle {
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

func preKeyTwice(t stage) []*story.Handle {
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

func preKeyRace(t stage) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	first := t.Send(false)
	receive := func(h *story.Handle) func() { return func() { h.Receive(t.ctx, first) } }
	t.together(receive(app), receive(nse), receive(app), receive(nse))
	t.wantSessions(app, 1)
	return []*story.Handle{app, nse}
}

func twoPreKeys(t stage) []*story.Handle {
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

func malformedPreKey(t stage) []*story.Handle {
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

func fallbackTwice(t stage) []*story.Handle {
	app, nse := t.open("app"), t.open("nse")
	for range 5 { // three one-time keys, then the fallback key
		m := t.Send(true)
		app.Receive(t.ctx, m)
		nse.Receive(t.ctx, m)
	}
	t.wantSessions(app, 5)
	return []*story.Handle{app, nse}
}

func uploadAtOnce(t stage) []*story.Handle {
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

func acknowledgeRace(t stage) []*story.Handle {
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

func outlive(t stage) []*story.Handle {
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
func (t stage) wantSessions(h *story.Handle, n int) {
	t.Helper()
	in, err := h.Machine.Inspect(t.ctx)
	if err != nil || len(in.Peers) != 1 || len(in.Peers[0].Sessions) != n {
		t.Errorf("the device has %+v (error %v), want %d sessions with one peer", in.Peers, err, n)
	}
}

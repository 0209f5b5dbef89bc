package receive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// TestHold: a token is held exactly if events are returned, they come again until it is
// stored, and storing it again changes nothing.
func TestHold(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	held := func() Ticket {
		ticket := alice.ticket()
		ticket.Hold = true
		return ticket
	}
	out, err := alice.Sync(t.Context(), held(), response(t, "T1", bob.roomKey(alice, "one")))
	must(t, err)
	if !out.Advanced || out.Held != nil || alice.state().Since != "T1" {
		t.Fatalf("nothing was returned, and the token is held: %+v", out)
	}
	body := response(t, "T2", plain("@bob:example.org", "m.custom", map[string]any{}), bob.event(alice, "m.secret.send", map[string]any{"n": 2}))
	for i := range 2 {
		out, err = alice.Sync(t.Context(), held(), body)
		must(t, err)
		if got := types(out.Events); !slices.Equal(got, []string{"m.custom", "m.secret.send"}) || out.Advanced || out.Held == nil || out.Events[1].Duplicate != (i == 1) {
			t.Fatalf("try %d: %v, %+v", i, got, out)
		}
		if alice.state().Since != "T1" {
			t.Fatal("the token is stored already")
		}
	}
	if known, err := alice.messages.Acknowledge(t.Context(), out.Events[1].Receipt); err != nil || known != 1 {
		t.Fatalf("%d receipts, %v", known, err)
	}
	for range 2 {
		if advanced, err := alice.Store(t.Context(), out.Held); err != nil || !advanced || alice.state().Since != "T2" || alice.state().Taking != [8]byte{} {
			t.Fatalf("%v, %v, %+v", advanced, err, alice.state())
		}
	}
	alice.intact()
}

// holder is a process that goes through responses step by step.
type holder struct {
	*phone
	ticket Ticket
	body   []byte
	to     int // its token covers so many events
	out    Received
	at     int // the next step
}

// TestHoldHistories: several processes that hold tokens, or do not, with responses that
// overlap and come late, each of which dies anywhere. The stored token covers nothing
// that nobody has handled, and what is known of rooms is of the time of the token or,
// while somebody is at a response, after it: no older response has undone it.
func TestHoldHistories(t *testing.T) {
	for seed := range 3 * *rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		limits := kv.Floor()
		if seed%2 == 1 {
			limits = memkv.New().Limits()
		}
		store := memkv.New(memkv.WithLimits(limits))
		w := &holding{TB: t, alice: newPhone(t, store), store: store, bob: newPeer(t, "@bob:example.org", "LAPTOP"), handled: map[int]bool{}, r: r}
		w.at = fmt.Sprint("seed ", seed)
		processes := make([]*holder, 3)
		for range 40 {
			w.send(r.IntN(3))
			i := r.IntN(len(processes))
			if processes[i] == nil {
				processes[i] = w.process(r.IntN(12))
			}
			if !w.step(processes[i]) {
				processes[i] = nil
			}
			w.holds()
		}
		last := w.process(never)
		for w.position(w.alice.state().Since) < len(w.events) {
			w.step(last)
			w.holds()
		}
		for n := range w.events {
			if !w.handled[n] {
				t.Fatalf("%s: event %d was handled by nobody", w.at, n)
			}
		}
		w.alice.intact()
	}
}

// holding is a server, whose responses have the state of rooms and events for the
// caller, and what was handled of them.
type holding struct {
	testing.TB
	alice   *phone
	store   kv.Store
	bob     *peer
	events  []any
	handled map[int]bool
	said    int // no response ends before one that was made earlier
	r       *rand.Rand
	at      string
}

func (w *holding) send(n int) {
	for range n {
		content := map[string]any{"n": len(w.events)}
		if w.r.IntN(2) == 0 {
			w.events = append(w.events, plain("@bob:example.org", "m.custom", content))
		} else {
			w.events = append(w.events, w.bob.event(w.alice, "m.secret.send", content))
		}
	}
}

func (w *holding) position(token string) (n int) {
	return (&queue{TB: w.TB}).position(token)
}

// process is one that dies at a commit of its own.
func (w *holding) process(death int) *holder {
	p := &holder{phone: w.alice.on(dying(w.store, death))}
	p.others.Room = func(tx *txn.Tx, _ account.Account, r syncresponse.Room, _ []byte) error {
		var n int
		if _, err := fmt.Sscanf(r.Events[0].StateKey, "@%d:", &n); err != nil {
			return err
		}
		return effects.Put(tx, effect{string(r.ID), n})
	}
	p.others.RoomCost = p.slowRoom()
	return p
}

// step lets a process go on: it asks, takes in, handles, acknowledges, and stores. It
// returns false if that was its death.
func (w *holding) step(p *holder) bool {
	ctx, err := context.Background(), error(nil)
	switch p.at {
	case 0:
		p.ticket, err = p.Next(ctx, false)
		p.ticket.Hold = w.r.IntN(4) > 0
		from := w.position(p.ticket.Since)
		w.said = max(w.said, min(len(w.events), from+1+w.r.IntN(4)))
		p.to = w.said
		rooms := map[string]any{}
		for i := range 6 {
			rooms[fmt.Sprintf("!%d:example.org", i)] = map[string]any{"state": map[string]any{"events": []any{
				map[string]any{"type": "m.room.member", "state_key": fmt.Sprintf("@%d:example.org", p.to), "content": map[string]any{"membership": "leave"}},
			}}}
		}
		p.body = encode(w, map[string]any{
			"next_batch": fmt.Sprint("T", p.to), "to_device": map[string]any{"events": append([]any{}, w.events[from:p.to]...)},
			"rooms": map[string]any{"join": rooms},
		})
	case 1:
		p.out, err = p.Sync(ctx, p.ticket, p.body)
		if !p.ticket.Hold { // it keeps the response, and hands it in again
			for n := w.position(p.ticket.Since); n < p.to && err == nil; n++ {
				w.handled[n] = true
			}
			p.at = -1
		}
	case 2:
		for _, e := range p.out.Events {
			var n int
			if _, err := fmt.Sscanf(string(e.Content), `{"n":%d}`, &n); err != nil {
				w.Fatal(err)
			}
			w.handled[n] = true
		}
	case 3:
		for _, e := range p.out.Events {
			if e.Encrypted {
				_, failed := p.messages.Acknowledge(ctx, e.Receipt)
				err = errors.Join(err, failed)
			}
		}
	case 4:
		if p.out.Held != nil {
			_, err = p.Store(ctx, p.out.Held)
		}
		p.at = -1
	}
	p.at++
	if err != nil && !errors.Is(err, kv.ErrDiskFull) {
		w.Fatal(w.at, ": ", err)
	}
	return err == nil
}

func (w *holding) holds() {
	w.Helper()
	s := w.alice.state()
	token := w.position(s.Since)
	for n := range token {
		if !w.handled[n] {
			w.Fatalf("%s: the token covers %d events, and event %d was handled by nobody", w.at, token, n)
		}
	}
	for i := range 6 {
		state := w.alice.effect(fmt.Sprintf("!%d:example.org", i))
		if state < token || s.Taking == [8]byte{} && state != token {
			w.Fatalf("%s: the token is of %d, and the state of room %d of %d, taking %x", w.at, token, i, state, s.Taking)
		}
	}
}

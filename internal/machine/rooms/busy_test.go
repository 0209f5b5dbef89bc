package rooms_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/rooms"
)

// busy are the ways in which a server asks to come later.
func busy(now time.Time, wait time.Duration) map[string]outbox.Failure {
	return map[string]outbox.Failure{
		"later": {Reason: outbox.Later, Until: now.Add(wait)},
		"429":   {Reason: outbox.Refused, Status: 429, Body: fmt.Appendf(nil, `{"retry_after_ms":%d}`, wait.Milliseconds())},
	}
}

// waitsFor sends what a room waits for until that is of a kind, and returns it.
func (h *handle) waitsFor(kind outbox.Kind) outbox.Request {
	h.Helper()
	for range 5 {
		h.share(bob)
		all, err := h.box.Outgoing(h.Context())
		must(h.T, err)
		for _, r := range all {
			if r.Kind == kind {
				return r
			}
			h.answer(r)
		}
	}
	h.Fatalf("nobody waits for %v", kind)
	return outbox.Request{}
}

// TestBusyServer: a room waits for a server that asks for a short while, in which the
// same request goes out again; it does not wait where that is long, or asked for again
// and again: then who was asked for is asked for again when the server said, after
// a quarter of an hour at most.
func TestBusyServer(t *testing.T) {
	for _, kind := range []outbox.Kind{outbox.Query, outbox.Claim} {
		for _, wait := range []time.Duration{5 * time.Second, outbox.ShortWait, time.Minute, 24 * time.Hour, 400 * 24 * time.Hour} {
			for name := range busy(time.Time{}, wait) {
				t.Run(fmt.Sprintf("%v %s %v", kind, name, wait), func(t *testing.T) {
					w := newWorld(t)
					w.add(bob, "B1")
					h := w.handle()
					r := h.waitsFor(kind)
					must(t, h.box.MarkFailed(t.Context(), r.ID, busy(w.now, wait)[name]))
					if wait <= outbox.ShortWait {
						h.held(r, wait)
						return
					}
					if s := h.share(bob); !s.Done {
						t.Fatalf("it waits for a server that asks for %v: %+v", wait, s)
					}
					h.mustEncrypt("without bob")
					h.sendAll() // that there is no session with bob
					w.now = w.now.Add(min(wait, 15*time.Minute) - time.Second)
					h.share(bob)
					if n := h.sendAll(); n > 0 {
						t.Errorf("%d requests before the server's time", n)
					}
					w.now = w.now.Add(2 * time.Second)
					for range 3 { // a query, a claim, the key
						h.share(bob)
						h.sendAll()
						w.now = w.now.Add(15 * time.Second)
					}
					w.wantReaders(h.mustEncrypt("with bob"), "B1")
				})
			}
		}
	}
}

// held wants a room to wait for a request that goes out again, as it is, after a while.
func (h *handle) held(r outbox.Request, wait time.Duration) {
	h.Helper()
	var notShared *rooms.NotSharedError
	_, err := h.rooms.Encrypt(context.Background(), room, "m.room.message", []byte("{}"), rooms.Form{})
	if s := h.share(bob); s.Done || !errors.As(err, &notShared) {
		h.Fatalf("it does not wait: %+v, %v", s, err)
	}
	h.now = h.now.Add(wait - time.Millisecond)
	if n := h.sendAll(); n > 0 {
		h.Errorf("%d requests before the server's time", n)
	}
	h.now = h.now.Add(time.Millisecond)
	again, err := h.box.Outgoing(h.Context())
	must(h.T, err)
	if len(again) != 1 || again[0].ID != r.ID || string(again[0].Body) != string(r.Body) {
		h.Fatalf("then %v goes out", again)
	}
	h.answer(again[0])
	h.shareAll(bob)
	h.wantReaders(h.mustEncrypt("with bob"), "B1")
}

// TestBusyForever: a server that always asks for a short while holds a room up for
// three times that.
func TestBusyForever(t *testing.T) {
	for _, kind := range []outbox.Kind{outbox.Query, outbox.Claim} {
		for name := range busy(time.Time{}, 0) {
			w := newWorld(t)
			w.add(bob, "B1")
			h := w.handle()
			tries := 0
			for ; tries < 10; tries++ {
				if h.share(bob).Done {
					break
				}
				all, err := h.box.Outgoing(t.Context())
				must(t, err)
				for _, r := range all {
					if r.Kind == kind {
						must(t, h.box.MarkFailed(t.Context(), r.ID, busy(w.now, 10*time.Second)[name]))
					} else {
						h.answer(r)
					}
				}
				w.now = w.now.Add(10 * time.Second)
			}
			if want := map[outbox.Kind]int{outbox.Query: 3, outbox.Claim: 4}[kind]; tries != want {
				t.Errorf("%v, %s: it is shared after %d tries, want %d", kind, name, tries, want)
			}
			h.mustEncrypt("without bob")
		}
	}
}

// TestBusySending: a room does not wait for a request with its key that is to come much
// later, or later again and again. The request goes out then as it is, and what was said
// meanwhile is read.
func TestBusySending(t *testing.T) {
	for _, wait := range []time.Duration{outbox.ShortWait, time.Minute, 24 * time.Hour} {
		for name := range busy(time.Time{}, wait) {
			t.Run(fmt.Sprintf("%s %v", name, wait), func(t *testing.T) {
				w := newWorld(t)
				w.add(bob, "B1")
				h := w.handle()
				r := h.waitsFor(outbox.ToDevice)
				must(t, h.box.MarkFailed(t.Context(), r.ID, busy(w.now, wait)[name]))
				for try := 1; wait <= outbox.ShortWait && try < 3; try++ {
					if s := h.share(bob); s.Done {
						t.Fatalf("it does not wait after %d tries", try)
					}
					w.now = w.now.Add(wait)
					all, err := h.box.Outgoing(t.Context())
					must(t, err)
					if len(all) != 1 || all[0].ID != r.ID {
						t.Fatalf("then %v goes out", all)
					}
					must(t, h.box.MarkFailed(t.Context(), r.ID, busy(w.now, wait)[name]))
				}
				if s := h.share(bob); !s.Done {
					t.Fatalf("it waits for a server that asks for %v: %+v", wait, s)
				}
				content := h.mustEncrypt("meanwhile")
				w.now = w.now.Add(wait - time.Millisecond)
				if n := h.sendAll(); n > 0 {
					t.Errorf("%d requests before the server's time", n)
				}
				w.now = w.now.Add(time.Millisecond)
				all, err := h.box.Outgoing(t.Context())
				must(t, err)
				if len(all) != 1 || all[0].ID != r.ID || string(all[0].Body) != string(r.Body) {
					t.Fatalf("then %v goes out, want %v", all, r)
				}
				h.answer(all[0])
				w.wantReaders(content, "B1")
			})
		}
	}
}

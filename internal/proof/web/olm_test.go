package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/ratchet"
)

// tabs are where the device of the story runs: a page's worker, a page, and the service
// worker, which is the web's notification extension.
var tabs = []string{"worker", "page", "service"}

// newStory makes a device in a browser, and the far side with another implementation. A
// stale device keeps in each tab what it has read.
func newStory(t *testing.T, browser Opener, other interop.Implementation, stale string) (w *story.World, handles []*story.Handle) {
	t.Helper()
	server, name := NewServer(t, Build(t, ".", "./actor", false)), rand.Text()
	places := append([]string{"worker"}, tabs...) // the first makes the device
	start := func(_ context.Context, who string, create bool) (story.Device, error) {
		where := "worker"
		if len(places) > 0 {
			where, places = places[0], places[1:]
		}
		address, a := server.NewActor(where, who+"-"+rand.Text()[:6])
		t.Cleanup(browser.Open(address).Close)
		a.Expect("ok", "open", name, "60000")
		if create {
			a.Expect("no_account", "device", "blind", "fresh")
			a.Expect("ok", "create")
		} else {
			a.Expect("ok", "device", "blind", stale)
		}
		return deviceOf(a), nil
	}
	w, err := story.NewWorld(t.Context(), story.Setting{Peer: interop.NewPeer(other), Start: start}, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range tabs {
		h, err := w.Open(t.Context(), where)
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	return w, handles
}

// TestTabsShareASession: the tabs of one device decrypt and send in one session at the same
// time. All is read, by the far side too, and no message key is used twice.
func TestTabsShareASession(t *testing.T) {
	t.Parallel()
	others, messages := interop.Others(), 300
	if testing.Short() {
		others, messages = others[:1], 60
	}
	for _, other := range others {
		t.Run(other.Name(), func(t *testing.T) { testSharedSession(t, Shared(t), other, messages) })
	}
}

// testSharedSession has so many messages to and from each tab.
func testSharedSession(t *testing.T, browser Opener, other interop.Implementation, messages int) {
	w, handles := newStory(t, browser, other, "fresh")
	ctx, began := t.Context(), time.Now()
	first := w.Send(true)
	opened, err := handles[0].Receive(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	handles[0].Post(ctx, false)
	w.ReadAll()
	var far sync.Mutex // the far side does one thing at a time
	sessions := map[ratchet.SessionID]int{opened.Session: 1}
	story.Together(each(handles, func(h *story.Handle) {
		for range messages {
			far.Lock()
			letter := w.Send(false)
			far.Unlock()
			d, err := h.Receive(ctx, letter)
			if err != nil {
				t.Errorf("%s: %v", h.Name, err)
				return
			}
			h.Post(ctx, false)
			far.Lock()
			w.ReadAll()
			sessions[d.Session]++
			far.Unlock()
		}
	})...)
	took := time.Since(began)
	if broken := w.Quiesce(ctx, handles...); len(broken) > 0 {
		t.Errorf("broken: %v", broken)
	}
	if len(sessions) != 1 {
		t.Errorf("messages were of %d sessions, want 1", len(sessions))
	}
	t.Logf("%d tabs, %d messages to each and from each, one session, in %v", len(handles), messages, took.Round(time.Millisecond))
}

func each(handles []*story.Handle, do func(h *story.Handle)) (all []func()) {
	for _, h := range handles {
		all = append(all, func() { do(h) })
	}
	return all
}

// chains is more than a session keeps of the chains that it receives on.
const chains = 7

// TestStaleTabsWedge is the control: the service worker has the session and lives on, the
// page moves it past all that the service worker ever saw, and then both are needed. Where
// each keeps what it has read, messages are lost and keys are used twice.
func TestStaleTabsWedge(t *testing.T) {
	t.Parallel()
	all := []string{"fresh", "stale"}
	if testing.Short() {
		all = all[1:]
	}
	for _, kept := range all {
		t.Run(kept, func(t *testing.T) {
			w, handles := newStory(t, Shared(t), interop.Goolm{}, kept)
			ctx, page, service := t.Context(), handles[1], handles[2]
			_, _ = service.Receive(ctx, w.Send(true))
			for range chains {
				page.Post(ctx, false)
				w.ReadAll()
				_, _ = page.Receive(ctx, w.Send(false))
			}
			for _, h := range []*story.Handle{service, page, service} {
				_, _ = h.Receive(ctx, w.Send(false))
				h.Post(ctx, false)
				w.ReadAll()
			}
			broken := w.Finish(ctx, page, service)
			t.Log(fmt.Sprint(broken.Oracles()))
			if kept == "fresh" {
				if len(broken) > 0 {
					t.Errorf("broken: %v", broken)
				}
				return
			}
			for _, want := range []story.Oracle{story.FalseFailure, story.KeyReuse, story.Unreadable, story.Agreement} {
				if !broken.Has(want) {
					t.Errorf("oracle %s holds with a stale cache; broken are %v", want, broken.Oracles())
				}
			}
		})
	}
}

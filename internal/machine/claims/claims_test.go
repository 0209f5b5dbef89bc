package claims_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// TestClaim: one request asks for all devices without a session; with its answer
// each has one, and nobody asks again.
func TestClaim(t *testing.T) {
	w := newWorld(t)
	h := w.handle()
	peers := w.peers(3)
	h.look(claims.Missing, peers...)
	got := h.request(peers...)
	for _, s := range got {
		if s.State != claims.Asked || s.Request != got[0].Request || !s.Waits() {
			t.Errorf("%+v", s)
		}
	}
	r := h.only()
	var body struct {
		Keys map[matrix.UserID]map[matrix.DeviceID]string `json:"one_time_keys"`
	}
	w.must(json.Unmarshal(r.Body, &body))
	want := map[matrix.DeviceID]string{"D000": "signed_curve25519", "D001": "signed_curve25519", "D002": "signed_curve25519"}
	if len(body.Keys) != 1 || !maps.Equal(body.Keys["@bob:example.org"], want) {
		t.Errorf("the body is %s", r.Body)
	}
	if again := w.handle().request(peers...); again[2].Request != r.ID {
		t.Errorf("another process asks with request %v", again[2].Request)
	}
	w.must(h.box.MarkSent(t.Context(), r.ID, w.text(w.all(peers...))))
	h.look(claims.Ready, peers...)
	for _, p := range peers {
		w.must(h.encrypt(p))
	}
	if got := w.handle().request(peers...); got[0].State != claims.Ready || len(h.outgoing()) != 0 {
		t.Errorf("%+v, and it is asked again", got)
	}
	if n := w.count(h); n != 0 {
		t.Errorf("%d records of how devices answer are left", n)
	}
}

// count counts the records of kind reach.
func (w *world) count(h *handle) (n int) {
	w.Helper()
	w.must(h.account.Do(w.Context(), func(tx *txn.Tx) error {
		n = 0
		for _, err := range records.Reaches.Scan(tx) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n
}

// TestBadAnswers: a device whose key cannot be believed has failed, is asked again
// after 15 seconds, and keeps no other from its session; what is no answer changes
// nothing.
func TestBadAnswers(t *testing.T) {
	w := newWorld(t)
	for name, give := range map[string]func(*answer, peer){
		"no key": func(*answer, peer) {},
		"of another device": func(a *answer, p peer) {
			key, _ := w.oneTimeKey(w.peer(p.User(), p.Device()))
			a.give(p, keyID, key)
		},
		"of another algorithm": func(a *answer, p peer) {
			key, _ := w.oneTimeKey(p)
			a.give(p, "curve25519:AAAAAA", key)
		},
		"zeros": func(a *answer, p peer) {
			key, err := p.SignedKey(ratchet.PublicKey{}, false)
			w.must(err)
			a.give(p, keyID, key)
		},
		"of low order": func(a *answer, p peer) {
			key, err := p.SignedKey(ratchet.PublicKey{1}, false)
			w.must(err)
			a.give(p, keyID, key)
		},
		"no object": func(a *answer, p peer) { a.give(p, keyID, json.RawMessage(`7`)) },
		"for somebody else": func(a *answer, p peer) {
			other := w.peer("@eve:example.org", p.Device())
			key, _ := w.oneTimeKey(other)
			a.give(other, keyID, key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			h := w.handle()
			bad, good := w.peer("@bob:example.org", "BAD"), w.peer("@bob:example.org", "GOOD")
			h.request(bad, good)
			r := h.only()
			for _, response := range []string{``, `{`, `[]`, `{}`, `{"device_keys":{}}`, `{"one_time_keys":7}`} {
				if err := h.box.MarkSent(t.Context(), r.ID, []byte(response)); !errors.Is(err, outbox.ErrAnswer) {
					t.Errorf("%q: %v", response, err)
				}
			}
			h.look(claims.Asked, bad, good)
			a := w.all(good)
			give(a, bad)
			w.must(h.box.MarkSent(t.Context(), r.ID, w.text(a)))
			h.look(claims.Ready, good)
			s := h.look(claims.Paused, bad)
			if s.Failures != 1 || s.Waits() || !s.Again.Equal(w.now.Add(15*time.Second)) {
				t.Errorf("%+v", s)
			}
			if h.request(bad); len(h.outgoing()) != 0 {
				t.Error("it is asked again at once")
			}
			w.now = s.Again
			if s = h.look(claims.Missing, bad); s.Waits() {
				t.Error("after a failure somebody waits for the next try")
			}
			if s = h.request(bad)[0]; s.State != claims.Asked || s.Waits() {
				t.Errorf("%+v", s)
			}
			w.must(h.box.MarkSent(t.Context(), h.only().ID, w.text(newAnswer())))
			if s = h.look(claims.Paused, bad); s.Failures != 2 || !s.Again.Equal(w.now.Add(30*time.Second)) {
				t.Errorf("%+v", s)
			}
			w.now = s.Again
			h.request(bad)
			w.must(h.box.MarkSent(t.Context(), h.only().ID, w.text(w.all(bad))))
			h.look(claims.Ready, bad)
			if n := w.count(h); n != 0 {
				t.Errorf("%d records of how devices answer are left", n)
			}
		})
	}
}

// TestServers: a server that does not answer is left alone with all of its devices,
// also those that were never asked for, and nobody waits for it; one answer and it
// is as good as before.
func TestServers(t *testing.T) {
	w := newWorld(t)
	h := w.handle()
	far, near := w.peer("@carol:far.org", "C"), w.peer("@bob:example.org", "B")
	h.request(far, near)
	a := w.all(near)
	a.Failures["far.org"] = map[string]any{}
	a.Failures["elsewhere.org"] = map[string]any{}
	w.must(h.box.MarkSent(t.Context(), h.only().ID, w.text(a)))
	other := w.peer("@dave:far.org", "D")
	if s := h.look(claims.Paused, far, other); s.Waits() || s.Failures != 1 {
		t.Errorf("%+v", s)
	}
	if n := w.count(h); n != 1 {
		t.Errorf("%d records, want that of the server", n)
	}
	w.now = w.now.Add(15 * time.Second)
	h.request(far, other)
	w.must(h.box.MarkSent(t.Context(), h.only().ID, w.text(w.all(far))))
	h.look(claims.Ready, far)
	if s := h.look(claims.Paused, other); s.Failures != 1 {
		t.Errorf("%+v", s)
	}
	if fresh := w.peer("@erin:far.org", "E"); !h.look(claims.Missing, fresh).Waits() {
		t.Error("the server has answered and is not asked")
	}
}

// TestFailures: what never arrived goes out again, and so does what broke the server;
// what it refused, and what is lost or breaks it again and again, are claims that failed.
func TestFailures(t *testing.T) {
	refused := func(status int) outbox.Failure { return outbox.Failure{Reason: outbox.Refused, Status: status} }
	for name, c := range map[string]struct {
		failures []outbox.Failure
		want     claims.State
	}{
		"not sent":         {slices.Repeat([]outbox.Failure{{Reason: outbox.NotSent}}, 1), claims.Asked},
		"lost":             {slices.Repeat([]outbox.Failure{{Reason: outbox.Unknown}}, 2), claims.Asked},
		"lost three times": {slices.Repeat([]outbox.Failure{{Reason: outbox.Unknown}}, 3), claims.Paused},
		"login":            {[]outbox.Failure{refused(401)}, claims.Asked},
		"busy":             {[]outbox.Failure{refused(429)}, claims.Asked},
		"busy three times": {slices.Repeat([]outbox.Failure{refused(429)}, 3), claims.Paused},
		"refused":          {[]outbox.Failure{refused(400)}, claims.Paused},
		"gateway":          {slices.Repeat([]outbox.Failure{refused(502)}, 2), claims.Asked},
		"gateway, thrice":  {slices.Repeat([]outbox.Failure{refused(502)}, 3), claims.Paused},
		"lost and broken":  {[]outbox.Failure{{Reason: outbox.Unknown}, refused(500), {Reason: outbox.Unknown}}, claims.Paused},
	} {
		w := newWorld(t)
		h := w.handle()
		p := w.peer("@bob:example.org", "B")
		h.request(p)
		for _, f := range c.failures {
			w.must(h.box.MarkFailed(t.Context(), h.only().ID, f))
			w.now = w.now.Add(4 * time.Second) // what a server that does not say how long is waited for
		}
		if s := h.look(c.want, p); s.Waits() != (c.want == claims.Asked) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// dying is a store whose handle is killed after so many commits.
type dying struct {
	kv.Store
	left int
}

func (d *dying) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if len(b.Writes) > 0 {
		if d.left == 0 {
			return 0, kv.ErrClosed
		}
		d.left--
	}
	return d.Store.Commit(ctx, b)
}

// TestKilledBetweenCommits: where one commit does not take all sessions, whoever is
// killed between two leaves the rest without an answer: exactly those are claimed
// again.
func TestKilledBetweenCommits(t *testing.T) {
	for left := range 4 {
		w := newWorld(t, memkv.WithLimits(kv.Floor()))
		peers := w.peers(110)
		h := w.handle()
		asked := h.request(peers...)
		requests := h.outgoing()
		ids := map[outbox.ID]bool{}
		for _, s := range asked {
			ids[s.Request] = true
		}
		if len(ids) != len(requests) {
			t.Fatalf("%d requests, of which %d name devices", len(requests), len(ids))
		}
		answer := w.text(w.all(peers...))
		ended := false
		d := &dying{w.store, left}
		killed := w.handleOn(d)
		for _, r := range requests {
			if err := killed.box.MarkSent(t.Context(), r.ID, answer); err != nil {
				ended = true
				break
			}
		}
		if !ended {
			t.Fatalf("it takes fewer than %d commits", left+1)
		}
		h = w.handle()
		var rest []peer
		for _, p := range peers {
			got := h.request(p)[0]
			if got.State != claims.Ready {
				rest = append(rest, p)
			}
		}
		if len(rest) == 0 || len(rest) == len(peers) && left > 0 {
			t.Errorf("after %d commits %d are without a session", left, len(rest))
		}
		w.now = w.now.Add(outbox.LeaseLife)
		for again := h.outgoing(); len(again) > 0; again = h.outgoing() {
			for _, r := range again {
				w.must(h.box.MarkSent(t.Context(), r.ID, answer))
			}
		}
		h.look(claims.Ready, peers...)
	}
}

// small is a store that takes no more in a commit than any engine does.
type small struct{ kv.Store }

// Limits implements kv.Store.
func (small) Limits() kv.Limits { return kv.Floor() }

// TestAskedAgainMeanwhile: where one commit does not take all of an answer, what it says
// of devices that another request asks for by then counts no more: neither a key nor
// that there is none.
func TestAskedAgainMeanwhile(t *testing.T) {
	w := newWorld(t)
	peers := w.peers(80)
	h := w.handle()
	h.request(peers...)
	r := h.outgoing()[0]
	second := map[outbox.ID]bool{}
	commits := 0
	slow := w.handleOn(faulty.Wrap(small{w.store}, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op != faulty.Commit || len(call.Batch.Writes) == 0 {
			return nil
		}
		if commits++; commits == 2 { // the request is gone: what it left is asked for again
			for _, p := range peers {
				if s := h.request(p)[0]; s.State == claims.Asked && s.Request != r.ID {
					second[s.Request] = true
				}
			}
		}
		return nil
	}}))
	some := w.all(peers[:40]...) // which come first
	w.must(slow.box.MarkSent(t.Context(), r.ID, w.text(some)))
	if commits < 2 || len(second) == 0 {
		t.Fatalf("%d commits, and %d requests between them", commits, len(second))
	}
	asked := 0
	for _, p := range peers {
		if s := h.request(p)[0]; second[s.Request] {
			asked++
			if s.State != claims.Asked {
				t.Errorf("%s: state %d after an answer to an earlier request", p.Device(), s.State)
			}
		} else if s.State == claims.Asked && s.Request == r.ID {
			t.Errorf("%s is asked for by a request that is gone", p.Device())
		}
	}
	if asked < len(second) {
		t.Errorf("%d devices are asked for by %d requests", asked, len(second))
	}
}

// TestTwoProcesses: of two that ask at once for the same devices one makes the
// request; of two answers to it the first counts; and a device that has written
// meanwhile keeps its session.
func TestTwoProcesses(t *testing.T) {
	w := newWorld(t)
	one, two := w.handle(), w.handle()
	peers := w.peers(5)
	var wg sync.WaitGroup
	for _, h := range []*handle{one, two} {
		wg.Go(func() {
			if _, err := h.claims.Request(t.Context(), keysOf(peers)...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r := one.only()
	if len(two.outgoing()) != 0 {
		t.Error("there is another request")
	}
	errs := make(chan error, 2)
	for _, h := range []*handle{one, two} {
		response := w.text(w.all(peers...))
		go func() { errs <- h.box.MarkSent(t.Context(), r.ID, response) }()
	}
	first, second := <-errs, <-errs
	if first != nil {
		first, second = second, first
	}
	if first != nil || !errors.Is(second, outbox.ErrNoRequest) {
		t.Errorf("%v, %v", first, second)
	}
	one.look(claims.Ready, peers...)
	for i, p := range peers {
		w.must([]*handle{one, two}[i%2].encrypt(p))
		if n := w.sessions(one, p); n != 1 {
			t.Errorf("%d sessions with %s", n, p.Device())
		}
	}
}

// sessions counts the sessions with a device.
func (w *world) sessions(h *handle, p peer) int {
	w.Helper()
	c, err := txn.View(w.Context(), h.account.DB, func(tx *txn.Tx) (records.Contact, error) {
		return records.ReadContact(tx, p.Identity())
	})
	w.must(err)
	return len(c.Sessions)
}

// TestSessionMeanwhile: a session that there is by the time of the answer is used,
// and no other opened.
func TestSessionMeanwhile(t *testing.T) {
	w := newWorld(t)
	h := w.handle()
	p := w.peer("@bob:example.org", "B")
	h.request(p)
	r := h.only()
	_, pair := w.oneTimeKey(p)
	w.must(h.account.Do(t.Context(), func(tx *txn.Tx) error {
		v, err := h.account.Sending(tx)
		if err != nil {
			return err
		}
		_, err = h.messages.OpenOutbound(tx, v, p.Identity(), pair.Public(), 0)
		return err
	}))
	w.must(h.box.MarkSent(t.Context(), r.ID, w.text(w.all(p))))
	h.look(claims.Ready, p)
	if n := w.sessions(h, p); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// TestManyDevices: at most 250 devices a request.
func TestManyDevices(t *testing.T) {
	w := newWorld(t)
	h := w.handle()
	peers := w.peers(260)
	h.request(peers...)
	requests := h.outgoing()
	if len(requests) != 2 {
		t.Fatalf("%d requests", len(requests))
	}
	answer := w.text(w.all(peers...))
	for _, r := range requests {
		w.must(h.box.MarkSent(t.Context(), r.ID, answer))
	}
	h.look(claims.Ready, peers...)
}

// TestDamagedReach: what is damaged of how a device or its server answers costs a
// pause and nothing else.
func TestDamagedReach(t *testing.T) {
	for _, server := range []bool{false, true} {
		w := newWorld(t)
		h := w.handle()
		p, other := w.peer("@bob:example.org", "B"), w.peer("@carol:far.org", "C")
		h.request(p, other)
		a := newAnswer()
		if server {
			a.Failures["example.org"] = map[string]any{}
		}
		w.must(h.box.MarkSent(t.Context(), h.only().ID, w.text(a)))
		h.look(claims.Paused, p, other)
		name := records.ReachName{Device: p.Identity()}
		if server {
			name = records.ReachName{Server: "example.org"}
		}
		w.harm(h, name)
		h.look(claims.Missing, p)
		h.look(claims.Paused, other)
		h.request(p)
		w.must(h.box.MarkSent(t.Context(), h.only().ID, w.text(w.all(p))))
		h.look(claims.Ready, p)
	}
}

// harm damages a record.
func (w *world) harm(h *handle, name records.ReachName) {
	w.Helper()
	key, err := txn.View(w.Context(), h.account.DB, func(tx *txn.Tx) (string, error) { return records.Reaches.Key(tx, name) })
	w.must(err)
	_, err = w.store.Commit(w.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte("damaged")}}})
	w.must(err)
}

// TestSweep: failures that are long ago are forgotten.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	h := w.handle()
	h.request(w.peers(3)...)
	w.must(h.box.MarkSent(t.Context(), h.only().ID, w.text(newAnswer())))
	sweep := func(now time.Time) {
		t.Helper()
		_, err := upkeep.Sweep(t.Context(), h.account, records.Kinds(), now)
		w.must(err)
	}
	sweep(w.now.Add(13 * 24 * time.Hour))
	if n := w.count(h); n != 3 {
		t.Errorf("%d are left after 13 days", n)
	}
	sweep(w.now.Add(14 * 24 * time.Hour))
	if n := w.count(h); n != 0 {
		t.Errorf("%d are left after 14 days", n)
	}
}

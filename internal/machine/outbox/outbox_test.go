package outbox_test

import (
	"bytes"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

func TestHandsOutInOrderAndAgainByteForByte(t *testing.T) {
	d := newDevice(t)
	ids := d.add(message(1), message(2))
	ids = append(ids, d.add(message(3))...)
	one, two := d.box(), d.box()
	first := d.wantOut(one, ids...)
	d.wantOut(one)
	d.wantOut(two)
	d.now = d.now.Add(outbox.LeaseLife - time.Millisecond)
	d.wantOut(two)
	d.now = d.now.Add(time.Millisecond)
	// The first process is gone, or frozen: it may send all the same.
	for i, r := range d.wantOut(two, ids...) {
		if !bytes.Equal(r.Body, first[i].Body) || r.EventType != first[i].EventType {
			t.Errorf("request %d is %s %q, was %s %q", i, r.EventType, r.Body, first[i].EventType, first[i].Body)
		}
	}
	d.must(one.MarkSent(t.Context(), ids[0], []byte(`{}`)))
	d.must(two.MarkSent(t.Context(), ids[1], []byte(`{}`)))
	d.now = d.now.Add(outbox.LeaseLife)
	d.wantOut(one, ids[2])
	d.must(one.MarkSent(t.Context(), ids[2], []byte(`{}`)))
	d.now = d.now.Add(time.Hour)
	d.wantOut(two)
	for key := range d.stored() {
		if _, kind := txn.KindOf(key); kind == "request" || kind == "request-body" {
			t.Errorf("%s is left", key)
		}
	}
}

// TestAfter: what comes after another is handed out once that is answered, by
// whichever process, and also once it is given up.
func TestAfter(t *testing.T) {
	d := newDevice(t)
	before := d.add(message(1), message(2))
	dependent := message(3)
	dependent.After = append(before, outbox.ID{9}) // one that never was
	after := d.add(dependent)
	one, two := d.box(), d.box()
	d.wantOut(one, before...)
	d.must(one.MarkSent(t.Context(), before[0], []byte(`{}`)))
	d.wantOut(two)
	if got, err := two.Take(t.Context(), after...); len(got) > 0 || err != nil {
		t.Errorf("%v, %v are handed out before others", idsOf(got), err)
	}
	d.must(two.MarkFailed(t.Context(), before[1], outbox.Failure{Reason: outbox.Refused, Status: 400}))
	d.wantOut(two, after...)
}

func TestTakeIsOfSome(t *testing.T) {
	d := newDevice(t)
	ids := d.add(message(1), message(2), message(3))
	b := d.box()
	got, err := b.Take(t.Context(), ids[2], outbox.ID{9}, ids[0])
	d.must(err)
	if len(got) != 2 || got[0].ID != ids[0] || got[1].ID != ids[2] {
		t.Errorf("%v are handed out", idsOf(got))
	}
	if got, err := b.Take(t.Context()); got != nil || err != nil {
		t.Errorf("%v, %v for none", got, err)
	}
	d.wantOut(b, ids[1])
}

// TestFailures: when the same request is handed out again, to the one that had it
// and to another.
func TestFailures(t *testing.T) {
	refused := func(status int, body string) outbox.Failure {
		return outbox.Failure{Reason: outbox.Refused, Status: status, Body: []byte(body)}
	}
	start := newDevice(t).now
	for name, c := range map[string]struct {
		why   outbox.Failure
		again time.Duration // -1: never
	}{
		"not sent":           {outbox.Failure{Reason: outbox.NotSent}, 0},
		"unknown":            {outbox.Failure{Reason: outbox.Unknown}, 0},
		"later":              {outbox.Failure{Reason: outbox.Later, Until: start.Add(7 * time.Minute)}, 7 * time.Minute},
		"later, in a year":   {outbox.Failure{Reason: outbox.Later, Until: start.AddDate(1, 0, 0)}, outbox.MaxPause},
		"later, in the past": {outbox.Failure{Reason: outbox.Later, Until: start.AddDate(-1, 0, 0)}, 2 * time.Second},
		"later, now":         {outbox.Failure{Reason: outbox.Later, Until: start}, 2 * time.Second},
		"login":              {refused(401, ""), 2 * time.Second},
		"forbidden":          {refused(403, ""), 2 * time.Second},
		"busy":               {refused(429, `{"retry_after_ms": 9000}`), 9 * time.Second},
		"busy, for an age":   {refused(429, `{"retry_after_ms": 1e300}`), outbox.MaxPause},
		"busy, no time":      {refused(429, `no JSON`), 2 * time.Second},
		"server":             {refused(500, ""), 2 * time.Second},
		"gateway":            {refused(504, ""), 2 * time.Second},
		"redirect":           {refused(302, ""), 2 * time.Second},
		"rejected":           {refused(400, ""), -1},
		"not found":          {refused(404, ""), -1},
		"too large":          {refused(413, ""), -1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			ids := d.add(message(1))
			one, two := d.box(), d.box()
			d.wantOut(one, ids...)
			d.must(one.MarkFailed(t.Context(), ids[0], c.why))
			if c.again < 0 {
				d.now = d.now.Add(48 * time.Hour)
				d.wantOut(two)
				return
			}
			if c.again > 0 {
				d.now = d.now.Add(c.again - time.Millisecond)
				d.wantOut(one)
				d.wantOut(two)
				d.now = d.now.Add(time.Millisecond)
			}
			d.wantOut(two, ids...)
		})
	}
}

func TestBackoffDoubles(t *testing.T) {
	d := newDevice(t)
	ids := d.add(message(1))
	b := d.box()
	want := []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900}
	for _, pause := range want {
		d.wantOut(b, ids...)
		d.must(b.MarkFailed(t.Context(), ids[0], outbox.Failure{Reason: outbox.Refused, Status: 503}))
		d.now = d.now.Add(pause*time.Second - time.Millisecond)
		d.wantOut(b)
		d.now = d.now.Add(time.Millisecond)
	}
	for n := range uint32(40) {
		if got := outbox.Backoff(n, time.Second, time.Hour); got < time.Second || got > time.Hour {
			t.Errorf("%v after %d failures", got, n)
		}
	}
}

// TestOnce: what must not leave twice is handed out to one handle, and again only
// to that one, when it says that nothing was sent.
func TestOnce(t *testing.T) {
	d := newDevice(t)
	ids := d.add(outbox.New{Kind: outbox.Upload, Body: []byte(`{}`), Once: true})
	one, two := d.box(), d.box()
	d.wantOut(one, ids...)
	d.must(one.MarkFailed(t.Context(), ids[0], outbox.Failure{Reason: outbox.NotSent}))
	d.wantOut(two)
	d.wantOut(one, ids...)
	d.now = d.now.Add(365 * 24 * time.Hour)
	d.wantOut(one)
	d.wantOut(two)
	d.must(d.account.Do(t.Context(), func(tx *txn.Tx) error {
		r, ok, err := outbox.Find(tx, ids[0])
		if !ok || !r.Gone(d.now) || r.Gone(d.now.Add(-365*24*time.Hour)) {
			t.Errorf("%+v, %v: its holder is not known to be gone", r, ok)
		}
		return err
	}))
}

// TestUnknownRequests: answers to what is not there, was never handed out, or was
// answered before change nothing; so does an answer of another shape.
func TestUnknownRequests(t *testing.T) {
	d := newDevice(t)
	ids := d.add(message(1), message(2))
	b := d.box()
	if _, err := b.Take(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	other := d.add(outbox.New{Kind: outbox.Claim, Body: []byte(`{}`)})
	before := d.stored()
	for name, c := range map[string]struct {
		id       outbox.ID
		response string
		want     error
	}{
		"unknown":          {outbox.ID{1, 2, 3}, `{}`, outbox.ErrNoRequest},
		"never handed out": {ids[1], `{}`, outbox.ErrNoRequest},
		"no handler":       {other[0], `{}`, outbox.ErrNoRequest},
		"no JSON":          {ids[0], `{`, outbox.ErrAnswer},
		"empty":            {ids[0], ``, outbox.ErrAnswer},
		"null":             {ids[0], `null`, outbox.ErrAnswer},
		"a list":           {ids[0], `[]`, outbox.ErrAnswer},
		"two objects":      {ids[0], `{}{}`, outbox.ErrAnswer},
	} {
		if err := b.MarkSent(t.Context(), c.id, []byte(c.response)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err := b.MarkFailed(t.Context(), c.id, outbox.Failure{}); !errors.Is(err, outbox.ErrAnswer) {
			t.Errorf("%s: %v for no reason", name, err)
		}
	}
	if err := b.MarkFailed(t.Context(), ids[1], outbox.Failure{Reason: outbox.Unknown}); !errors.Is(err, outbox.ErrNoRequest) {
		t.Errorf("%v for one that was never handed out", err)
	}
	if !maps.Equal(before, d.stored()) {
		t.Error("something has changed")
	}
	d.must(b.MarkSent(t.Context(), ids[0], []byte(`{}`)))
	before = d.stored()
	if err := b.MarkSent(t.Context(), ids[0], []byte(`{}`)); !errors.Is(err, outbox.ErrNoRequest) {
		t.Errorf("%v for one that is done", err)
	}
	if err := b.MarkFailed(t.Context(), ids[0], outbox.Failure{Reason: outbox.Unknown}); !errors.Is(err, outbox.ErrNoRequest) {
		t.Errorf("%v for one that is done", err)
	}
	if !maps.Equal(before, d.stored()) {
		t.Error("something has changed")
	}
}

// TestClocks: what a clock ahead has noted ends at once, and a clock that goes back
// holds nothing up.
func TestClocks(t *testing.T) {
	d := newDevice(t)
	ids := d.add(message(1), message(2))
	b := d.box()
	d.now = d.now.AddDate(1, 0, 0)
	d.wantOut(b, ids...)
	d.must(b.MarkFailed(t.Context(), ids[1], outbox.Failure{Reason: outbox.Later, Until: d.now.Add(time.Hour)}))
	d.now = d.now.AddDate(-1, 0, 0)
	d.wantOut(d.box(), ids...)
	d.now = d.now.AddDate(-1, 0, 0)
	d.wantOut(d.box(), ids...)
	d.now = d.now.Add(-30 * time.Second) // two clocks that differ a little
	d.wantOut(d.box())
}

// TestNothingLeaves: while the account needs recovery, when it was moved away, and
// in format 1.
func TestNothingLeaves(t *testing.T) {
	for want, change := range map[error]func(a account.Account) account.Account{
		machine.ErrNeedsRecovery: func(a account.Account) account.Account { return a.RequireRecovery(account.Copied, time.Now()) },
		account.ErrRetired: func(a account.Account) account.Account {
			return a.Retire(account.Retirement{Path: "elsewhere", At: time.Now()})
		},
	} {
		d := newDevice(t)
		ids := d.add(message(1))
		d.must(d.account.Do(t.Context(), func(tx *txn.Tx) error {
			v, err := d.account.Read(tx)
			d.must(err)
			return machine.Accounts.Put(tx, change(v))
		}))
		if got, err := d.box().Outgoing(t.Context()); len(got) > 0 || !errors.Is(err, want) {
			t.Errorf("%d requests, %v; want %v", len(got), err, want)
		}
		if got, err := d.box().Take(t.Context(), ids...); len(got) > 0 || !errors.Is(err, want) {
			t.Errorf("%d requests, %v; want %v", len(got), err, want)
		}
	}
	d := newDeviceOn(t, unraised{memkv.New()})
	if got, err := d.box().Outgoing(t.Context()); len(got) > 0 || !errors.Is(err, machine.ErrFormat1) {
		t.Errorf("%d requests, %v in format 1", len(got), err)
	}
	err := d.account.Do(t.Context(), func(tx *txn.Tx) error {
		v, err := d.account.Sending(tx)
		d.must(err)
		_, err = outbox.Add(tx, d.account, v, message(1))
		return err
	})
	if !errors.Is(err, machine.ErrFormat1) {
		t.Errorf("%v for a request in format 1", err)
	}
}

// TestManyRequests: at the floor of engines, and in bounded calls.
func TestManyRequests(t *testing.T) {
	d := newDevice(t, memkv.WithLimits(kv.Floor()))
	var ids []outbox.ID
	for i := range outbox.MostHanded + 20 {
		n := message(i)
		n.After = []outbox.ID{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}}
		ids = append(ids, d.add(n)...)
	}
	b := d.box()
	n := len(d.wantOutSome(b, ids[:outbox.MostHanded]))
	if rest := d.wantOutSome(d.box(), ids[n:]); n < outbox.MostHanded || n+len(rest) != len(ids) {
		t.Errorf("%d and %d of %d requests", n, len(rest), len(ids))
	}
	big := message(1)
	big.Body = bytes.Repeat([]byte{' '}, 900<<10)
	for range 12 {
		d.add(big)
	}
	first, err := b.Outgoing(t.Context())
	d.must(err)
	rest, err := b.Outgoing(t.Context())
	d.must(err)
	if len(first) != 12 && len(first)+len(rest) != 12 {
		t.Errorf("%d and %d of 12 large requests", len(first), len(rest))
	}
	if _, err := b.Take(t.Context(), ids...); err != nil {
		t.Error(err)
	}
	tooBig := big
	tooBig.Body = make([]byte, records.MaxRequestBody+1)
	err = d.account.Do(t.Context(), func(tx *txn.Tx) error {
		v, err := d.account.Sending(tx)
		d.must(err)
		_, err = outbox.Add(tx, d.account, v, tooBig)
		return err
	})
	if err == nil {
		t.Error("a body above the bound is taken")
	}
}

// wantOutSome fails unless a handle is handed out requests that these begin with.
func (d *device) wantOutSome(b *outbox.Outbox, want []outbox.ID) []outbox.Request {
	d.Helper()
	got, err := b.Outgoing(d.Context())
	d.must(err)
	for i, r := range got {
		if i >= len(want) || r.ID != want[i] {
			d.Fatalf("request %d is %v", i, r.ID)
		}
	}
	return got
}

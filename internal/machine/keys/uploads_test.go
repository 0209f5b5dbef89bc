package keys_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// TestFirstUpload: the server is asked for the device first, then gets its keys, 50
// one-time keys and a fallback key, and no more until it says that it has less.
func TestFirstUpload(t *testing.T) {
	for name, options := range map[string][]memkv.Option{"": nil, "at the floor": {memkv.WithLimits(kv.Floor())}} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t, options...)
			message := d.message()
			d.looked()
			r := d.one(outbox.Upload)
			u := parseUpload(t, r.Body)
			if _, fallback := u.fallbackKey(); u.Device == nil || len(u.OneTime) != 50 || !fallback {
				t.Errorf("the first body has device keys: %v, %d one-time keys, a fallback key: %v", u.Device != nil, len(u.OneTime), fallback)
			}
			d.none()
			d.send(r)
			if got := d.one(outbox.ToDevice); got.ID != message {
				t.Errorf("%v is handed out once the device is known", got.ID)
			}
			d.sync()
			d.none()
			for range 20 {
				d.server.claim()
			}
			d.none()
			d.sync()
			r = d.one(outbox.Upload)
			u = parseUpload(t, r.Body)
			if _, fallback := u.fallbackKey(); u.Device != nil || len(u.OneTime) != 20 || fallback {
				t.Errorf("the next body has device keys: %v, %d one-time keys, a fallback key: %v", u.Device != nil, len(u.OneTime), fallback)
			}
			d.send(r)
			d.sync()
			d.none()
			if len(d.server.keys) != 50 {
				t.Errorf("the server has %d keys", len(d.server.keys))
			}
			pool, _ := d.pool()
			if n := pool.Count(otk.Published); n != 70 || pool.Len() != 70 {
				t.Errorf("%d of %d keys are published", n, pool.Len())
			}
			d.sound()
		})
	}
}

// message adds a message to a device.
func (d *device) message() (id outbox.ID) {
	d.Helper()
	d.must(d.account.Do(d.ctx, func(tx *txn.Tx) error {
		v, err := d.account.Sending(tx)
		if err != nil {
			return err
		}
		id, err = outbox.Add(tx, d.account, v, outbox.New{Kind: outbox.ToDevice, EventType: "m.room.encrypted", Body: []byte(`{}`)})
		return err
	}))
	return id
}

// TestTakenDevice: a device of the same name with other keys stops everything, in each
// process, until it is gone; one with our own keys does not.
func TestTakenDevice(t *testing.T) {
	d := newDevice(t)
	d.server.device = strange(t)
	r := d.one(outbox.Lookup)
	if err := d.box.MarkSent(d.ctx, r.ID, d.server.query()); !errors.Is(err, keys.ErrDeviceTaken) {
		t.Errorf("%v for the answer", err)
	}
	d.message()
	for _, one := range []*device{d, d.another()} {
		if all, err := one.box.Outgoing(d.ctx); len(all) > 0 || !errors.Is(err, keys.ErrDeviceTaken) {
			t.Errorf("%d requests, %v", len(all), err)
		}
	}
	d.pass(time.Hour)
	d.server.device = nil
	d.looked()
	d.send(d.one(outbox.Upload))
	if d.server.device == nil {
		t.Error("the device's keys are not on the server")
	}

	for _, answer := range []string{`{"device_keys":{}}`, `{"device_keys":{"@alice:example.org":{}}}`, "ours"} {
		d := newDevice(t)
		if answer == "ours" {
			d.settled()
			answer = string(d.server.query())
			d.forgetUploads()
		}
		r := d.one(outbox.Lookup)
		if err := d.box.MarkSent(d.ctx, r.ID, []byte(answer)); err != nil {
			t.Errorf("%v for %.60s", err, answer)
		}
		d.one(outbox.Upload)
	}
}

// forgetUploads makes the account one that never uploaded anything, as a copy from
// before has it.
func (d *device) forgetUploads() {
	d.Helper()
	d.must(d.account.Do(d.ctx, func(tx *txn.Tx) error {
		if err := records.Pool.Put(tx, otk.NewPool()); err != nil {
			return err
		}
		for k, err := range records.Keys.Scan(tx) {
			d.must(err)
			d.must(records.Keys.Delete(tx, k.Public()))
		}
		return records.UploadStates.Delete(tx)
	}))
}

// TestNoAnswerToUpload: answers of another shape, or to another request, change
// nothing.
func TestNoAnswerToUpload(t *testing.T) {
	d := newDevice(t)
	r := d.one(outbox.Lookup)
	bad := map[string]string{"no JSON": `{`, "list": `[]`, "nothing": `{}`, "of a claim": `{"one_time_keys":{}}`}
	look := map[string]string{"upload's": `{"one_time_key_counts":{}}`, "null": `{"device_keys":null}`, "list of devices": `{"device_keys":[]}`,
		"device is text": `{"device_keys":{"@alice:example.org":{"DEVICE":"x"}}}`}
	upload := map[string]string{"query's": `{"device_keys":{}}`, "null": `{"one_time_key_counts":null}`, "negative": `{"one_time_key_counts":{"signed_curve25519":-1}}`,
		"text": `{"one_time_key_counts":{"signed_curve25519":"5"}}`, "half": `{"one_time_key_counts":{"signed_curve25519":0.5}}`}
	refused := func(r outbox.Request, answers map[string]string) {
		before, u := d.pool()
		for name, answer := range answers {
			if err := d.box.MarkSent(d.ctx, r.ID, []byte(answer)); !errors.Is(err, outbox.ErrAnswer) {
				t.Errorf("%v, %s: %v", r.Kind, name, err)
			}
		}
		after, now := d.pool()
		b1, _ := before.Encode()
		b2, _ := after.Encode()
		u1, _ := u.Encode()
		u2, _ := now.Encode()
		if !bytes.Equal(b1, b2) || !bytes.Equal(u1, u2) {
			t.Errorf("%v: something has changed", r.Kind)
		}
	}
	refused(r, bad)
	refused(r, look)
	d.send(r)
	r = d.one(outbox.Upload)
	refused(r, bad)
	refused(r, upload)
	d.send(r)
	for _, id := range []outbox.ID{r.ID, {1}} {
		if err := d.box.MarkSent(d.ctx, id, d.server.counts()); !errors.Is(err, outbox.ErrNoRequest) {
			t.Errorf("%v for an answer that comes again", err)
		}
	}
}

// TestUnknownUpload: after a lost answer the next body has fresh keys, at once; what is
// lost then is asked for before there are more; and a sync tells as well.
func TestUnknownUpload(t *testing.T) {
	for _, arrived := range []bool{false, true} {
		d := newDevice(t)
		d.looked()
		seen := map[ratchet.PublicKey]bool{}
		fallbacks := map[ratchet.PublicKey]bool{}
		for range 2 {
			r := d.one(outbox.Upload)
			ids, of := parseUpload(t, r.Body).oneTime(t)
			for _, id := range ids {
				if seen[of[id]] {
					t.Errorf("key %v is in two bodies", id)
				}
				seen[of[id]] = true
			}
			key, _ := parseUpload(t, r.Body).fallbackKey()
			fallbacks[key] = true
			if arrived {
				d.server.put(t, r.Body)
			}
			d.fail(r, outbox.Unknown)
		}
		if len(seen) != 100 || len(fallbacks) != 1 {
			t.Errorf("%d one-time keys, %d fallback keys in two bodies", len(seen), len(fallbacks))
		}
		d.none()
		d.pass(time.Minute)
		r := d.one(outbox.Upload)
		if u := parseUpload(t, r.Body); len(u.OneTime) > 0 || u.Device == nil {
			t.Errorf("the third body has %d keys", len(u.OneTime))
		}
		d.send(r)
		d.settled()
		want := 50
		if arrived {
			want = 100
		}
		if len(d.server.keys) != want {
			t.Errorf("the server has %d keys, want %d", len(d.server.keys), want)
		}
		d.readable()
		d.sound()
	}
	d := newDevice(t)
	d.looked()
	for range 2 {
		r := d.one(outbox.Upload)
		d.server.put(t, r.Body)
		d.fail(r, outbox.Unknown)
	}
	d.none()
	d.sync() // it needs no pause any more
	if u := parseUpload(t, d.one(outbox.Upload).Body); len(u.OneTime) > 0 || u.Device == nil {
		t.Errorf("a body with %d keys for a server that has 100", len(u.OneTime))
	}
}

// readable wants the private part of every key that the server has.
func (d *device) readable() {
	d.Helper()
	d.must(d.account.Do(d.ctx, func(tx *txn.Tx) error {
		for id, key := range d.server.keys {
			if k, ok, err := records.Keys.Get(tx, key); err != nil || !ok || k.ID() != id {
				d.Fatalf("key %v on the server: %v, %v", id, ok, err)
			}
		}
		if d.server.fallback == (ratchet.PublicKey{}) {
			return nil
		}
		if _, ok, err := records.Keys.Get(tx, d.server.fallback); err != nil || !ok {
			d.Fatalf("the fallback key on the server: %v, %v", ok, err)
		}
		return nil
	}))
}

// TestNotSent: the same caller gets the same body, and nobody else; where it is gone
// the keys are given up.
func TestNotSent(t *testing.T) {
	for name, f := range map[string]outbox.Failure{
		"not sent": {Reason: outbox.NotSent}, "login": {Reason: outbox.Refused, Status: 401}, "forbidden": {Reason: outbox.Refused, Status: 403},
		"busy": {Reason: outbox.Refused, Status: 429}, "later": {Reason: outbox.Later, Until: noon.Add(2 * time.Second)},
	} {
		d := newDevice(t)
		other := d.another()
		d.looked()
		first := d.one(outbox.Upload)
		d.must(d.box.MarkFailed(d.ctx, first.ID, f))
		if name != "not sent" {
			d.none()
			d.pass(2 * time.Second)
		}
		other.none()
		again := d.one(outbox.Upload)
		if again.ID != first.ID || !bytes.Equal(again.Body, first.Body) {
			t.Errorf("%s: another body for the same caller", name)
		}
		other.none()
		d.pass(outbox.OnceLease)
		fresh := other.one(outbox.Upload)
		ids, _ := parseUpload(t, fresh.Body).oneTime(t)
		old, _ := parseUpload(t, first.Body).oneTime(t)
		if len(ids) != 50 || slices.ContainsFunc(ids, func(id otk.ID) bool { return slices.Contains(old, id) }) {
			t.Errorf("%s: %d keys, some of the body before", name, len(ids))
		}
		// The frozen caller sends all the same.
		d.server.put(t, again.Body)
		if err := d.box.MarkSent(d.ctx, again.ID, d.server.counts()); !errors.Is(err, outbox.ErrNoRequest) {
			t.Errorf("%s: %v for the late answer", name, err)
		}
		other.send(fresh)
		d.readable()
		// Who has not had it may not say that it was not sent.
		d.server.keys, d.server.order = map[otk.ID]ratchet.PublicKey{}, nil
		d.sync()
		third := d.one(outbox.Upload)
		other.must(other.box.MarkFailed(d.ctx, third.ID, f))
		if all := d.out(); len(all) != 1 || all[0].ID == third.ID {
			t.Errorf("%s: somebody else's word is taken", name)
		}
	}
}

// TestRejected: ids jump past those that the server names, one further body has fresh
// keys, and then there are pauses, from a minute to an hour, and one report a day.
func TestRejected(t *testing.T) {
	for _, dendrite := range []bool{false, true} {
		d := newDevice(t)
		d.server.dendrite = dendrite
		for id := otk.ID(1); id < 300; id++ { // of a time that was lost
			d.server.keys[id], d.server.order = ratchet.PublicKey{byte(id), byte(id >> 8), 1}, append(d.server.order, id)
		}
		d.looked()
		if status := d.send(d.one(outbox.Upload)); status != 400 {
			t.Fatalf("status %d", status)
		}
		if status := d.send(d.one(outbox.Upload)); status != 200 {
			t.Errorf("status %d for the further try", status)
		}
		d.sound()
	}

	d := newDevice(t)
	d.looked()
	var pauses []time.Duration
	bodies, began := 0, *d.clock
	for d.clock.Sub(began) < 50*time.Hour {
		all := d.out()
		if len(all) == 0 {
			d.pass(30 * time.Second)
			pauses[len(pauses)-1] += 30 * time.Second
			continue
		}
		bodies++
		if u := parseUpload(t, all[0].Body); bodies > 2 && len(u.OneTime) > 1 {
			t.Fatalf("body %d has %d keys", bodies, len(u.OneTime))
		}
		d.refuse(all[0], 400, `{"errcode":"M_UNKNOWN"}`)
		pauses = append(pauses, 0)
	}
	want := []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60}
	for i, p := range want {
		if pauses[i] != p*time.Minute {
			t.Errorf("pause %d is %v, want %v", i, pauses[i], p*time.Minute)
		}
	}
	if n := d.log.count("refuses uploads"); n != 3 {
		t.Errorf("%d reports in 50 hours", n)
	}
	d.settled() // nothing, it pauses
	d.pass(time.Hour)
	d.send(d.one(outbox.Upload))
	d.sync()
	d.settled()
	if len(d.server.keys) != 50 {
		t.Errorf("the server has %d keys at last", len(d.server.keys))
	}
	d.readable()
	d.sound()
}

// TestNamedIDs: which of the ids that an error names are believed.
func TestNamedIDs(t *testing.T) {
	far := otk.ID(1 << 30).String()
	for name, c := range map[string]struct {
		body string
		past otk.ID
	}{
		"none":       {`{}`, 50},
		"nonsense":   {"\xff signed_curve25519:!!!!!! signed_curve25519:AAAA", 50},
		"several":    {`signed_curve25519:AAAD6A signed_curve25519:AAAAAQ`, 1000},
		"in a path":  {`"signed_curve25519:AAAD6A":{}`, 1000},
		"the future": {"signed_curve25519:" + far, 50},
	} {
		d := newDevice(t)
		d.looked()
		r := d.one(outbox.Upload)
		d.refuse(r, 400, c.body)
		ids, _ := parseUpload(t, d.one(outbox.Upload).Body).oneTime(t)
		if ids[0] <= c.past || ids[0] > c.past+5000 {
			t.Errorf("%s: the next ids begin at %d", name, ids[0])
		}
	}
}

// TestTooLarge: the body is halved until it is taken, and grows again.
func TestTooLarge(t *testing.T) {
	d := newDevice(t)
	d.server.most = 10
	d.looked()
	var sizes []int
	for range 6 {
		all := d.out()
		if len(all) == 0 {
			d.sync()
			continue
		}
		sizes = append(sizes, len(parseUpload(t, all[0].Body).OneTime))
		d.send(all[0])
	}
	if want := []int{50, 25, 12, 6, 12}; !slices.Equal(sizes[:5], want) {
		t.Errorf("bodies of %v keys, want %v", sizes, want)
	}
	for range 40 {
		d.sync()
		d.settled()
	}
	if len(d.server.keys) != 50 {
		t.Errorf("the server has %d keys", len(d.server.keys))
	}
	d.server = newServer()
	d.server.most = -1
	d.sync()
	n := 0
	for {
		all := d.out()
		if len(all) == 0 {
			break
		}
		if n++; n > 12 {
			t.Fatal("it never ends")
		}
		d.refuse(all[0], 413, "")
	}
}

// TestOldCounts: a count of a request that began before the last upload ended, or while
// one was under way, causes none.
func TestOldCounts(t *testing.T) {
	d := newDevice(t)
	before := d.began()
	d.looked()
	zero := 0
	d.sawThat(before, &zero, []string{})
	r := d.one(outbox.Upload)
	during := d.began()
	d.send(r)
	d.sawThat(before, &zero, []string{})
	d.sawThat(during, &zero, []string{})
	d.none()
	d.sawThat(d.began(), nil, nil)
	d.none()
	negative := -7
	d.sawThat(d.began(), &negative, nil)
	if u := parseUpload(t, d.one(outbox.Upload).Body); len(u.OneTime) != 50 {
		t.Errorf("%d keys for a server that has less than none", len(u.OneTime))
	}
	huge := 1<<31 - 1
	d.sawThat(d.began(), &huge, nil)
	d.none()
}

// TestPushedCounts: an application service's transaction may be older than anything.
// One that says that keys are missing makes the server be asked, once, and only what
// that answers makes keys.
func TestPushedCounts(t *testing.T) {
	d := newDevice(t)
	pushed := func(count int, unused ...string) {
		if unused == nil {
			unused = []string{} // it says that there is none
		}
		t.Helper()
		d.must(d.account.Do(d.ctx, func(tx *txn.Tx) error { return keys.SawPushed(tx, d.account, &count, unused) }))
	}
	d.looked()
	d.send(d.one(outbox.Upload))
	pushed(records.UploadedKeys, "signed_curve25519")
	d.none()
	for range 3 { // old ones
		pushed(0, "signed_curve25519")
	}
	for range 20 {
		d.server.claim()
	}
	r := d.one(outbox.Upload)
	if u := parseUpload(t, r.Body); u.Device != nil || len(u.OneTime) > 0 {
		t.Errorf("the server is asked with %s", r.Body)
	}
	pushed(0, "signed_curve25519") // while it is asked
	d.send(r)
	pushed(0, "signed_curve25519") // and when it is known
	r = d.one(outbox.Upload)
	if u := parseUpload(t, r.Body); len(u.OneTime) != 20 {
		t.Errorf("%d keys are made, want 20", len(u.OneTime))
	}
	d.send(r)
	d.none()
	if len(d.server.keys) != records.UploadedKeys {
		t.Errorf("the server has %d keys", len(d.server.keys))
	}
	pushed(records.UploadedKeys)
	if _, u := d.pool(); u.Used == 0 {
		t.Error("the fallback key counts as unused")
	}
	d.sound()
}

// TestFallbackKey is replaced weekly, and a day after it was made if the server says
// that it was used; a used one is in no body again, also not in one of an embedder's
// own.
func TestFallbackKey(t *testing.T) {
	d := newDevice(t)
	d.settled()
	first := d.server.fallback
	d.pass(7*24*time.Hour - time.Minute)
	d.settled()
	if d.server.fallback != first {
		t.Error("it is replaced before its time")
	}
	d.pass(time.Minute)
	d.settled()
	second := d.server.fallback
	if second == first {
		t.Error("it is not replaced after a week")
	}
	d.pass(time.Hour)
	for range 51 {
		d.server.claim()
	}
	d.sync()
	r := d.one(outbox.Upload)
	if _, there := parseUpload(t, r.Body).fallbackKey(); there {
		t.Error("a used fallback key is in a body again")
	}
	d.send(r)
	own, err := keys.Offer(d.ctx, d.account, 1)
	d.must(err)
	if key, there := parseUpload(t, own.Body).fallbackKey(); there || own.Fallback != 0 {
		t.Errorf("the used key is in a body of one's own: %v", key == second)
	}
	d.must(keys.MarkPublished(d.ctx, d.account, own))
	d.pass(23*time.Hour - time.Minute)
	d.settled()
	if d.server.fallback != second {
		t.Error("it is replaced twice a day")
	}
	d.pass(time.Minute)
	d.settled()
	if d.server.fallback == second {
		t.Error("a used one is not replaced")
	}
	d.sync()
	d.none()
	d.sound()
}

// TestOvertakenFallback: an upload whose sender died arrives after a newer key was
// published. The key in it is kept until one is published when no such upload can
// arrive any more.
func TestOvertakenFallback(t *testing.T) {
	d := newDevice(t)
	d.settled()
	d.pass(otk.FallbackLife)
	dead := d.one(outbox.Upload) // with the second key
	second, _ := parseUpload(t, dead.Body).fallbackKey()
	d.pass(outbox.OnceLease)
	other := d.another()
	other.settled() // the second key, in another body
	for range 51 {
		d.server.claim()
	}
	d.sync()
	d.settled()
	d.pass(otk.FallbackRest - outbox.OnceLease)
	d.settled() // with a third key
	if d.server.fallback == second {
		t.Fatal("there is no third key")
	}
	d.server.put(t, dead.Body) // at last
	for range 10 {             // offline, but swept
		d.pass(24 * time.Hour)
		d.sweep()
		d.readable()
	}
	d.settled()
	if d.server.fallback == second {
		t.Error("the server has the second key again, and keeps it")
	}
	d.pass(otk.FallbackLife)
	d.sweep()
	d.readable()
	pool, _ := d.pool()
	for f := range pool.AllFallbacks() {
		if f.Public == second {
			t.Error("the second key is kept longer than a week after a newer one was published")
		}
	}
	d.sound()
}

// TestRecoveryEndsUploads: what was under way is abandoned, and nothing is handed out
// before the account is recovered.
func TestRecoveryEndsUploads(t *testing.T) {
	d := newDevice(t)
	d.looked()
	r := d.one(outbox.Upload)
	before, _ := parseUpload(t, r.Body).oneTime(t)
	done, err := lineage.Recover(d.ctx, d.account, records.Kinds())
	d.must(err)
	if done.OneTimeKeys != 50 {
		t.Errorf("%d keys are given up", done.OneTimeKeys)
	}
	if err := d.box.MarkSent(d.ctx, r.ID, d.server.counts()); !errors.Is(err, outbox.ErrNoRequest) {
		t.Errorf("%v for an answer from before", err)
	}
	next := d.one(outbox.Upload)
	ids, _ := parseUpload(t, next.Body).oneTime(t)
	if len(ids) != 50 {
		t.Errorf("%d keys in the first body after the recovery", len(ids))
	}
	for _, id := range ids {
		if id <= before[len(before)-1]+1<<20 {
			t.Errorf("id %d is given after the recovery", id)
		}
	}
	pool, u := d.pool()
	if pool.Count(otk.Abandoned) != 50 || u.Under.Request != next.ID {
		t.Errorf("%d keys are abandoned", pool.Count(otk.Abandoned))
	}
	d.sound()
}

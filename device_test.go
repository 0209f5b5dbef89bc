package pawl_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// device is one account on one handle, with a clock of its own. Its methods
// fail the test where something goes wrong that ought not to.
type device struct {
	*pawl.Machine
	t     testing.TB
	ctx   context.Context
	kv    kv.Store
	store *pawl.Store
	id    pawl.Identity
	clock *clock
	// fallback was in the last body that had one: a body has none once it is used.
	fallback ratchet.PublicKey
}

// atFloor makes the tests show that all works on the smallest engine there may
// be: every store in memory takes and keeps no more than kv.Floor.
//
//	go test -short -floor .
var atFloor = flag.Bool("floor", false, "run on stores with the limits of kv.Floor")

// newMemory returns an empty store in memory.
func newMemory(opts ...memkv.Option) *memkv.Store {
	if *atFloor {
		opts = append(opts, memkv.WithLimits(kv.Floor()))
	}
	return memkv.New(opts...)
}

var testKey = pawl.WithKey([32]byte{9})

// newDevice creates an account in a store.
func newDevice(t testing.TB, store kv.Store, user matrix.UserID, opts ...pawl.Option) *device {
	t.Helper()
	d := &device{t: t, ctx: t.Context(), kv: store, clock: &clock{at: time.Date(2026, 5, 13, 20, 5, 0, 0, time.UTC)}}
	d.store = d.open(opts...)
	var err error
	if d.Machine, err = d.store.Create(d.ctx, user, "DEVICE"); err != nil {
		t.Fatal(err)
	}
	if d.id, err = d.Machine.Identity(d.ctx); err != nil {
		t.Fatal(err)
	}
	return d
}

// pair returns two devices, each in a memory of its own.
func pair(t testing.TB) (alice, bob *device) {
	t.Helper()
	return newDevice(t, newMemory(), "@alice:example.org"), newDevice(t, newMemory(), "@bob:example.org")
}

func (d *device) open(opts ...pawl.Option) *pawl.Store {
	d.t.Helper()
	return openStore(d.t, d.kv, append([]pawl.Option{testKey, pawl.WithClock(d.clock.now)}, opts...)...)
}

func openStore(t testing.TB, store kv.Store, opts ...pawl.Option) *pawl.Store {
	t.Helper()
	s, err := pawl.Open(t.Context(), store, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// on returns another handle on the same account, through another view of the
// same store.
func (d *device) on(view kv.Store, opts ...pawl.Option) *device {
	d.t.Helper()
	other := *d
	other.kv = view
	other.store = other.open(opts...)
	var err error
	if other.Machine, err = other.store.Machine(d.ctx, d.id.UserID, d.id.DeviceID); err != nil {
		d.t.Fatal(err)
	}
	return &other
}

// upload returns the keys of an upload by their ids.
func (d *device) upload(n int) (u pawl.Upload, oneTime, fallback map[string]ratchet.PublicKey) {
	d.t.Helper()
	u, err := d.KeysForUpload(d.ctx, n)
	if err != nil {
		d.t.Fatal(err)
	}
	oneTime, fallback = d.keysIn(u.Body)
	for _, key := range fallback {
		d.fallback = key
	}
	return u, oneTime, fallback
}

// keysIn returns the keys of a body by their ids.
func (d *device) keysIn(text []byte) (oneTime, fallback map[string]ratchet.PublicKey) {
	d.t.Helper()
	var body struct {
		OneTime  map[string]struct{ Key string } `json:"one_time_keys"`
		Fallback map[string]struct{ Key string } `json:"fallback_keys"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		d.t.Fatal(err)
	}
	oneTime, fallback = map[string]ratchet.PublicKey{}, map[string]ratchet.PublicKey{}
	for id, k := range body.OneTime {
		oneTime[id] = d.parseKey(k.Key)
	}
	for id, k := range body.Fallback {
		fallback[id] = d.parseKey(k.Key)
	}
	return oneTime, fallback
}

func (d *device) parseKey(text string) ratchet.PublicKey {
	d.t.Helper()
	key, err := ratchet.ParsePublicKey(text)
	if err != nil {
		d.t.Fatal(err)
	}
	return key
}

// oneTimeKey returns a new one-time key that was offered.
func (d *device) oneTimeKey() ratchet.PublicKey {
	d.t.Helper()
	_, keys, _ := d.upload(1)
	return slices.Collect(maps.Values(keys))[0]
}

// fallbackKey returns the current fallback key.
func (d *device) fallbackKey() ratchet.PublicKey {
	d.t.Helper()
	d.upload(0)
	if d.fallback == (ratchet.PublicKey{}) {
		d.t.Fatal("the fallback key is used, and was in no body")
	}
	return d.fallback
}

// send encrypts for another device.
func (d *device) send(to *device, text string, opts ...pawl.EncryptOption) ratchet.Message {
	d.t.Helper()
	e, err := d.Encrypt(d.ctx, to.id.Curve25519, []byte(text), opts...)
	if err != nil {
		d.t.Fatal(err)
	}
	return e.Message
}

// receive decrypts what must decrypt.
func (d *device) receive(from *device, m ratchet.Message) pawl.Decrypted {
	d.t.Helper()
	got, err := d.Decrypt(d.ctx, from.id.Curve25519, m)
	if err != nil {
		d.t.Fatal(err)
	}
	return got
}

// meet opens a session from d to another device and lets it answer.
func (d *device) meet(other *device) {
	d.t.Helper()
	other.receive(d, d.send(other, "hello", pawl.WithOneTimeKey(other.oneTimeKey())))
	d.receive(other, other.send(d, "hello yourself"))
}

// sessions returns the sessions with another device as Inspect shows them.
func (d *device) sessions(with *device) []pawl.SessionInfo {
	d.t.Helper()
	for _, p := range d.inspect().Peers {
		if p.Curve25519 == with.id.Curve25519 {
			return p.Sessions
		}
	}
	return nil
}

func (d *device) inspect() pawl.Inspection {
	d.t.Helper()
	in, err := d.Inspect(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	return in
}

// intact fails the test if Check finds anything.
func (d *device) intact() {
	d.t.Helper()
	broken, err := d.Check(d.ctx)
	if err != nil || len(broken) > 0 {
		d.t.Errorf("check: %q, error %v", broken, err)
	}
}

// dump returns every entry of the store with its version.
func dump(t testing.TB, store kv.Store) map[string]string {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	all := map[string]string{}
	for e, err := range snap.Scan(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all[e.Key] = fmt.Sprintf("%d %s", e.Version, e.Value)
	}
	return all
}

// unchanged fails the test if f changes the store.
func (d *device) unchanged(f func()) {
	d.t.Helper()
	before := dump(d.t, d.kv)
	f()
	if after := dump(d.t, d.kv); !maps.Equal(before, after) {
		d.t.Errorf("the store has changed: %d entries before, %d after", len(before), len(after))
	}
}

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// pass moves the clock on, or back.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

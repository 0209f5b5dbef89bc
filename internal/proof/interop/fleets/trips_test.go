//go:build linux

package fleets

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// trips calls do, and checks how many messages and commits it took.
func (f *far) trips(t *testing.T, what string, most func(commits int) int, do func() error) {
	t.Helper()
	f.calls.Store(0)
	f.rounds.Store(0)
	f.commits.Store(0)
	began := time.Now()
	err := do()
	took, calls, rounds, made := time.Since(began), int(f.calls.Load()), int(f.rounds.Load()), int(f.commits.Load())
	if f.holds.Swap(false) {
		took -= time.Duration(rounds) * holding
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%-54s %3d round trips (%d calls), %d commits, %7.1f ms", what, rounds, calls, made, took.Seconds()*1000)
	if limit := most(made); rounds > limit {
		t.Errorf("%s: %d round trips in %d commits, want %d at most", what, rounds, made, limit)
	}
}

// remote is a device whose store is far away.
type remote struct {
	*pawl.Machine
	key ratchet.PublicKey
}

func (f *far) device(t *testing.T, name string, more ...pawl.Option) remote {
	t.Helper()
	options := append([]pawl.Option{pawl.WithKey([32]byte{1}), pawl.WithObserver(func(r txn.Report) {
		if r.Committed {
			f.commits.Add(1)
		}
	})}, more...)
	store, err := pawl.Open(t.Context(), f.open(name), options...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.OpenOrCreate(t.Context(), matrix.UserID("@"+name+":example.org"), "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	id, err := m.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return remote{m, id.Curve25519}
}

// near are devices with stores in memory, who write to a remote one.
func near(t *testing.T, n int) (all []remote) {
	t.Helper()
	for i := range n {
		store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
		if err != nil {
			t.Fatal(err)
		}
		m, err := store.OpenOrCreate(t.Context(), matrix.UserID(fmt.Sprintf("@near%d:example.org", i)), "PHONE")
		if err != nil {
			t.Fatal(err)
		}
		id, err := m.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, remote{m, id.Curve25519})
	}
	return all
}

// say encrypts on a near device for a remote one.
func (d remote) say(t *testing.T, to remote, options ...pawl.EncryptOption) pawl.Incoming {
	t.Helper()
	said, err := d.Encrypt(t.Context(), to.key, []byte("hello"), options...)
	if err != nil {
		t.Fatal(err)
	}
	return pawl.Incoming{Sender: d.key, Message: said.Message}
}

// keysOf uploads one-time keys and a fallback key, and returns them: the fallback key last.
func keysOf(t *testing.T, d remote, n int) (keys []ratchet.PublicKey) {
	t.Helper()
	upload, err := d.KeysForUpload(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		OneTime  map[string]struct{ Key string } `json:"one_time_keys"`
		Fallback map[string]struct{ Key string } `json:"fallback_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil {
		t.Fatal(err)
	}
	for _, all := range []map[string]struct{ Key string }{body.OneTime, body.Fallback} {
		for _, one := range all {
			key, err := ratchet.ParsePublicKey(one.Key)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
	}
	if len(keys) != n+1 {
		t.Fatalf("%d keys in %s, want %d and a fallback key", len(keys), upload.Body, n)
	}
	if err := d.MarkPublished(t.Context(), upload); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestRoundTrips counts what a call costs over a network, on both engines, and prints what
// it takes at each distance: the first call of a process and those that follow, in
// sessions and where one is opened, without a cache and with one.
func TestRoundTrips(t *testing.T) {
	for engine, open := range map[string]func(*testing.T) *far{postgres: farPostgres, etcd: farEtcd} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			open(t).figures(t, engine)
		})
	}
}

// batchOf is how many messages a batch has.
const batchOf = 100

func (f *far) figures(t *testing.T, engine string) {
	ctx := t.Context()
	exactly := func(n int) func(int) int { return func(int) int { return n } }
	batches, opening := exactly(4), exactly(9)
	if engine == etcd { // which is split
		batches = func(commits int) int { return 4 * commits }
	}
	peers := near(t, batchOf)
	bob := f.device(t, "bob")
	keys := keysOf(t, bob, batchOf/2)
	for i, p := range peers { // half of them open their sessions with the fallback key
		p.say(t, bob, pawl.WithOneTimeKey(keys[min(i, len(keys)-1)]))
	}
	decrypt := func(d remote, in pawl.Incoming) func() error {
		return func() error { _, err := d.Decrypt(ctx, in.Sender, in.Message); return err }
	}
	encrypt := func(d remote, to remote) func() error {
		return func() error { _, err := d.Encrypt(ctx, to.key, []byte("hello")); return err }
	}
	batch := func(d remote, of func(i int) pawl.Incoming) func() error {
		all := make([]pawl.Incoming, batchOf)
		for i := range all {
			all[i] = of(i)
		}
		return func() error {
			f.holds.Store(true)
			results, err := d.DecryptBatch(ctx, all)
			for _, r := range results {
				err = errors.Join(err, r.Err)
			}
			if len(results) != len(all) {
				err = errors.Join(err, fmt.Errorf("%d answers to %d messages", len(results), len(all)))
			}
			return err
		}
	}
	each := func(d remote) func(int) pawl.Incoming { return func(i int) pawl.Incoming { return peers[i].say(t, d) } }
	for round, distance := range distances {
		f.at(0)
		name := fmt.Sprint("device", round)
		first := f.device(t, name)
		keys := keysOf(t, first, 2)
		fallback := keys[2]
		peers[0].say(t, first, pawl.WithOneTimeKey(keys[0]))
		again := f.device(t, name) // another process
		cached := f.device(t, name, pawl.WithCache(txn.Validated))
		t.Logf("a server that is %v away:", distance)
		f.at(distance)
		var other remote
		f.trips(t, "opening the engine, the store and the device", opening, func() error { other = f.device(t, name); return nil })
		f.trips(t, "decrypt, opens a session with a one-time key", exactly(3), decrypt(first, peers[0].say(t, first)))
		f.trips(t, "decrypt, in a session", exactly(3), decrypt(first, peers[0].say(t, first)))
		f.trips(t, "encrypt, in a session", exactly(3), encrypt(first, peers[0]))
		f.trips(t, "decrypt, the first of a process", exactly(3), decrypt(other, peers[0].say(t, first)))
		f.trips(t, "encrypt, the first of a process", exactly(3), encrypt(again, peers[0]))
		in := peers[0].say(t, first, pawl.WithOneTimeKey(fallback))
		f.trips(t, "decrypt, opens one with the fallback key elsewhere", exactly(3), decrypt(again, in))
		f.trips(t, "decrypt, the same again", exactly(3), decrypt(again, in))
		f.trips(t, "encrypt, opens a session", exactly(3), func() error {
			_, err := first.Encrypt(ctx, peers[1].key, []byte("hello"), pawl.WithOneTimeKey(keysOf(t, peers[1], 1)[0]))
			return err
		})
		f.trips(t, "a batch of one sender", batches, batch(first, func(int) pawl.Incoming { return peers[0].say(t, first) }))
		if round == 0 {
			f.trips(t, "a batch of 100 strangers", batches, batch(bob, each(bob)))
		}
		f.trips(t, "a batch of 100 senders, the first of a process", batches, batch(f.device(t, "bob"), each(bob)))
		f.trips(t, "a batch of 100 senders", batches, batch(bob, each(bob)))
		if err := encrypt(cached, peers[0])(); err != nil {
			t.Fatal(err)
		}
		f.trips(t, "encrypt with a cache", exactly(1), encrypt(cached, peers[0]))
		if err := decrypt(cached, peers[0].say(t, first))(); err != nil {
			t.Fatal(err)
		}
		// One to know the order of messages on all devices, which is that of the store.
		f.trips(t, "decrypt with a cache", exactly(2), decrypt(cached, peers[0].say(t, first)))
		in = peers[0].say(t, first)
		if err := decrypt(cached, in)(); err != nil {
			t.Fatal(err)
		}
		f.trips(t, "decrypt with a cache, the same again", exactly(1), decrypt(cached, in))
	}
}

package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// commits returns store with its commits that write counted.
func commits(store kv.Store) (kv.Store, *atomic.Int64) {
	var n atomic.Int64
	return faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 {
			n.Add(1)
		}
		return nil
	}}), &n
}

// TestBatch: good and bad messages of several senders, one commit.
func TestBatch(t *testing.T) {
	alice, bob := pair(t)
	carol := newDevice(t, newMemory(), "@carol:example.org")
	alice.meet(bob)
	key := bob.oneTimeKey()
	from := func(d *device, m ratchet.Message) pawl.Incoming {
		return pawl.Incoming{Sender: d.id.Curve25519, Message: m}
	}
	one, two := alice.send(bob, "one"), alice.send(bob, "two")
	opening := carol.send(bob, "opening", pawl.WithOneTimeKey(key))
	batch := []struct {
		in        pawl.Incoming
		text      string
		duplicate bool
		want      error
	}{
		{from(alice, two), "two", false, nil},
		{from(alice, edit(one, -1, flip)), "", false, ratchet.ErrMAC},
		{from(alice, one), "one", false, nil},
		{from(alice, one), "one", true, nil},
		{from(alice, ratchet.Message{Type: 7}), "", false, pawl.ErrMessageType},
		{from(carol, opening), "opening", false, nil},
		{from(carol, carol.send(bob, "still opening")), "still opening", false, nil},
		{from(carol, carol.send(bob, "the key again", pawl.WithOneTimeKey(key))), "", false, otk.ErrUsed},
		{from(alice, opening), "", false, account.ErrSender},
		{from(carol, opening), "opening", true, nil},
	}
	view, written := commits(bob.kv)
	handle := bob.on(view)
	var in []pawl.Incoming
	for _, b := range batch {
		in = append(in, b.in)
	}
	results, err := handle.DecryptBatch(bob.ctx, in)
	if err != nil || len(results) != len(batch) {
		t.Fatalf("%d results, error %v", len(results), err)
	}
	for i, r := range results {
		want := batch[i]
		if !errors.Is(r.Err, want.want) || string(r.Plaintext) != want.text || r.Duplicate != want.duplicate {
			t.Errorf("message %d: %q, duplicate %t, error %v; want %q, %t, %v",
				i, r.Plaintext, r.Duplicate, r.Err, want.text, want.duplicate, want.want)
		}
	}
	if n := written.Load(); n != 1 {
		t.Errorf("the batch took %d commits", n)
	}
	bob.intact()
}

// TestBatchLikeOneByOne: a batch leaves what its messages leave one by one.
func TestBatchLikeOneByOne(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	var in []pawl.Incoming
	for i := range 20 {
		in = append(in, pawl.Incoming{Sender: alice.id.Curve25519, Message: alice.send(bob, fmt.Sprint(i))})
	}
	if _, err := bob.DecryptBatch(bob.ctx, in[:10]); err != nil {
		t.Fatal(err)
	}
	for _, m := range in[10:] {
		if d := bob.receive(alice, m.Message); d.Duplicate {
			t.Error("a message that was not in the batch is a duplicate")
		}
	}
	alice.receive(bob, bob.send(alice, "all read"))
	if got := bob.inspect().Receipts.Open; got != 21 {
		t.Errorf("%d receipts", got)
	}
	bob.intact()
}

// TestBatchInChunks: more than MaxBatch messages take several commits, and a
// chunk that is too large for the store takes more.
func TestBatchInChunks(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	const n = pawl.MaxBatch + 1
	var in []pawl.Incoming
	for i := range n {
		in = append(in, pawl.Incoming{Sender: alice.id.Curve25519, Message: alice.send(bob, fmt.Sprint(i))})
	}
	for name, most := range map[string]int{"as it is": kv.EmbeddedWrites, "in a store of small commits": 300} {
		t.Run(name, func(t *testing.T) {
			store := copied(t, bob.kv)
			most = min(most, store.Limits().Writes)
			view, written := commits(small(store, most))
			results, err := bob.on(view).DecryptBatch(bob.ctx, in)
			if err != nil || len(results) != n {
				t.Fatalf("%d results, error %v", len(results), err)
			}
			for i, r := range results {
				if r.Err != nil || r.Duplicate || string(r.Plaintext) != fmt.Sprint(i) {
					t.Fatalf("message %d: %+v", i, r)
				}
			}
			// A chunk writes one receipt a message and one session.
			if got, least := int(written.Load()), (n+most-1)/most; got < max(least, 2) || got > 3*max(least, 2) {
				t.Errorf("%d commits", got)
			}
		})
	}
}

// copied returns a memory with the same entries.
func copied(t *testing.T, store kv.Store) kv.Store {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	var all []kv.Write
	for e, err := range snap.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, kv.Write{Key: e.Key, Value: e.Value})
	}
	to := newMemory()
	commit(t, to, all...)
	return to
}

// small returns store with commits of so many writes at most.
func small(store kv.Store, most int) kv.Store {
	return faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(call.Batch.Writes) > most {
			return kv.ErrTooLarge
		}
		return nil
	}})
}

// TestBatchErrorOfTheStore: the results of the commits before it are returned.
func TestBatchErrorOfTheStore(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	var in []pawl.Incoming
	for range pawl.MaxBatch + 5 {
		in = append(in, pawl.Incoming{Sender: alice.id.Curve25519, Message: alice.send(bob, "text")})
	}
	first := pawl.MaxBatch
	if *atFloor {
		first = 56 // and the account, the peer and its session; the next could need 42 checks
	}
	results, err := bob.on(faulty.Commits(bob.kv, faulty.None, faulty.DiskFull)).DecryptBatch(bob.ctx, in)
	if !errors.Is(err, kv.ErrDiskFull) || len(results) != first {
		t.Fatalf("%d results, error %v; want %d", len(results), err, first)
	}
	rest, err := bob.DecryptBatch(bob.ctx, in[first:])
	if err != nil || len(rest) != len(in)-first {
		t.Fatalf("the rest: %d results, error %v", len(rest), err)
	}
	for i, r := range rest {
		if r.Err != nil || r.Duplicate {
			t.Errorf("message %d of the rest: error %v, duplicate %t", i, r.Err, r.Duplicate)
		}
	}
}

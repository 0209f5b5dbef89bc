package pawl_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// readings counts the records of a kind that are read from a store, and those
// that a commit checks.
type readings struct {
	kv.Store
	kind          string // "/session/"
	read, checked atomic.Int64
}

func (r *readings) Snapshot() kv.Snapshot { return readingView{r.Store.Snapshot(), r} }

func (r *readings) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	for _, read := range b.Reads {
		if strings.Contains(read.Key, r.kind) {
			r.checked.Add(1)
		}
	}
	return r.Store.Commit(ctx, b)
}

type readingView struct {
	kv.Snapshot
	of *readings
}

func (v readingView) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	for _, key := range keys {
		if strings.Contains(key, v.of.kind) {
			v.of.read.Add(1)
		}
	}
	return v.Snapshot.Get(ctx, keys...)
}

// TestOneSessionIsRead: of a peer with 32 sessions a message that decrypts reads
// the one that it is of, and nothing of the others stands or falls with it; one
// that does not reads all.
func TestOneSessionIsRead(t *testing.T) {
	engine := &readings{Store: newMemory(), kind: "/session/"}
	alice, bob := newDevice(t, newMemory(), "@alice:example.org"), newDevice(t, engine, "@bob:example.org")
	for range session.MaxPerPeer {
		alice.meet(bob)
	}
	count := func(what string, want int64, call func()) {
		t.Helper()
		engine.read.Store(0)
		engine.checked.Store(0)
		call()
		if read, checked := engine.read.Load(), engine.checked.Load(); read != want || checked != want {
			t.Errorf("%s reads %d sessions and checks %d, want %d", what, read, checked, want)
		}
	}
	receive := func(what string, want int64, m ratchet.Message) {
		t.Helper()
		count(what, want, func() { bob.receive(alice, m) })
	}
	receive("a message", 1, alice.send(bob, "one"))
	receive("the next", 1, alice.send(bob, "two"))
	late := alice.send(bob, "late")
	receive("one that is ahead", 1, alice.send(bob, "ahead"))
	receive("one that is late", 1, late)
	alice.receive(bob, bob.send(alice, "your turn"))
	receive("one of a new chain", 1, alice.send(bob, "turned"))
	other := bob.on(engine)
	m := alice.send(bob, "elsewhere")
	count("the first of a process", session.MaxPerPeer, func() { other.receive(alice, m) })
	m = alice.send(bob, "elsewhere again")
	count("its second", 1, func() { other.receive(alice, m) })
	count("a batch", 1, func() {
		var batch []pawl.Incoming
		for range 3 {
			batch = append(batch, pawl.Incoming{Sender: alice.id.Curve25519, Message: alice.send(bob, "in a batch")})
		}
		results, err := bob.DecryptBatch(bob.ctx, batch)
		for _, r := range results {
			if r.Err != nil || err != nil {
				t.Errorf("in a batch: %v, %v", r.Err, err)
			}
		}
	})
	count("one that fails", session.MaxPerPeer, func() {
		_, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, junk(ratchet.PublicKey{9}, 0))
		if u := (*pawl.UndecryptableError)(nil); !errors.As(err, &u) || u.Tried != session.MaxPerPeer {
			t.Errorf("%v, want an UndecryptableError of %d sessions", err, session.MaxPerPeer)
		}
	})
	bob.intact()
}

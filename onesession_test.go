package pawl_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"

	"pgregory.net/rapid"
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

// TestWrongHints: what a process remembers of a peer decides how much it reads,
// and nothing else. Messages in several sessions, which are opened meanwhile, come to
// processes that have seen few of them, late and twice: each is decrypted once, and
// one that was changed changes nothing.
func TestWrongHints(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		alice, bob := pair(t)
		alice.meet(bob)
		here := []*device{bob, bob.on(bob.kv), bob.on(bob.kv, pawl.WithCache(txn.Validated))}
		at := func() *device { return rapid.SampledFrom(here).Draw(r, "process") }
		var late []ratchet.Message
		for range rapid.IntRange(10, ratchet.MaxSkippedKeys).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "step") {
			case 0:
				late = append(late, alice.send(bob, "new", pawl.WithOneTimeKey(bob.oneTimeKey())))
			case 1:
				e := at().encrypt(alice)
				alice.receive(bob, e.Message)
			case 2, 3:
				if len(late) > 0 {
					i := rapid.IntRange(0, len(late)-1).Draw(r, "late")
					at().receive(alice, late[i])
					for _, d := range here {
						if got, err := d.Decrypt(d.ctx, alice.id.Curve25519, late[i]); err != nil || !got.Duplicate {
							r.Fatalf("once more: duplicate %v, %v", got.Duplicate, err)
						}
					}
					late = slices.Delete(late, i, i+1)
				}
			case 4:
				d, m := at(), alice.send(bob, "changed")
				late = append(late, m)
				bad := ratchet.Message{Type: m.Type, Body: slices.Clone(m.Body)}
				bad.Body[len(bad.Body)-1] ^= 1
				d.unchanged(func() {
					if _, err := d.Decrypt(d.ctx, alice.id.Curve25519, bad); err == nil {
						r.Fatal("a message that was changed is decrypted")
					}
				})
			default:
				late = append(late, alice.send(bob, "text"))
			}
		}
		for _, m := range late {
			at().receive(alice, m)
		}
		bob.intact()
	})
}

// TestHintOfAPrunedSession: where another process has pruned the session that a
// message is of, the answer is that of a process that knows nothing.
func TestHintOfAPrunedSession(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	bob.receive(alice, alice.send(bob, "in the session"))
	late := alice.send(bob, "late")
	other := bob.on(bob.kv)
	for range session.MaxPerPeer {
		alice.meet(other)
	}
	_, want := bob.on(bob.kv).Decrypt(bob.ctx, alice.id.Curve25519, late)
	if u := (*pawl.UndecryptableError)(nil); !errors.As(want, &u) {
		t.Fatalf("in a process that knows nothing: %v", want)
	}
	bob.unchanged(func() {
		if _, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, late); err == nil || err.Error() != want.Error() {
			t.Errorf("%v, want %v", err, want)
		}
	})
	bob.intact()
}

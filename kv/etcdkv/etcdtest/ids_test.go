package etcdtest

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

// TestPruned: what is kept of many commits, and refusals, stays within its bounds, and is
// counted in etcd.
func TestPruned(t *testing.T) {
	c := Start(t, Newest(), 1)
	client := c.Connect(t)
	const keep = 40
	s := storeOf(t, open(t, c, etcdkv.WithCommitIDs(keep)), "alice")
	for i := range 5 * keep {
		mustPut(t, s, "k", "v")
		if i%2 == 0 {
			b := &kv.Batch{ID: kv.NewCommitID(head(t, s)), Reads: []kv.Read{{Key: "k"}}, Writes: []kv.Write{{Key: "l"}}, Again: true}
			if _, err := s.Commit(t.Context(), b); kv.OutcomeOf(err) != kv.Conflict {
				t.Fatal(err)
			}
		}
	}
	await(t, func(ctx context.Context) bool {
		left, err := client.Get(ctx, "alice\x00i", clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err == nil && left.Count >= keep && left.Count <= 2*keep
	})
}

// TestTurnOfTheDead: a turn whose process died holds up others for as long as it lasts.
func TestTurnOfTheDead(t *testing.T) {
	c := Start(t, Newest(), 1)
	client := c.Connect(t)
	s := storeOf(t, open(t, c), "alice")
	const dead = "alice\x00t0123456789abcdef"
	if _, err := client.Put(t.Context(), dead, ""); err != nil { // on the whole store
		t.Fatal(err)
	}
	mustPut(t, s, "k", "v")
	left, err := client.Get(t.Context(), dead)
	if err != nil || left.Count != 0 {
		t.Errorf("a commit has not waited for the turn: %v, %v", left, err)
	}
	turn, err := s.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	turn.Release()
}

// await waits until a condition holds.
func await(t *testing.T, holds func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); !holds(ctx); <-tick.C {
		if ctx.Err() != nil {
			t.Fatal("it does not come to pass")
		}
	}
}

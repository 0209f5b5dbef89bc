package pawl_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
)

// batchOf returns n new messages of one sender.
func batchOf(from, to *device, n int) []pawl.Incoming {
	batch := make([]pawl.Incoming, n)
	for i := range batch {
		batch[i] = pawl.Incoming{Sender: from.id.Curve25519, Message: from.send(to, fmt.Sprint(i))}
	}
	return batch
}

// TestBatchThatAlwaysLoses: a batch that takes so long that others always come
// first is split until its parts get through, and no message is lost.
func TestBatchThatAlwaysLoses(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	batch := batchOf(alice, bob, 8)
	lost := 0
	busy := faulty.Wrap(bob.kv, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		// One session and two receipts at most are written in time.
		if call.Op != faulty.Commit || len(call.Batch.Writes) <= 3 {
			return nil
		}
		lost++
		return &kv.ConflictError{Keys: []string{call.Batch.Reads[0].Key}}
	}})
	results, err := bob.on(busy).DecryptBatch(t.Context(), batch)
	if err != nil || len(results) != len(batch) {
		t.Fatalf("%d results, error %v", len(results), err)
	}
	for i, r := range results {
		if r.Err != nil || r.Duplicate || string(r.Plaintext) != fmt.Sprint(i) {
			t.Errorf("message %d: error %v, duplicate %t", i, r.Err, r.Duplicate)
		}
	}
	// Five attempts at the eight, five at the first half: the rest goes in
	// quarters.
	if lost != 10 {
		t.Errorf("lost %d attempts, want 10", lost)
	}
	bob.intact()
}

// TestBatchAsksOnce: what many messages of one sender need is fetched once.
func TestBatchAsksOnce(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	batch := batchOf(alice, bob, 50)
	watched := faulty.Wrap(bob.kv, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if sorted := slices.Sorted(slices.Values(call.Keys)); call.Op == faulty.Get && len(slices.Compact(sorted)) != len(call.Keys) {
			t.Errorf("%d keys are asked for, %d different ones", len(call.Keys), len(slices.Compact(sorted)))
		}
		return nil
	}})
	if _, err := bob.on(watched).DecryptBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

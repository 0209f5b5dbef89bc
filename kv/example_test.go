package kv_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// A step reads from one snapshot, computes, and commits what it writes together
// with what it read. Another step that commits in between makes that a conflict:
// nothing was written, and the step begins anew.
func Example() {
	ctx := context.Background()
	var store kv.Store = memkv.New()
	defer store.Close()

	step := func(value string) error {
		snapshot := store.Snapshot()
		defer snapshot.Close()
		entries, err := snapshot.Get(ctx, "counter")
		if err != nil {
			return err
		}
		began, err := snapshot.Version(ctx)
		if err != nil {
			return err
		}
		_, err = store.Commit(ctx, &kv.Batch{
			ID:     kv.NewCommitID(began),
			Reads:  []kv.Read{{Key: "counter", Version: entries[0].Version}},
			Writes: []kv.Write{{Key: "counter", Value: append(entries[0].Value, value...)}},
			Sync:   true,
		})
		return err
	}
	if err := step("1"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(step("2"))

	stale := &kv.Batch{
		ID:     kv.NewCommitID(1),
		Reads:  []kv.Read{{Key: "counter", Version: 1}}, // as it was after the first
		Writes: []kv.Write{{Key: "counter", Value: []byte("3")}},
	}
	_, err := store.Commit(ctx, stale)
	fmt.Println(kv.OutcomeOf(err), "-", err)
	// Output:
	// <nil>
	// conflict - kv: conflict: what was read has changed: "counter"
}

// A commit whose answer was lost is committed again, and says so, until its
// outcome is known.
func ExampleOutcomeOf() {
	ctx := context.Background()
	store := memkv.New()
	b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: []byte("v")}}, Sync: true}
	_, err := lossy{store}.Commit(ctx, b)
	fmt.Println(kv.OutcomeOf(err))
	for !kv.OutcomeOf(err).Resolves() && kv.OutcomeOf(err).MayAsk() {
		b.Again = true
		var version kv.Version
		version, err = store.Commit(ctx, b)
		fmt.Println(kv.OutcomeOf(err), "at version", version)
	}
	// Output:
	// unknown
	// applied at version 1
}

// lossy loses the answers of a store.
type lossy struct{ kv.Store }

func (s lossy) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	_, _ = s.Store.Commit(ctx, b)
	return 0, kv.ErrUnknown
}

// A caller that writes more than one commit takes asks the engine how much that
// is.
func ExampleLimits() {
	store := memkv.New(memkv.WithLimits(kv.Floor()))
	limits := store.Limits()
	fmt.Println(limits.Writes, "writes and", limits.Bytes>>20, "MiB a commit")

	b := &kv.Batch{ID: kv.NewCommitID(0)}
	for i := range limits.Writes + 1 {
		b.Writes = append(b.Writes, kv.Write{Key: fmt.Sprint(i)})
	}
	fmt.Println(b.Check(limits))
	// Output:
	// 100 writes and 1 MiB a commit
	// kv: batch too large: 101 writes, at most 100
}

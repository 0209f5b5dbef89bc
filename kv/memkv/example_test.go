package memkv_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// A store in memory is a kv.Store like any other, for tests and simulation.
func Example() {
	ctx := context.Background()
	store := memkv.New()
	defer store.Close()
	for _, value := range []string{"first", "second"} {
		_, err := store.Commit(ctx, &kv.Batch{
			ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: []byte(value)}},
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	for change, err := range store.Watch(ctx, "k", 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(change.Key, "changed at version", change.Version)
		break
	}
	// Output: k changed at version 2
}

// Tests show that a program runs on every engine by giving it one that takes and
// keeps no more than any does.
func ExampleWithLimits() {
	store := memkv.New(memkv.WithLimits(kv.Floor()))
	fmt.Printf("%+v\n", store.Limits())
	// Output: {Bytes:1048576 Writes:100 Checks:100 CommitIDs:1000 TurnLife:250ms}
}

package faulty_test

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
)

// The first commit is applied and its answer lost, the second meets a full disk.
func ExampleCommits() {
	store := faulty.Commits(memkv.New(), faulty.AppliedUnknown, faulty.DiskFull)
	b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k"}}}
	for range 3 {
		version, err := store.Commit(context.Background(), b)
		fmt.Println(version, err)
		b.Again = true
	}
	// Output:
	// 0 kv: outcome unknown
	// 0 kv: disk full
	// 1 <nil>
}

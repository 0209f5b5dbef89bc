package copykv_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// Bring makes a store hold what another does, in commits that it takes, and
// Verify compares the two.
func Example() {
	ctx := context.Background()
	source, target := memkv.New(), memkv.New(memkv.WithLimits(kv.Floor()))
	b := &kv.Batch{ID: kv.NewCommitID(0)}
	for i := range 250 {
		b.Writes = append(b.Writes, kv.Write{Key: fmt.Sprintf("kept/%d", i)}, kv.Write{Key: fmt.Sprintf("not/%d", i)})
	}
	if _, err := source.Commit(ctx, b); err != nil {
		log.Fatal(err)
	}

	snapshot := source.Snapshot()
	defer snapshot.Close()
	kept := func(key string) bool { return strings.HasPrefix(key, "kept/") }
	if err := copykv.Bring(ctx, snapshot, target, kept, func() {}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(copykv.Verify(ctx, snapshot, target, kept, func() {}))
	copied, err := copykv.Read(ctx, target.Snapshot())
	fmt.Println(len(copied.Entries), "entries", err)
	// Output:
	// <nil>
	// 250 entries <nil>
}

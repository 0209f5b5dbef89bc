package moving_test

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/moving"
	"github.com/pawlkv/pawl/kv/memkv"
)

// A view takes up what is committed, as long as nothing that it has returned
// changes.
func Example() {
	ctx, store := context.Background(), moving.Wrap(memkv.New())
	put := func(key string) {
		b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte("v")}}}
		if _, err := store.Commit(ctx, b); err != nil {
			fmt.Println(err)
		}
	}
	view := store.Snapshot()
	defer view.Close()
	for _, key := range []string{"a", "b", "a"} {
		entries, err := view.Get(ctx, key)
		fmt.Println(len(entries) == 1 && entries[0].Exists(), err)
		put("b")
		if key == "b" {
			put("a")
		}
	}
	// Output:
	// false <nil>
	// true <nil>
	// false kv: conflict: what was read has changed: something that the view has returned
}

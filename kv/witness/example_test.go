package witness_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/witness"
)

// A store with a witness saves how far it has come with each synced commit. A
// store that is not as far when it is opened next has lost something.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file, ctx := witness.NewFile(filepath.Join(dir, "witness")), context.Background()
	defer file.Close()

	mark := witness.Mark{Store: [16]byte{1}, Generation: 1}
	if err := file.Save(ctx, mark); err != nil {
		log.Fatal(err)
	}
	store := witness.Wrap(memkv.New(), file, mark)
	for range 3 {
		_, err := store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k"}}, Sync: true})
		if err != nil {
			log.Fatal(err)
		}
	}
	saved, err := file.Load(ctx)
	if err != nil {
		log.Fatal(err)
	}
	older := memkv.New() // a backup, say
	head, err := older.Snapshot().Version(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the store is at version %d and was at %d: behind: %v\n", head, saved.Head, head < saved.Head)
	// Output: the store is at version 0 and was at 3: behind: true
}

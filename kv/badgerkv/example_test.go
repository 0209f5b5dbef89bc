package badgerkv_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// Any number of processes may open the same directory. Here two stores do: the
// first owns Badger, the second reaches it through the first. When the first is
// closed, the next call of the second takes over.
func Example() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir, ctx := filepath.Join(parent, "alice.pawl"), context.Background()

	app, err := badgerkv.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	extension, err := badgerkv.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer extension.Close()
	fmt.Println("the app owns the store:", app.Status().Owner)

	_, err = extension.Commit(ctx, &kv.Batch{
		ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: []byte("v")}}, Sync: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := app.Close(); err != nil {
		log.Fatal(err)
	}

	snapshot := extension.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(ctx, "k")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s at version %d\n", entries[0].Value, entries[0].Version)
	fmt.Println("the extension owns the store:", extension.Status().Owner)
	// Output:
	// the app owns the store: true
	// v at version 1
	// the extension owns the store: true
}

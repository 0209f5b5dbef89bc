package sharekv_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// An engine that one process at a time can open is shared by giving its Opener
// to Open. Here it is the journal of the tests. A process that is about to be
// suspended yields, and another takes over.
func Example() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	dir, ctx := filepath.Join(parent, "store"), context.Background()

	app, err := sharekv.Open(dir, sharetest.Journal{})
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	extension, err := sharekv.Open(dir, sharetest.Journal{})
	if err != nil {
		log.Fatal(err)
	}
	defer extension.Close()
	fmt.Println("guests of the app:", app.Status().Clients)

	if err := app.Yield(ctx); err != nil {
		log.Fatal(err)
	}
	version, err := extension.Commit(ctx, &kv.Batch{
		ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: []byte("v")}}, Sync: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", version, "by the new owner:", extension.Status().Owner)

	snapshot := app.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(ctx, "k")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the app reads %s, as a guest: %v\n", entries[0].Value, !app.Status().Owner)
	// Output:
	// guests of the app: 1
	// version 1 by the new owner: true
	// the app reads v, as a guest: true
}

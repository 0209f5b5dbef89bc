package sqlitekv_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// Any number of processes may open the same file, an app and its extensions say.
// Here two stores do. Before a process is suspended it lets go of the file.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path, ctx := filepath.Join(dir, "store.db"), context.Background()

	app, err := sqlitekv.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	extension, err := sqlitekv.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer extension.Close()

	version, err := extension.Commit(ctx, &kv.Batch{
		ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: []byte("v")}}, Sync: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	snapshot := app.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(ctx, "k")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s at version %d, as it was committed: %v\n", entries[0].Value, entries[0].Version, entries[0].Version == version)
	fmt.Println(extension.Yield(ctx))
	// Output:
	// v at version 1, as it was committed: true
	// <nil>
}

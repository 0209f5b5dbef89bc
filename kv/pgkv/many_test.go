//go:build linux || darwin

package pgkv_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/kv/pgkv"
)

// TestManySpaces: thousands of spaces that are all watched share the connections of one
// pool, and one that listens; and each is told of its own commits.
func TestManySpaces(t *testing.T) {
	many := 10_000
	if testing.Short() {
		many = 300
	}
	s := server.Get(t)
	db := openDB(t, pgkv.WithSchema("many"), pgkv.WithPoll(never))
	writer := openDB(t, pgkv.WithSchema("many"), pgkv.WithPoll(never))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	name := func(i int) string { return fmt.Sprint("many", i) }
	began := time.Now()
	var ready errgroup.Group
	ready.SetLimit(64)
	told := make(chan string, many)
	for i := range many {
		ready.Go(func() error {
			store := db.Store(name(i))
			snapshot := store.Snapshot()
			defer snapshot.Close()
			_, err := snapshot.Version(ctx)
			go func() {
				for change, err := range store.Watch(ctx, "", 0) {
					if err == nil && change.Key == "k" {
						told <- name(i)
					}
				}
			}()
			return err
		})
	}
	if err := ready.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d spaces are opened in %v", many, time.Since(began).Round(time.Millisecond))
	const some = 100
	want := make(map[string]bool)
	for i := range some {
		space := name(i * (many / some))
		want[space] = true
		if _, err := writer.Store(space).Commit(ctx, put(0, "k", "1")); err != nil {
			t.Fatal(err)
		}
	}
	for len(want) > 0 {
		select {
		case space := <-told:
			delete(want, space)
		case <-time.After(60 * time.Second):
			t.Fatalf("%d spaces were not told of their commits", len(want))
		}
	}
	conn := s.Connect(t)
	defer conn.Close(context.Background())
	connections, listening := 0, 0
	err := conn.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE query LIKE 'LISTEN \"many\"%') FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").
		Scan(&connections, &listening)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections, of which %d listen", connections, listening)
	if listening != 1 {
		t.Errorf("%d connections listen, want 1", listening)
	}
}

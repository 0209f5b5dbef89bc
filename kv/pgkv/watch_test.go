//go:build linux || darwin

package pgkv_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// never is a time after which no test waits any more.
const never = 24 * time.Hour

// watching tells of the changes of all keys after a version.
func watching(ctx context.Context, s kv.Store, after kv.Version) <-chan kv.Change {
	told := make(chan kv.Change, 100)
	go func() {
		defer close(told)
		for change, err := range s.Watch(ctx, "", after) {
			if err != nil {
				return
			}
			told <- change
		}
	}()
	return told
}

// wantTold waits for a change of a key at a version.
func wantTold(t *testing.T, told <-chan kv.Change, key string, version kv.Version) {
	t.Helper()
	for {
		select {
		case c := <-told:
			if c.Key == key && c.Version == version {
				return
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("not told of %s at version %d", key, version)
		}
	}
}

// TestWokenByOthers: who watches is told by a notification, long before he would look by
// himself, and of all spaces through one connection.
func TestWokenByOthers(t *testing.T) {
	s := server.Get(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watcher, writer := openDB(t, pgkv.WithPoll(never)), openDB(t, pgkv.WithPoll(never))
	for range 20 {
		space := aSpace(t)
		from := writer.Store(space)
		first := mustCommit(t, from, put(0, "k", "1"))
		told := watching(ctx, watcher.Store(space), 0)
		wantTold(t, told, "k", first)
		wantTold(t, told, "k", mustCommit(t, from, put(first, "k", "2")))
	}
	conn := s.Connect(t)
	defer conn.Close(ctx)
	listening := 0
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'").Scan(&listening); err != nil {
		t.Fatal(err)
	}
	if listening != 1 {
		t.Errorf("%d connections listen, want one for all spaces of a process that watches", listening)
	}
}

// TestFoundByLooking: where nothing tells of a commit, since whoever made it died before
// or nothing listens, who watches finds it by himself.
func TestFoundByLooking(t *testing.T) {
	s := server.Get(t)
	deaf, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s@/postgres?host=%s/nowhere", pgtest.Superuser, s.Dir()))
	if err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string][]pgkv.Option{
		"the writer died": {pgkv.WithPoll(20 * time.Millisecond)},
		"nothing listens": {pgkv.WithPoll(20 * time.Millisecond), pgkv.WithListener(deaf)},
	} {
		t.Run(name, func(t *testing.T) {
			space := aSpace(t)
			store := openDB(t, options...).Store(space)
			first := mustCommit(t, store, put(0, "k", "1"))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			told := watching(ctx, store, 0)
			wantTold(t, told, "k", first)
			conn := s.Connect(t)
			defer conn.Close(ctx)
			commitSilently(t, conn, space, 2)
			wantTold(t, told, "k", 2)
		})
	}
}

// commitSilently writes key k at a version, and tells nobody.
func commitSilently(t *testing.T, conn *pgx.Conn, space string, version kv.Version) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		for _, statement := range []string{
			`UPDATE pawl.entries e SET version = $2, value = '2' FROM pawl.spaces s WHERE s.name = $1 AND e.space = s.id`,
			`INSERT INTO pawl.changes SELECT s.id, $2, ARRAY['k'::bytea], '{}' FROM pawl.spaces s WHERE s.name = $1`,
			`UPDATE pawl.spaces SET head = $2 WHERE name = $1`,
		} {
			if _, err := tx.Exec(t.Context(), statement, space, int64(version)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Writers of TestTurnsAreFair, and what each does.
const (
	fairProcesses = 4
	fairWriters   = 4
	fairRounds    = 25
	mostPassed    = 64
)

// TestTurnsAreFair: of several processes with several writers each that all want one
// key, none sees many commits of others between asking for its turn and having it.
func TestTurnsAreFair(t *testing.T) {
	space := aSpace(t)
	var commits, worst atomic.Int64
	var all errgroup.Group
	for range fairProcesses {
		store := openDB(t).Store(space)
		for range fairWriters {
			all.Go(func() error {
				for range fairRounds {
					asked := commits.Load()
					turn, err := store.Turn(t.Context(), "k")
					if err != nil {
						return err
					}
					passed := commits.Load() - asked
					for most := worst.Load(); passed > most && !worst.CompareAndSwap(most, passed); most = worst.Load() {
					}
					b := put(0, "k", "v")
					b.Turn = turn.ID
					if _, err := store.Commit(t.Context(), b); err != nil {
						return err
					}
					commits.Add(1)
					turn.Release()
				}
				return nil
			})
		}
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("at most %d commits of others between asking for a turn and having it, of %d", worst.Load(), commits.Load())
	if worst.Load() > mostPassed {
		t.Errorf("%d commits of others came between asking for a turn and having it, want at most %d", worst.Load(), mostPassed)
	}
}

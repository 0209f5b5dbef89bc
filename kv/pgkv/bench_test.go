//go:build linux || darwin

package pgkv_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
	"github.com/pawlkv/pawl/txn"
)

// benchTime is how long each part of a benchmark lasts.
const benchTime = 3 * time.Second

// rate is how often writers did something in a second. Each is told which one it is.
func rate(b *testing.B, writers int, do func(ctx context.Context, writer int) error) float64 {
	b.Helper()
	var done atomic.Int64
	var all errgroup.Group
	end := time.Now().Add(benchTime)
	for writer := range writers {
		all.Go(func() error {
			for time.Now().Before(end) {
				if err := do(b.Context(), writer); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		b.Fatal(err)
	}
	return float64(done.Load()) / benchTime.Seconds()
}

// openWide opens a database with as many connections as writers.
func openWide(b *testing.B) *pgkv.DB {
	b.Helper()
	pool := openPool(b, server.Get(b).URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) { c.MaxConns = 64 })
	db, err := pgkv.Open(b.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// BenchmarkCommits compares durable commits of 500 bytes with autocommitted updates of a
// row, by as many writers, each of its own row. Run it with -benchtime 1x.
func BenchmarkCommits(b *testing.B) {
	db := openWide(b)
	value := make([]byte, 500)
	pool := openPool(b, server.Get(b).URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) { c.MaxConns = 64 })
	server.Get(b).SQL(b, "CREATE TABLE IF NOT EXISTS bare (id int PRIMARY KEY, value bytea) WITH (fillfactor = 50)", "INSERT INTO bare SELECT i, '' FROM generate_series(0, 63) i ON CONFLICT DO NOTHING")
	bare := func(ctx context.Context, writer int) error {
		_, err := pool.Exec(ctx, "UPDATE bare SET value = $2 WHERE id = $1", writer, value)
		return err
	}
	write := func(space func(int) *pgkv.Store, key func(int) string) func(context.Context, int) error {
		return func(ctx context.Context, writer int) error {
			_, err := space(writer).Commit(ctx, &kv.Batch{ID: kv.NewCommitID(1 << 40), Sync: true, Writes: []kv.Write{{Key: key(writer), Value: value}}})
			return err
		}
	}
	one := db.Store(aSpace(b))
	all := make([]*pgkv.Store, 64)
	for i := range all {
		all[i] = db.Store(aSpace(b))
	}
	same := func(int) *pgkv.Store { return one }
	own := func(i int) *pgkv.Store { return all[i] }
	shared, name := make([]*pgkv.Store, 4), aSpace(b)
	for i := range shared {
		shared[i] = openWide(b).Store(name)
	}
	apart := func(i int) *pgkv.Store { return shared[i%len(shared)] }
	for b.Loop() {
		b.Logf("update of a row: %.0f/s by 1, %.0f/s by 64", rate(b, 1, bare), rate(b, 64, bare))
		b.Logf("commits in one space: %.0f/s by 1, %.0f/s by 64, %.0f/s by 16 on one key", rate(b, 1, write(same, strconv.Itoa)),
			rate(b, 64, write(same, strconv.Itoa)), rate(b, 16, write(same, func(int) string { return "k" })))
		one, many := rate(b, 1, write(apart, strconv.Itoa)), rate(b, 64, write(apart, strconv.Itoa))
		b.Logf("commits in one space: %.0f/s by 1, %.0f/s by 16 writers in each of 4 processes: %.2f x", one, many, many/one)
		b.Logf("commits in spaces of their own: %.0f/s by 64", rate(b, 64, write(own, strconv.Itoa)))
	}
}

// counter is a record that many change.
type counter struct {
	Name string
	N    int
}

var counters = txn.Record[string, counter]{
	Kind:  "counter",
	Codec: txn.Msgpack[counter](1),
	Name:  func(c counter) string { return c.Name },
	Path:  func(name string) txn.Path { return txn.PathOf(name) },
}

// BenchmarkHotKey compares transactions on one key by one writer with those of four
// writers in each of four processes. Run it with -benchtime 1x.
func BenchmarkHotKey(b *testing.B) {
	space := aSpace(b)
	dbs := make([]*txn.DB, 4)
	for i := range dbs {
		dbs[i] = txn.New(openWide(b).Store(space), txn.WithSealer(txn.Plaintext))
	}
	count := func(ctx context.Context, writer int) error {
		_, err := txn.Do(ctx, dbs[writer%len(dbs)], func(tx *txn.Tx) (struct{}, error) {
			hot, err := counters.GetAll(tx, "hot")
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, counters.Put(tx, counter{"hot", hot[0].Value.N + 1})
		})
		return err
	}
	for b.Loop() {
		one, many := rate(b, 1, count), rate(b, 16, count)
		b.Logf("transactions on one key: %.0f/s by 1, %.0f/s by 4 writers in each of 4 processes: %.2f x", one, many, many/one)
	}
}

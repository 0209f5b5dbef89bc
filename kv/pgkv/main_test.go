//go:build linux || darwin

package pgkv_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

var server pgtest.Shared

// urlEnv tells a process of a test where the server is.
const urlEnv = "PGKV_TEST_URL"

func TestMain(m *testing.M) {
	code := 0
	defer func() { os.Exit(code) }()
	if schema := os.Getenv(raiseEnv); schema != "" {
		raiseIn(os.Getenv(urlEnv), schema)
		return
	}
	if os.Getenv(urlEnv) != "" {
		processes.Main(m, map[string]processes.Role{
			processes.CountRole: inSpace(func(s kv.Store, dir string) error { return processes.Count(s, dir, nil) }),
			processes.SwapRole:  inSpace(processes.Swap),
		})
	}
	code = m.Run()
	server.Stop()
}

// inSpace is a role in an open store. The directory names the space.
func inSpace(role func(kv.Store, string) error) processes.Role {
	return func(dir string) error {
		ctx := context.Background()
		pool, err := newPool(ctx, os.Getenv(urlEnv))
		if err != nil {
			return err
		}
		defer pool.Close()
		db, err := pgkv.Open(ctx, pool, pgkv.WithWitnesses(""))
		if err != nil {
			return err
		}
		defer db.Close()
		return role(db.Store(spaceIn(dir)), dir)
	}
}

// spaceIn is a space of one directory alone.
func spaceIn(dir string) string { return dir[max(0, len(dir)-200):] }

func newPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	pgkv.Prepare(config)
	return pgxpool.NewWithConfig(ctx, config)
}

// openPool returns a pool that the test closes, with a change of its configuration.
func openPool(t testing.TB, url string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	pgkv.Prepare(config)
	if change != nil {
		change(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// openDB opens a database that the test closes, on the shared server.
func openDB(t testing.TB, options ...pgkv.Option) *pgkv.DB {
	t.Helper()
	return openOn(t, server.Get(t), options...)
}

func openOn(t testing.TB, s *pgtest.Server, options ...pgkv.Option) *pgkv.DB {
	t.Helper()
	options = append([]pgkv.Option{pgkv.WithWitnesses("")}, options...)
	db, err := pgkv.Open(t.Context(), openPool(t, s.URL(pgtest.Superuser, "postgres"), nil), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var spaces atomic.Int64

// aSpace is a name that no other test has.
func aSpace(t testing.TB) string {
	return fmt.Sprintf("%s's \\%d", strings.ReplaceAll(t.Name(), "/", " "), spaces.Add(1))
}

// put makes a batch that writes one key.
func put(began kv.Version, key, value string, reads ...kv.Read) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(began), Sync: true, Reads: reads, Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
}

// mustCommit makes a commit that must succeed.
func mustCommit(t testing.TB, s kv.Store, b *kv.Batch) kv.Version {
	t.Helper()
	version, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// read returns the entry of a key.
func read(t testing.TB, s kv.Store, key string) kv.Entry {
	t.Helper()
	snapshot := s.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}

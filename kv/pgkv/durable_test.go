//go:build linux || darwin

package pgkv_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// TestDurableWhateverIsSet: what was acknowledged is on the server's disk, also where its
// settings do not ask for that, and by each way through the function commit.
func TestDurableWhateverIsSet(t *testing.T) {
	s := pgtest.Start(t, "wal_writer_delay=10s", "autovacuum=off") // nobody else writes it to disk
	pool := openPool(t, s.URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	})
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := db.Store("s")
	look := s.Connect(t)
	defer look.Close(context.Background())
	deletion := put(0, "k", "1")
	deletion.Writes = append(deletion.Writes, kv.Write{Key: "gone", Delete: true})
	for _, c := range []struct {
		name  string
		batch *kv.Batch
	}{
		{"the first of a space", put(0, "k", "1")},
		{"one of which nothing is to be decided", put(0, "k", "2")},
		{"one with a deletion", deletion},
	} {
		var before, flushed string
		err := look.QueryRow(t.Context(), "SELECT pg_current_wal_insert_lsn()::text").Scan(&before)
		if err != nil {
			t.Fatal(err)
		}
		mustCommit(t, store, c.batch)
		var durable bool
		err = look.QueryRow(t.Context(), "SELECT pg_current_wal_flush_lsn()::text, pg_current_wal_flush_lsn() > $1::text::pg_lsn", before).Scan(&flushed, &durable)
		if err != nil {
			t.Fatal(err)
		}
		if !durable {
			t.Errorf("%s: the log is on disk up to %s after it, and began at %s", c.name, flushed, before)
		}
	}
}

//go:build linux || darwin

package pawlmautrix

import (
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

func init() { kinds["PostgreSQL"] = postgresServer }

// postgresServer is a database on a server of its own. Without PostgreSQL the test is
// skipped; with PAWL_FLEET=1 it fails.
func postgresServer(t *testing.T) *sql.DB {
	config, err := pgx.ParseConfig(pgtest.Start(t).URL(pgtest.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	raw := stdlib.OpenDB(*config)
	t.Cleanup(func() { raw.Close() })
	return raw
}

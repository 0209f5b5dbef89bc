//go:build linux || darwin

package pgkv_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// overtaken is a connection before whose message that has a text in it something else is
// done.
type overtaken struct {
	net.Conn
	text  string
	first func()
}

// Write implements net.Conn.
func (c overtaken) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(c.text)) {
		c.first()
	}
	return c.Conn.Write(b)
}

// TestMadeMeanwhile: another program makes the schema after this one has seen that there is
// none, and before it looks whether there is something else.
func TestMadeMeanwhile(t *testing.T) {
	s := server.Get(t)
	const schema = "made_meanwhile"
	made := sync.OnceFunc(func() { openOn(t, s, pgkv.WithSchema(schema)) })
	pool := openPool(t, s.URL(pgtest.Superuser, "postgres"), func(c *pgxpool.Config) {
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return overtaken{conn, "to_regnamespace", made}, err
		}
	})
	db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""), pgkv.WithSchema(schema))
	if err != nil {
		t.Fatalf("opening a schema that another makes meanwhile: %v", err)
	}
	defer db.Close()
	if version := mustCommit(t, db.Store("s"), put(0, "k", "1")); version != 1 {
		t.Errorf("the first commit has version %d, want 1", version)
	}
}

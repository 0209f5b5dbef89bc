//go:build linux || darwin

package main

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// A device comes from PostgreSQL as from SQLite, with no right there but to read. Without
// PostgreSQL the test is skipped; with PAWL_FLEET=1 it fails.
func TestImportFromPostgres(t *testing.T) {
	server := pgtest.Start(t)
	url := server.URL(pgtest.Superuser, "postgres")
	f := newFolder(t)
	if status, _, said := f.imports(f.path("store"), url); status != exitFailed || !strings.Contains(said, "no keys of mautrix-go: no table crypto_version") {
		t.Errorf("from an empty database: %d, %q", status, said)
	}
	raw, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, raw, "pgx")
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	status, _, said := f.run("import", f.path("store"), url, "--from", "mautrix", "--pickle-key-file", f.path("wrong"))
	if status != exitFailed || !strings.Contains(said, "mautrix.bridge.e2ee") || strings.Contains(said, "my own key") {
		t.Errorf("with another key: %d, %q", status, said)
	}
	if _, err := os.Stat(f.path("store")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store was made: %v", err)
	}

	server.SQL(t, "CREATE ROLE reader LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
	url = server.URL("reader", "postgres")
	status, out, said := f.imports(f.path("store"), url, "--retired")
	if status != exitDone || !strings.HasPrefix(out, "@alice:example.org/PHONE: imported\n") || !strings.Contains(out, "secrets: 1") || strings.Contains(out, "recover") {
		t.Errorf("%d, %q, %q", status, out, said)
	}
	if status, out, said := f.imports(f.path("store"), url, "--retired"); status != exitDone || !strings.Contains(out, "was imported before") {
		t.Errorf("again: %d, %q, %q", status, out, said)
	}
}

package pgkv

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawlkv/pawl/kv"
)

// schemaVersion is that of the tables and functions in this package.
const schemaVersion = 1

//go:embed sql
var sqlFiles embed.FS

// scripts make a schema of version 1, in this order. A later version has scripts of its
// own, which are run on one of the version before.
var scripts = []string{"tables.sql", "space.sql", "check.sql", "turns.sql", "commit.sql", "read.sql"}

// open looks at the schema, and makes it if there is none.
func (d *DB) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(d.set.wait, openWait))
	defer cancel()
	conn, heard, err := d.acquire(ctx)
	if err != nil {
		return ofCommit(ctx, err)
	}
	defer conn.Release()
	pg := conn.Conn().PgConn()
	if _, err := ask(ctx, pg, "SET LOCAL client_min_messages = warning; DO $$ BEGIN RAISE WARNING '"+helloNotice+"'; END $$"); err != nil {
		return ofRead(ctx, err)
	}
	if !heard.heard {
		return fmt.Errorf("%w: the configuration of the pool was not given to pgkv.Prepare", kv.ErrInvalid)
	}
	there, err := d.look(ctx, pg)
	if err != nil || there {
		return ofRead(ctx, err)
	}
	if d.set.existing {
		return ErrNoSchema
	}
	return ofRead(ctx, d.make(ctx, pg))
}

// ErrNoSchema: there is no schema, and Open was told not to make any.
var ErrNoSchema = errors.New("pgkv: there is no schema of this name")

// openWait is how long Open waits for another that makes the schema.
const openWait = time.Minute

// ask sends statements and returns the first column of the first row that they yield,
// nil if there is none.
func ask(ctx context.Context, pg *pgconn.PgConn, statements string) (first [][]byte, err error) {
	results, err := pg.Exec(ctx, statements).ReadAll()
	if err != nil {
		return nil, lost(err)
	}
	for _, result := range results {
		if len(result.Rows) > 0 {
			return result.Rows[0], nil
		}
	}
	return nil, nil
}

// look reports whether the schema is there, in the version of this program.
func (d *DB) look(ctx context.Context, pg *pgconn.PgConn) (bool, error) {
	literal := "'" + d.schema + "'"
	found, err := ask(ctx, pg, "SELECT to_regclass("+literal+" || '.meta') IS NOT NULL, "+
		"EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace("+literal+"))")
	if err != nil {
		return false, err
	}
	if string(found[0]) != "t" {
		if string(found[1]) == "t" {
			return false, fmt.Errorf("%w: there are other tables in it: use WithSchema", kv.ErrForeign)
		}
		return false, nil
	}
	meta, err := ask(ctx, pg, "SELECT version, commit_ids FROM "+d.schema+".meta")
	if err != nil {
		return false, err
	}
	if len(meta) != 2 {
		return false, fmt.Errorf("%w: its table meta has no row", kv.ErrForeign)
	}
	version, err := row(meta).number(0)
	if err != nil {
		return false, err
	}
	keep, err := row(meta).number(1)
	if err != nil {
		return false, err
	}
	if version > schemaVersion {
		return false, fmt.Errorf("%w: it has version %d, this program knows %d", kv.ErrNewer, version, schemaVersion)
	}
	d.keep = int(keep)
	return true, nil
}

// make makes the schema, unless another has while we waited for the lock.
func (d *DB) make(ctx context.Context, pg *pgconn.PgConn) (err error) {
	lock := "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(hashtextextended('pawl schema ' || '" + d.schema + "', 0))"
	if _, err := ask(ctx, pg, lock); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = ask(ctx, pg, "ROLLBACK")
		}
	}()
	there, err := d.look(ctx, pg)
	if err != nil {
		return err
	}
	if there {
		_, err = ask(ctx, pg, "ROLLBACK")
		return err
	}
	text, err := d.definition()
	if err != nil {
		return err
	}
	if _, err := ask(ctx, pg, text); err != nil {
		return err
	}
	d.keep = d.set.commitIDs
	_, err = ask(ctx, pg, "COMMIT")
	return err
}

// definition is all that makes the schema.
func (d *DB) definition() (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "CREATE SCHEMA IF NOT EXISTS %s;\n", d.schema)
	for _, name := range scripts {
		script, err := sqlFiles.ReadFile("sql/" + name)
		if err != nil {
			return "", err
		}
		text.WriteString(strings.ReplaceAll(string(script), "pawl.", d.schema+"."))
	}
	fmt.Fprintf(&text, "INSERT INTO %s.meta (version, commit_ids) VALUES (%d, %d);\n", d.schema, schemaVersion, d.set.commitIDs)
	return text.String(), nil
}

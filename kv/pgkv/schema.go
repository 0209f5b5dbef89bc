package pgkv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawlkv/pawl/kv"
)

// schemaVersion is that of the tables and functions in this package.
const schemaVersion = 2

// open looks at the schema, makes it if there is none, and raises an older one.
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
	was, err := d.look(ctx, pg)
	switch {
	case err != nil:
		return ofRead(ctx, err)
	case was.version == d.set.version:
		return nil
	case was.version == 0 && d.set.existing:
		return ErrNoSchema
	}
	return ofRead(ctx, d.raise(ctx, pg, was))
}

// ErrNoSchema: there is no schema, and Open was told not to make any.
var ErrNoSchema = errors.New("pgkv: there is no schema of this name")

// openWait is how long Open waits for another that makes or raises the schema.
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

// standing is what there is of a schema.
type standing struct {
	version int64  // 0: nothing
	owner   string // who may raise it
}

// look reports what there is, and fails where this program cannot use nor raise it.
func (d *DB) look(ctx context.Context, pg *pgconn.PgConn) (is standing, err error) {
	literal := "'" + d.schema + "'"
	found, err := ask(ctx, pg, "SELECT to_regclass("+literal+" || '.meta') IS NOT NULL, "+
		"EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace("+literal+")), "+
		"(SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass("+literal+" || '.meta'))")
	if err != nil {
		return is, err
	}
	if string(found[0]) != "t" {
		if string(found[1]) == "t" {
			return is, fmt.Errorf("%w: there are other tables in it: use WithSchema", kv.ErrForeign)
		}
		return is, nil
	}
	meta, err := ask(ctx, pg, "SELECT version, commit_ids FROM "+d.schema+".meta")
	if err != nil {
		return is, err
	}
	if len(meta) != 2 {
		return is, fmt.Errorf("%w: its table meta has no row", kv.ErrForeign)
	}
	is.owner = string(found[2])
	if is.version, err = row(meta).number(0); err != nil {
		return is, err
	}
	keep, err := row(meta).number(1)
	if err != nil {
		return is, err
	}
	if is.version < 1 {
		return is, fmt.Errorf("%w: its table meta says that it has version %d", kv.ErrForeign, is.version)
	}
	if is.version > d.set.version {
		return is, fmt.Errorf("%w: it has version %d, this program knows %d: use a newer program", kv.ErrNewer, is.version, d.set.version)
	}
	d.keep = int(keep)
	return is, nil
}

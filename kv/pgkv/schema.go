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
const schemaVersion = 4

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
	was, err := d.look(ctx, pg, "SET LOCAL client_min_messages = warning; DO $$ BEGIN RAISE WARNING '"+helloNotice+"'; END $$; ")
	if err == nil && !heard.heard {
		err = fmt.Errorf("%w: the configuration of the pool was not given to pgkv.Prepare", kv.ErrInvalid)
	}
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

// look reports what there is, and fails where this program cannot use nor raise it. Where
// there is a schema it is one round trip, with what else is to be done first.
func (d *DB) look(ctx context.Context, pg *pgconn.PgConn, first string) (is standing, err error) {
	results, err := pg.Exec(ctx, first+"SELECT version, commit_ids, "+
		"(SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '"+d.schema+".meta'::regclass) FROM "+d.schema+".meta").ReadAll()
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "42P01" || e.Code == "3F000") {
		return is, d.lookForOthers(ctx, pg)
	}
	if err != nil {
		return is, lost(err)
	}
	meta := results[len(results)-1].Rows
	if len(meta) != 1 {
		return is, fmt.Errorf("%w: its table meta has %d rows, and not one", kv.ErrForeign, len(meta))
	}
	is.owner = string(meta[0][2])
	if is.version, err = row(meta[0]).number(0); err != nil {
		return is, err
	}
	keep, err := row(meta[0]).number(1)
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

// lookForOthers fails if there is a schema of this name with something else in it. What
// another program has made of it since we looked is not something else.
func (d *DB) lookForOthers(ctx context.Context, pg *pgconn.PgConn) error {
	found, err := ask(ctx, pg, "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('"+d.schema+"')) AND to_regclass('"+d.schema+".meta') IS NULL")
	if err == nil && string(found[0]) == "t" {
		err = fmt.Errorf("%w: there are other tables in it: use WithSchema", kv.ErrForeign)
	}
	return err
}

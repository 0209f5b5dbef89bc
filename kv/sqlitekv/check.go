package sqlitekv

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// checkAtOnce is up to how many bytes a store is looked at in one read, which takes a
// fraction of a second. The log cannot begin anew during a read.
const checkAtOnce = 64 << 20

// Check reads all of the store and returns kv.ErrCorrupt for the first damage that it
// finds. One of more than 64 MiB is read in parts, as a view is, so that others may
// commit as long as that takes and their log stays short: then each page with
// something in it is read and its checksum is compared, and that rows are in their
// order; what is free is not looked at, nor whether two rows share a page.
func (s *Store) Check(ctx context.Context) error { return s.check(ctx, checkAtOnce, func() {}) }

// check calls between whenever nothing is being read.
func (s *Store) check(ctx context.Context, atOnce int64, between func()) error {
	large := false
	err := s.reading(ctx, func(c *conn) error {
		size, err := c.size()
		if large = size > atOnce; large || err != nil {
			return err
		}
		return c.checkIntegrity()
	})
	if err == nil && large {
		err = s.checkParts(ctx, between)
	}
	return explained(s.pool.path, err)
}

// reading calls fn with a connection in a read transaction of its own.
func (s *Store) reading(ctx context.Context, fn func(*conn) error) error {
	view := &snapshot{pool: s.pool}
	defer view.Close()
	return view.with(ctx, fn)
}

// size returns how many bytes the database has.
func (c *conn) size() (size int64, err error) {
	err = c.each(`PRAGMA page_count`, func(row *sqlite3.Stmt) (bool, error) {
		size = row.ColumnInt64(0) * pageSize
		return false, nil
	})
	return size, err
}

func (c *conn) checkIntegrity() error {
	return c.each(`PRAGMA integrity_check(1)`, func(row *sqlite3.Stmt) (bool, error) {
		if text := row.ColumnText(0); text != "ok" {
			return false, fmt.Errorf("%w: %s", kv.ErrCorrupt, text)
		}
		return false, nil
	})
}

// checkParts reads the tables, a part at a time.
func (s *Store) checkParts(ctx context.Context, between func()) error {
	for _, part := range []func(*conn, *row) error{entriesFrom, rowsOf(`SELECT version, id FROM commits`), rowsOf(`SELECT version, keys FROM changes`)} {
		last := new(row)
		for last.more = true; last.more; between() {
			if err := s.reading(ctx, func(c *conn) error { return part(c, last) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// row is how far a table was read.
type row struct {
	key     []byte // of an entry
	version kv.Version
	more    bool // there may be rows behind it
}

// entriesFrom reads entries from a key on.
func entriesFrom(c *conn, last *row) error {
	from := last.key
	if from != nil {
		from = append(from, 0)
	}
	found, more, err := c.scanPart("", string(from))
	for _, e := range found {
		if last.key != nil && bytes.Compare([]byte(e.Key), last.key) <= 0 {
			return fmt.Errorf("%w: the entry %q comes after %q", kv.ErrCorrupt, e.Key, last.key)
		}
		last.key = []byte(e.Key)
	}
	last.more = more
	return err
}

// rowsOf reads rows that are ordered by their versions.
func rowsOf(sql string) func(*conn, *row) error {
	return func(c *conn, last *row) error {
		n, size := 0, 0
		last.more = false
		return c.each(sql+fmt.Sprintf(` WHERE version > %d ORDER BY version`, last.version), func(r *sqlite3.Stmt) (bool, error) {
			version := kv.Version(r.ColumnInt64(0))
			if version <= last.version {
				return false, fmt.Errorf("%w: version %d comes after version %d", kv.ErrCorrupt, version, last.version)
			}
			last.version = version
			size += len(r.ColumnRawBlob(1))
			n++
			last.more = n == partEntries || size > partBytes
			return !last.more, nil
		})
	}
}

// each calls fn for the rows of a statement that is not kept, until it returns false.
func (c *conn) each(sql string, fn func(*sqlite3.Stmt) (bool, error)) error {
	stmt, _, err := c.db.Prepare(sql)
	if err != nil {
		return translate(err)
	}
	defer stmt.Close()
	for more := true; more && stmt.Step(); {
		if more, err = fn(stmt); err != nil {
			return err
		}
	}
	return translate(stmt.Err())
}

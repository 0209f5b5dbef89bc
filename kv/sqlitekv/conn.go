package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// conn is a connection to the database. One goroutine at a time uses it.
type conn struct {
	db       *sqlite3.Conn
	prepared [queries]*sqlite3.Stmt

	ctx   context.Context // ends waiting for a lock
	until time.Time       // likewise

	done  func() // tells the pool that a read is over
	lent  bool   // to the pool, by the committer
	leave func() // lets go of the store's name, nil for a connection that has none
	home  *home

	logged int // bytes in the log after the last commit of this connection
}

// cachePages bounds the memory of a connection: 1 MiB, in SQLite's notation.
const cachePages = -1024

// fullSyncs makes every sync one that goes through the cache of the disk. Apple
// systems do that only if they are asked to (F_FULLFSYNC, as Go's File.Sync does);
// elsewhere it changes nothing.
const fullSyncs = `PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; `

// openConn connects to a file that exists. It reads, and who is stopped there holds
// the log as in every other read.
func openConn(path string, set *settings) (c *conn, err error) {
	if err := set.home.enter(); err != nil {
		return nil, err
	}
	set.readers.begin()
	defer set.readers.end()
	if c, err = connect(path, set); err != nil {
		set.home.leave()
		return nil, err
	}
	c.leave, c.home = set.home.leave, set.home
	if err := set.home.check(); err != nil { // of what is open now
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func connect(path string, set *settings) (c *conn, err error) {
	defer guard(&err)
	db, err := sqlite3.OpenFlags(uri(path, set.vfs), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, translate(err)
	}
	c = &conn{db: db}
	c.wait(context.Background(), set.wait)
	err = errors.Join(db.BusyHandler(c.busy), c.exec(fullSyncs+fmt.Sprintf(
		`PRAGMA cache_size = %d; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d`,
		cachePages, set.softLog)))
	// Only now: wal_autocheckpoint is a hook too, and takes the place of ours.
	db.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		c.logged = pages * pageSize
		return nil
	})
	if err == nil && set.maxPages > 0 {
		err = c.exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, set.maxPages))
	}
	if err == nil {
		err = c.verify()
	}
	if err != nil {
		err = whyNotOpened(err, path) // while all that is open is open
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// verify checks that the database is what the header of its file promised.
// Damage to the header could otherwise switch the checksums off.
func (c *conn) verify() error {
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "checksum_verification": "1", "page_size": fmt.Sprint(pageSize),
		"application_id": fmt.Sprint(applicationID),
	} {
		got, err := c.pragma(pragma)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%w: the header of the file says %s %q, want %q", kv.ErrCorrupt, pragma, got, want)
		}
	}
	_, err := c.format()
	return err
}

// prepareAll finds out whether the tables are those of a store.
func (c *conn) prepareAll() (err error) {
	defer guard(&err)
	for q := range queries {
		if _, err := c.stmt(q); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) pragma(name string) (value string, err error) {
	stmt, _, err := c.db.Prepare(`PRAGMA ` + name)
	if err != nil {
		return "", translate(err)
	}
	if stmt.Step() {
		value = stmt.ColumnText(0)
	}
	return value, translate(errors.Join(stmt.Err(), stmt.Close()))
}

// close closes the connection whatever state it is in.
func (c *conn) close() (err error) {
	if c.leave != nil {
		defer c.leave() // which is this one, whatever is set to now
		c.leave = nil
	}
	defer guard(&err)
	for _, stmt := range c.prepared {
		stmt.Close() // repeats the error of its last use
	}
	if err := errors.Join(c.trust(), c.keepLog()); err != nil {
		return errors.Join(err, c.db.Close())
	}
	if err := c.db.Close(); err != nil {
		return fmt.Errorf("sqlitekv: close: %w", translate(err))
	}
	return nil
}

// keepLog leaves the log to others that see it by another index.
func (c *conn) keepLog() error {
	if c.home == nil || !c.home.astray.Load() {
		return nil
	}
	_, err := c.db.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	return err
}

// trust stops verifying the checksums of pages that are read. When a connection
// that checkpoints, as the last one does when it is closed, finds that others
// have committed since its last read, it lets go of its memory map; while
// checksums are verified the driver has none, and panics. Frames of the log have
// checksums of their own, and pages that are written still get theirs.
func (c *conn) trust() error { return c.exec(`PRAGMA checksum_verification = OFF`) }

// wait sets how long the next calls wait for locks of other processes.
func (c *conn) wait(ctx context.Context, d time.Duration) { c.ctx, c.until = ctx, time.Now().Add(d) }

// Steps in which busy waits: locks that the gate does not cover are held for
// microseconds, but for a recovery or a last process that closes the store.
const (
	busyStep    = 100 * time.Microsecond
	maxBusyStep = 5 * time.Millisecond
)

// busy waits a little for a lock, and reports whether to try again.
func (c *conn) busy(_ context.Context, count int) bool {
	step := min(busyStep<<min(count, 10), maxBusyStep)
	if time.Until(c.until) < step {
		return false
	}
	timer := time.NewTimer(step)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

func (c *conn) exec(sql string) error { return translate(c.db.Exec(sql)) }

// stmt returns a prepared statement.
func (c *conn) stmt(q query) (*sqlite3.Stmt, error) {
	if c.prepared[q] != nil {
		return c.prepared[q], nil
	}
	stmt, _, err := c.db.PrepareFlags(sqlOf[q], sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, translate(err)
	}
	c.prepared[q] = stmt
	return stmt, nil
}

// run executes a statement that yields nothing.
func (c *conn) run(q query, args ...any) error {
	stmt, err := c.stmt(q)
	if err != nil {
		return err
	}
	if err := bind(stmt, args); err != nil {
		return translate(err)
	}
	return c.ended(stmt.Exec())
}

// rows calls fn for each row until it returns false. Arguments are []byte or
// kv.Version.
func (c *conn) rows(q query, fn func(*sqlite3.Stmt) (bool, error), args ...any) error {
	stmt, err := c.stmt(q)
	if err != nil {
		return err
	}
	if err := bind(stmt, args); err != nil {
		return translate(err)
	}
	for more := true; more && stmt.Step(); {
		if more, err = fn(stmt); err != nil {
			break
		}
	}
	if err == nil {
		err = stmt.Err()
	}
	stmt.Reset() // repeats the error
	return c.ended(err)
}

// ended is the error of a statement: that of the context, if it was that which ended
// waiting for a lock.
func (c *conn) ended(err error) error {
	if ended := c.ctx.Err(); ended != nil && errors.Is(err, sqlite3.BUSY) {
		return ended
	}
	return translate(err)
}

// number executes a statement that yields one number, or NULL, which is 0.
func (c *conn) number(q query, args ...any) (n kv.Version, err error) {
	err = c.rows(q, func(row *sqlite3.Stmt) (bool, error) {
		n = kv.Version(row.ColumnInt64(0))
		return false, nil
	}, args...)
	return n, err
}

func bind(stmt *sqlite3.Stmt, args []any) (err error) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case []byte:
			if arg == nil {
				arg = []byte{} // nil would be NULL
			}
			err = stmt.BindBlob(i+1, arg)
		case kv.Version:
			err = stmt.BindInt64(i+1, int64(arg))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rollback ends a transaction that changed nothing, or shall not.
func (c *conn) rollback() error {
	if c.db.GetAutocommit() {
		return nil // SQLite has done it
	}
	return c.run(qRollback)
}

package pgkv

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// DB is a schema of a database, with any number of spaces. Its methods may be called
// from any number of goroutines.
type DB struct {
	pool   *pgxpool.Pool
	set    settings
	schema string // quoted
	keep   int    // commit IDs of each space
	bells  *bells

	mu     sync.Mutex
	stores map[*Store]struct{}
	closed bool
	marks  map[string]witness.Mark // of spaces, as this process has seen them
}

// noticeKey is where a connection keeps what the server has said beside its answers.
const noticeKey = "github.com/pawlkv/pawl/kv/pgkv"

// notices are those of a connection since the last statement.
type notices struct {
	heard         bool // the one that Open asks for
	notReplicated bool
}

// helloNotice is the text of the warning by which Open finds out whether a pool is
// prepared.
const helloNotice = "pawl: are warnings heard?"

// What Prepare bounds where a configuration does not.
const (
	connectTimeout = 5 * time.Second
	pingTimeout    = 2 * time.Second
)

// Prepare makes connections of a pool tell what the server says beside its answers:
// that a wait for standbys was cancelled. A pool of another configuration is not taken
// by Open.
//
// Where the configuration says nothing else, it bounds how long a connection may take to
// be made (5 s to each host, connect_timeout), and to answer when it was idle before it
// is given to a call (2 s, pool_ping_timeout). To end one whose call did not wait for its
// answer may take as long as that to cancel the statement, and then to be heard by the
// server. Each of them has a place in the pool meanwhile. Without the bounds a pooler that
// lets nobody through, or a network that loses what it carries, takes all places for
// minutes, and for as long after it is back.
func Prepare(config *pgxpool.Config) {
	if config.ConnConfig.ConnectTimeout <= 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.PingTimeout <= 0 {
		config.PingTimeout = pingTimeout
	}
	boundEnding(config)
	before := config.ConnConfig.OnNotice
	config.ConnConfig.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		if heard, ok := c.CustomData()[noticeKey].(*notices); ok {
			heard.heard = heard.heard || n.Message == helloNotice
			heard.notReplicated = heard.notReplicated || n.Routine == "SyncRepWaitForLSN"
		}
		if before != nil && n.Message != helloNotice {
			before(c, n)
		}
	}
}

// Open uses the schema in the database that a pool leads to, makes it if need be, and
// raises one that an older program made, under a lock. To make it needs the right to
// create a schema in the database, to raise it those of its owner, all else those that
// docs/postgresql.md lists. The pool stays the caller's, who closes it after the DB.
// Errors: kv.ErrInvalid (the pool's configuration was not prepared), kv.ErrNewer (a newer
// program has made or raised the schema), kv.ErrForeign (there is a schema of that name
// with something else in it), ErrNoSchema, kv.ErrUnavailable, kv.ErrUnusable, the
// context's.
func Open(ctx context.Context, pool *pgxpool.Pool, options ...Option) (*DB, error) {
	d := &DB{pool: pool, set: defaults(), stores: make(map[*Store]struct{}), marks: make(map[string]witness.Mark)}
	for _, option := range options {
		option(&d.set)
	}
	if !schemaNames.MatchString(d.set.schema) {
		return nil, fmt.Errorf("pgkv: %w: the name of a schema is 1 to 63 small letters, digits and underscores", kv.ErrInvalid)
	}
	d.schema = pgx.Identifier{d.set.schema}.Sanitize()
	d.bells = newBells(d)
	if err := d.open(ctx); err != nil {
		return nil, fmt.Errorf("pgkv: open the schema %s: %w", d.schema, err)
	}
	return d, nil
}

// schemaNames are those that mean the same with quotes and without.
var schemaNames = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Store returns a space. It makes no round trip: a space that is not there is empty,
// and made by its first commit or turn. A name is 1 to 200 bytes of UTF-8 without a
// zero byte; the calls of a store with another name are kv.ErrInvalid. Two stores of
// one space are to each other as those of two processes.
func (d *DB) Store(space string) *Store {
	s := newStore(d, space)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		s.end()
	} else {
		d.stores[s] = struct{}{}
	}
	return s
}

// maxName is the longest name of a space in bytes.
const maxName = 200

func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w: the name of a space is 1 to %d bytes of UTF-8 without a zero byte", kv.ErrInvalid, maxName)
	}
	return nil
}

// Close closes all stores and the connection that is told of changes. Closing twice is
// harmless.
func (d *DB) Close() error {
	d.mu.Lock()
	d.closed = true
	open := d.stores
	d.stores = make(map[*Store]struct{})
	d.mu.Unlock()
	for s := range open {
		s.end()
	}
	d.bells.close()
	return nil
}

func (d *DB) forget(s *Store) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.stores, s)
}

// acquire returns a connection. Nothing was sent if there is none.
func (d *DB) acquire(ctx context.Context) (*pgxpool.Conn, *notices, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, nil, notConnected(err)
	}
	pg := conn.Conn().PgConn()
	if pg.ParameterStatus("standard_conforming_strings") != "on" || !strings.EqualFold(pg.ParameterStatus("client_encoding"), "UTF8") {
		conn.Release()
		return nil, nil, fmt.Errorf("%w: the connection must have standard_conforming_strings=on and client_encoding=UTF8", kv.ErrUnusable)
	}
	heard := new(notices)
	pg.CustomData()[noticeKey] = heard
	return conn, heard, nil
}

// exec calls a function that may change something: as one message, which the server
// takes whole or not at all.
func (d *DB) exec(ctx context.Context, c *call) (rows []row, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.set.wait)
	defer cancel()
	conn, heard, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	results, err := conn.Conn().PgConn().Exec(ctx, c.statement(d.schema)).ReadAll()
	if err != nil {
		return nil, lost(err)
	}
	if heard.notReplicated {
		return nil, errNotReplicated
	}
	for _, result := range results {
		for _, r := range result.Rows {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// read calls a function that changes nothing and locks nothing.
func (d *DB) read(ctx context.Context, c *call) ([]row, error) {
	within, cancel := context.WithTimeout(ctx, d.set.wait)
	defer cancel()
	conn, _, err := d.acquire(within)
	if err != nil {
		return nil, ofRead(ctx, err)
	}
	defer conn.Release()
	binary := []int16{pgx.BinaryFormatCode}
	result := conn.Conn().PgConn().ExecParams(within, c.prepared(d.schema), c.args, nil, nil, binary).Read()
	if result.Err != nil {
		return nil, ofRead(ctx, lost(result.Err))
	}
	rows := make([]row, len(result.Rows))
	for i, r := range result.Rows {
		rows[i] = r
	}
	return rows, nil
}

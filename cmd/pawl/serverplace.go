package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/witness"
)

// serverForm is what a store in a PostgreSQL server looks like.
const serverForm = "postgres://USER@HOST/DATABASE?space=NAME"

// serverPlace is a space in a PostgreSQL server. Its key file, and what this machine has
// seen of it, are in the user's configuration directory.
type serverPlace struct {
	url    url.URL // without the space and the schema
	space  string
	schema string // "": the usual one
}

// isServer reports whether a place is given by a URL.
func isServer(text string) bool {
	return strings.HasPrefix(text, "postgres:") || strings.HasPrefix(text, "postgresql:")
}

// parseServer takes no password: whatever is on a command line everybody on the machine
// can read. No error repeats what was given.
func parseServer(text string) (*serverPlace, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return nil, cli.Usagef("the URL of a store in a server cannot be read: give %s", serverForm)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, cli.Usagef("the URL of a store in a server cannot be read: give %s", serverForm)
	}
	if _, has := u.User.Password(); has || query.Has("password") || query.Has("sslpassword") {
		return nil, cli.Usagef("the URL has a password, which everybody on this machine can see: give it in PGPASSWORD, or in a file that PGPASSFILE names")
	}
	s := &serverPlace{url: *u, space: query.Get("space"), schema: query.Get("schema")}
	if s.space == "" {
		return nil, cli.Usagef("the URL names no space: give %s", serverForm)
	}
	query.Del("space")
	query.Del("schema")
	s.url.RawQuery = query.Encode()
	if _, err := s.config(); err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	return s, nil
}

// String returns what the user gives for the place.
func (s *serverPlace) String() string {
	shown := s.url
	query := shown.Query()
	query.Set("space", s.space)
	if s.schema != "" {
		query.Set("schema", s.schema)
	}
	shown.RawQuery = query.Encode()
	return shown.String()
}

func (s *serverPlace) config() (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(s.url.String())
	if err != nil { // its text may have what the environment says
		return nil, errors.New("the URL of the server, or the environment (PGHOST, PGSSLMODE ...), has a part that is not known: give " + serverForm)
	}
	pgkv.Prepare(config)
	return config, nil
}

// companion is a file of this machine for the space.
func (s *serverPlace) companion(suffix string) string {
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "." // as without a home: beside where the command runs
	}
	of := sha256.Sum256([]byte(s.String()))
	return filepath.Join(dir, "pawl", "postgres-"+hex.EncodeToString(of[:12])+suffix)
}

// openDB opens the database, and makes its schema if making says so.
func (s *serverPlace) openDB(ctx context.Context, making bool) (*pgkv.DB, func(), error) {
	config, err := s.config()
	if err != nil {
		return nil, nil, err
	}
	dir := filepath.Dir(s.companion(""))
	options := []pgkv.Option{pgkv.WithLogger(cli.Logger(ctx)), pgkv.WithWitnesses(dir)}
	if s.schema != "" {
		options = append(options, pgkv.WithSchema(s.schema))
	}
	if !making {
		options = append(options, pgkv.WithExisting())
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, kv.OfSystem(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s cannot be opened", kv.ErrUnusable, s)
	}
	db, err := pgkv.Open(ctx, pool, options...)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return db, func() { _ = db.Close(); pool.Close() }, nil
}

// serverStore is an open space, which closes its connections with itself.
type serverStore struct {
	kv.Store
	done func()
}

// Unwrap implements kv.Wrapper.
func (s serverStore) Unwrap() kv.Store { return s.Store }

// Close implements kv.Store.
func (s serverStore) Close() error {
	err := s.Store.Close()
	s.done()
	return err
}

func (s *serverPlace) open(ctx context.Context) (kv.Store, error) {
	db, done, err := s.openDB(ctx, true)
	if err != nil {
		return nil, err
	}
	return serverStore{db.Store(s.space), done}, nil
}

// look opens the space so that nothing is written in it.
func (s *serverPlace) look(ctx context.Context) (kv.Store, error) {
	db, done, err := s.openDB(ctx, false)
	if err != nil {
		return nil, err
	}
	store := serverStore{db.Store(s.space), done}
	return newLooked(store, witness.Of(store).Load), nil
}

// within calls fn with the database.
func (s *serverPlace) within(fn func(context.Context, *pgkv.DB) error) error {
	ctx := context.Background()
	db, done, err := s.openDB(ctx, false)
	if err != nil {
		return err
	}
	defer done()
	return fn(ctx, db)
}

// exists reports whether there is something in the space.
func (s *serverPlace) exists() (there bool, err error) {
	err = s.within(func(ctx context.Context, db *pgkv.DB) (err error) {
		there, err = db.Exists(ctx, s.space)
		return err
	})
	if errors.Is(err, pgkv.ErrNoSchema) {
		return false, nil
	}
	return there, err
}

// aside is a space beside this one.
func (s *serverPlace) aside(more string) *serverPlace {
	other := *s
	other.space += more
	return &other
}

func (s *serverPlace) rename(to *serverPlace) error {
	return s.within(func(ctx context.Context, db *pgkv.DB) error { return db.Rename(ctx, s.space, to.space) })
}

func (s *serverPlace) remove() error {
	return s.within(func(ctx context.Context, db *pgkv.DB) error { return db.Remove(ctx, s.space) })
}

// leftovers returns the spaces whose names begin with this one's and an infix.
func (s *serverPlace) leftovers(infix string) (found []*serverPlace, err error) {
	err = s.within(func(ctx context.Context, db *pgkv.DB) error {
		names, err := db.Spaces(ctx, s.space+infix)
		for _, name := range names {
			found = append(found, s.aside(strings.TrimPrefix(name, s.space)))
		}
		return err
	})
	if errors.Is(err, pgkv.ErrNoSchema) {
		err = nil
	}
	return found, err
}

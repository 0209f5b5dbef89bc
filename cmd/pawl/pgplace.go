package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/witness"
)

// pgForm is what a store in a PostgreSQL server looks like.
const pgForm = "postgres://USER@HOST/DATABASE?space=NAME"

// pgPlace is a space in a PostgreSQL server. Its key file, and what this machine has
// seen of it, are in the user's configuration directory.
type pgPlace struct {
	url    url.URL // without the space and the schema
	space  string
	schema string // "": the usual one
}

func parsePG(text string) (served, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return nil, cli.Usagef("the URL of a store in a server cannot be read: give %s", pgForm)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, cli.Usagef("the URL of a store in a server cannot be read: give %s", pgForm)
	}
	if _, has := u.User.Password(); has || query.Has("password") || query.Has("sslpassword") {
		return nil, cli.Usagef(passwordShown + "PGPASSWORD, or in a file that PGPASSFILE names")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if len(query[name]) > 1 {
			return nil, cli.Usagef("the URL has %s more than once: give %s", cli.Shown(name), pgForm)
		}
	}
	s := &pgPlace{url: *u, space: query.Get("space"), schema: query.Get("schema")}
	if s.space == "" {
		return nil, cli.Usagef("the URL names no space: give %s", pgForm)
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
func (s *pgPlace) String() string {
	shown := s.url
	query := shown.Query()
	query.Set("space", s.space)
	if s.schema != "" {
		query.Set("schema", s.schema)
	}
	shown.RawQuery = query.Encode()
	return shown.String()
}

func (s *pgPlace) config() (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(s.url.String())
	if err != nil { // its text may have what the environment says
		return nil, errors.New("the URL of the server, or the environment (PGHOST, PGSSLMODE ...), has a part that is not known: give " + pgForm)
	}
	pgkv.Prepare(config)
	return config, nil
}

// companion has its name from the servers, the database and the space, whoever uses it and
// with whatever other parameters. One that has it from all of the URL, as in programs of
// before, keeps it.
func (s *pgPlace) companion(suffix string) string {
	old := companionOf("postgres", s.String(), suffix)
	config, err := s.config()
	if _, there := os.Lstat(old); there == nil || err != nil {
		return old
	}
	to := config.ConnConfig
	servers := []string{net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port)))}
	for _, other := range to.Fallbacks { // of a server with and without TLS, too
		servers = append(servers, net.JoinHostPort(other.Host, strconv.Itoa(int(other.Port))))
	}
	slices.Sort(servers)
	of := url.URL{Host: strings.Join(slices.Compact(servers), ","), Path: "/" + to.Database}
	of.RawQuery = url.Values{"space": {s.space}, "schema": {cmp.Or(s.schema, "pawl")}}.Encode()
	return companionOf("postgres", of.String(), suffix)
}

// openDB opens the database, and makes its schema if making says so.
func (s *pgPlace) openDB(ctx context.Context, making bool) (db *pgkv.DB, done func() error, err error) {
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
	db, err = pgkv.Open(ctx, pool, options...)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return db, func() error {
		defer pool.Close()
		return db.Close()
	}, nil
}

func (s *pgPlace) open(ctx context.Context) (kv.Store, error) {
	db, done, err := s.openDB(ctx, true)
	if err != nil {
		return nil, err
	}
	return servedStore{db.Store(s.space), done}, nil
}

// look opens the space so that nothing is written in it.
func (s *pgPlace) look(ctx context.Context) (kv.Store, error) {
	db, done, err := s.openDB(ctx, false)
	if err != nil {
		return nil, err
	}
	store := servedStore{db.Store(s.space), done}
	return newLooked(store, witness.Of(store).Load), nil
}

// within calls fn with the database.
func (s *pgPlace) within(ctx context.Context, fn func(context.Context, *pgkv.DB) error) error {
	db, done, err := s.openDB(ctx, false)
	if err != nil {
		return err
	}
	defer func() { _ = done() }() // fn says what went wrong
	return fn(ctx, db)
}

// exists reports whether there is something in the space.
func (s *pgPlace) exists(ctx context.Context) (there bool, err error) {
	err = s.within(ctx, func(ctx context.Context, db *pgkv.DB) (err error) {
		there, err = db.Exists(ctx, s.space)
		return err
	})
	if errors.Is(err, pgkv.ErrNoSchema) {
		return false, nil
	}
	return there, err
}

func (s *pgPlace) name() string { return s.space }

func (s *pgPlace) aside(more string) served {
	other := *s
	other.space += more
	return &other
}

func (s *pgPlace) rename(to string) error {
	return s.within(context.Background(), func(ctx context.Context, db *pgkv.DB) error { return db.Rename(ctx, s.space, to) })
}

func (s *pgPlace) remove() error {
	return s.within(context.Background(), func(ctx context.Context, db *pgkv.DB) error { return db.Remove(ctx, s.space) })
}

func (s *pgPlace) leftovers(infix string) (found []served, err error) {
	err = s.within(context.Background(), func(ctx context.Context, db *pgkv.DB) error {
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

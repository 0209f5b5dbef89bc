package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// sqlitePrefix tells a store in an SQLite file from one in a directory.
const sqlitePrefix = "sqlite:"

// place is where a store is: a directory, which has Badger and all files of
// this command in it; an SQLite file, beside which they are; or a store in a server.
type place struct {
	sqlite bool
	path   string
	server served // nil: none
}

func parsePlace(text string) (place, error) {
	if server, err := parseServed(text); server != nil || err != nil {
		return place{server: server}, err
	}
	path, sqlite := strings.CutPrefix(text, sqlitePrefix)
	if path == "" {
		return place{}, cli.Usagef("give the store's file after %s", sqlitePrefix)
	}
	if files.IsAddress(path) { // and is not repeated: a password may be in it
		return place{}, cli.Usagef("a store is not at such an address: give a directory, %sFILE, %s, or %s", sqlitePrefix, pgForm, etcdForm)
	}
	return place{sqlite: sqlite, path: path}, nil
}

// String returns what the user gives for the place.
func (p place) String() string {
	if p.server != nil {
		return p.server.String()
	}
	if p.sqlite {
		return sqlitePrefix + p.path
	}
	return p.path
}

// Names of the command's files, after "pawl" in a directory and after the
// file's own name beside it.
const (
	keySuffix     = ".key"      // what a store without a passphrase is sealed under
	keyLockSuffix = ".key.lock" // keyfile's
	witnessSuffix = ".witness"  // shows a store that went back in time
)

func (p place) keyFile() string     { return p.companion(keySuffix) }
func (p place) witnessFile() string { return p.companion(witnessSuffix) }

// companion returns a file of the command, which has its name from where the path
// leads: all names of a store have the same files.
func (p place) companion(suffix string) string {
	if p.server != nil {
		return p.server.companion(suffix)
	}
	if p.sqlite {
		return p.real() + suffix
	}
	return filepath.Join(p.real(), "pawl"+suffix)
}

// real returns the path without links: as it was given, if it has none.
func (p place) real() string {
	found, err := files.Resolve(p.path)
	if err != nil {
		return p.path // whoever opens the store says why
	}
	given := p.path
	if here, err := files.Resolve("."); err == nil && !filepath.IsAbs(given) {
		given = filepath.Join(here, given)
	}
	if filepath.Clean(given) == found {
		return p.path
	}
	return found
}

// open opens the store at the place, or makes it. It logs through the logger of
// the context.
func (p place) open(ctx context.Context) (kv.Store, error) {
	if p.server != nil {
		return p.server.open(ctx)
	}
	if p.sqlite {
		return p.openSQLite(ctx)
	}
	return badgerkv.Open(p.path, badgerkv.WithLogger(cli.Logger(ctx)))
}

// openOlder is open for a store whose accounts will need recovery if its engine says
// that its newest commits are missing.
func (p place) openOlder(ctx context.Context) (kv.Store, error) {
	if p.sqlite {
		return p.openSQLite(ctx, sqlitekv.WithLostTail())
	}
	return p.open(ctx)
}

func (p place) openSQLite(ctx context.Context, more ...sqlitekv.Option) (kv.Store, error) {
	options := append(more, sqlitekv.WithLogger(cli.Logger(ctx)))
	store, err := sqlitekv.Open(p.path, options...)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// require keeps commands from making a store where there is none, with an errNoStore.
// Any other error says that nobody knows. The engines look closer.
func (p place) require(ctx context.Context) error {
	if p.server != nil {
		there, err := p.server.exists(ctx)
		if err == nil && !there {
			err = noStore(p)
		}
		return err
	}
	info, err := os.Stat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noStore(p)
	case err != nil:
		return kv.OfSystem(err)
	case p.sqlite && info.IsDir():
		return fmt.Errorf("%s is a directory: give it without %s", p, sqlitePrefix)
	case p.sqlite && info.Size() == 0:
		return noStore(p)
	case p.sqlite:
		return nil
	case !info.IsDir():
		return fmt.Errorf("%s is a file: give a directory, or %s%s for an SQLite file", p, sqlitePrefix, p)
	}
	entries, err := os.ReadDir(p.path)
	if err == nil && len(entries) == 0 {
		return noStore(p)
	}
	return kv.OfSystem(err)
}

// noStore is the error of a place without a store. Where there was one, which has
// lost its files, nobody is told to make another in its place.
func noStore(p place) error {
	if _, err := os.Stat(p.witnessFile()); err == nil && p.server == nil {
		return fmt.Errorf("%w: there was a store at %s, and its records are gone", kv.ErrCorrupt, p)
	}
	return instead(errNoStore, "there is no store at %s: make one with 'pawl init %s --user USER --device DEVICE'", p, p)
}

var errNoStore = errors.New("there is no store")

// isThere is require for who makes a store where there is none.
func (p place) isThere(ctx context.Context) (bool, error) {
	err := p.require(ctx)
	if errors.Is(err, errNoStore) {
		return false, nil
	}
	return err == nil, err
}

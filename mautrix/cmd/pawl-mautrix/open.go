package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/internal/files/private"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// openDatabase opens the database of mautrix-go, and returns how it is closed.
func openDatabase(ctx context.Context, name string) (*sql.DB, func() error, error) {
	scheme, _, is := strings.Cut(name, "://")
	if is && (strings.EqualFold(scheme, "postgres") || strings.EqualFold(scheme, "postgresql")) {
		name = strings.ToLower(scheme) + strings.TrimPrefix(name, scheme)
		config, err := pgx.ParseConfig(name)
		if err != nil {
			return nil, nil, fmt.Errorf("the address of the database: %w", err) // without its password
		}
		db := stdlib.OpenDB(*config)
		if err := db.PingContext(ctx); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("failed to open the database: %w", err), db.Close())
		}
		return db, db.Close, nil
	}
	path := fileOf(name)
	if files.IsAddress(path) { // and is not repeated: a password may be in it
		return nil, nil, errors.New("the database is neither an SQLite file nor at an address that begins with postgres://")
	}
	return openFile(ctx, path)
}

// fileOf returns the path in what mautrix-go's configuration has for an SQLite file:
// file:bot.db?_txlock=immediate, or the path alone.
func fileOf(name string) string {
	path, uri := strings.CutPrefix(name, "file:")
	if _, err := os.Lstat(path); err == nil || !uri {
		return path
	}
	path, _, _ = strings.Cut(path, "?")
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// openFile opens a copy of an SQLite file: with a log beside it (-wal, -journal), SQLite
// changes the one or the other also for who only reads.
func openFile(ctx context.Context, path string) (*sql.DB, func() error, error) {
	const copies = "pawl-mautrix-"
	private.RemoveDead(copies)
	dir, err := private.New(copies)
	if err != nil {
		return nil, nil, fmt.Errorf("a private copy is needed to read %s: %w", path, err)
	}
	remove := dir.Remove
	copied := filepath.Join(dir.Path(), "copy.db")
	if err := copyDatabase(ctx, path, copied); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	db, err := driver.Open("file:" + copied)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("failed to open %s: %w", path, err), remove())
	}
	return db, func() error { return errors.Join(db.Close(), remove()) }, nil
}

// tries is how often a database is copied that changes meanwhile.
const tries = 5

// copyDatabase copies a database with its logs, as they are at one moment: none of them
// changed from before the first was copied until after the last.
func copyDatabase(ctx context.Context, path, to string) error {
	for range tries {
		before, err := states(path)
		if err != nil {
			return fmt.Errorf("the database: %w", err)
		}
		for _, suffix := range suffixes {
			if err := copyFile(path+suffix, to+suffix); err != nil {
				return fmt.Errorf("the database: %w", err)
			}
		}
		after, err := states(path)
		if err != nil {
			return fmt.Errorf("the database: %w", err)
		}
		if before == after {
			return checkHead(path, to)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is being written to all the time: stop its program", path)
}

// suffixes are those of the files that make up a database.
var suffixes = [3]string{"", "-wal", "-journal"}

// states says what the files of a database are like.
func states(path string) (s [len(suffixes)]string, err error) {
	for i, suffix := range suffixes {
		info, err := os.Stat(path + suffix)
		switch {
		case errors.Is(err, fs.ErrNotExist) && suffix != "":
		case err != nil:
			return s, err
		case !info.Mode().IsRegular():
			return s, fmt.Errorf("%s is not a file", path+suffix)
		default:
			s[i] = fmt.Sprint(info.Size(), info.ModTime())
		}
	}
	return s, nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// checkHead refuses what is no SQLite file, before something else is made of it.
func checkHead(path, copied string) error {
	f, err := os.Open(copied)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 16)
	if _, err := io.ReadFull(f, head); err != nil || string(head) != "SQLite format 3\x00" {
		return fmt.Errorf("%s is not an SQLite file: give a database of mautrix-go, or an address that begins with postgres://", path)
	}
	return nil
}

// sqlitePrefix tells a store in an SQLite file from one in a directory.
const sqlitePrefix = "sqlite:"

// isOne reports whether two names are of one file.
func isOne(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// openEngine opens the store at a place, which is made if there is none; looking: then
// there is none.
func openEngine(ctx context.Context, place string, looking bool) (engine kv.Store, there bool, err error) {
	path, lite := strings.CutPrefix(place, sqlitePrefix)
	if path == "" {
		return nil, false, cli.Usagef("give the store's file after %s", sqlitePrefix)
	}
	if err := pawlmautrix.CheckPlace(place); err != nil {
		return nil, false, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if looking {
			return nil, false, nil
		}
	case err != nil:
		return nil, false, err
	case info.IsDir() == lite:
		return nil, false, fmt.Errorf("%s: a store is a directory, or sqlite:FILE", place)
	case looking:
		if empty, err := isEmpty(path, info); empty || err != nil {
			return nil, false, err
		}
	}
	if lite {
		s, err := sqlitekv.Open(path, sqlitekv.WithLogger(cli.Logger(ctx)))
		if err != nil {
			return nil, false, err
		}
		return s, true, nil
	}
	s, err := badgerkv.Open(path, badgerkv.WithLogger(cli.Logger(ctx)))
	if err != nil {
		return nil, false, err
	}
	return s, true, nil
}

// isEmpty reports whether a directory or file is there in which no store was begun.
func isEmpty(path string, info fs.FileInfo) (bool, error) {
	if !info.IsDir() {
		return info.Size() == 0, nil
	}
	entries, err := os.ReadDir(path)
	return len(entries) == 0, err
}

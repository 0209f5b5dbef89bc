package pawlmautrix

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	_ "modernc.org/sqlite" // as "sqlite": programs of mautrix-go have another driver as "sqlite3"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// place is where a store is that Init opens.
type place struct {
	path   string
	sqlite bool
}

// sqlitePrefix begins the name of a store in an SQLite file, as in the command pawl.
const sqlitePrefix = "sqlite:"

// magic begins every SQLite file.
const magic = "SQLite format 3\x00"

// placeOf reads a path. It opens nothing, but looks whether the file is one of
// mautrix-go, which must not become anything else.
func placeOf(name string) (place, error) {
	p := place{path: name}
	p.path, p.sqlite = strings.CutPrefix(name, sqlitePrefix)
	if p.path == "" {
		return p, fmt.Errorf("%w: the path is empty", ErrStore)
	}
	if files.IsAddress(p.path) { // and is not repeated: a password may be in it
		return p, fmt.Errorf("%w: an address of a database is no path (a store elsewhere, or in memory, is opened by pawl.Open)", ErrStore)
	}
	is, err := isSQLite(p.path)
	if err != nil || !is {
		return p, err
	}
	if ofMautrix(p.path) {
		return p, fmt.Errorf("%w: %s (its device goes on here after: pawl-mautrix import STORE --from mautrix %s --pickle-key-file FILE)", ErrMautrixDatabase, p.path, p.path)
	}
	if !p.sqlite {
		return p, fmt.Errorf("%w: %s is an SQLite file: write %q for a store in it", ErrStore, p.path, sqlitePrefix+p.path)
	}
	return p, nil
}

func isSQLite(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f, head); err != nil {
		return false, nil // too short for one: the engine says what it makes of it
	}
	return string(head) == magic, nil
}

// ofMautrix reports whether an SQLite file has the tables of mautrix-go's keys. It is
// opened so that nothing in it or beside it changes: what a program that has it open
// still has in the log is looked for there.
func ofMautrix(path string) bool {
	return inTables(path) || inLog(path+"-wal")
}

// inLog reports whether a log of SQLite's names mautrix-go's table of accounts, as the list
// of tables does. In one of Pawl's all is sealed.
func inLog(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const name = "crypto_account"
	part := make([]byte, 1<<20)
	for kept := 0; ; {
		n, err := io.ReadFull(f, part[kept:])
		if bytes.Contains(part[:kept+n], []byte(name)) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(part, part[len(part)-len(name):])
	}
}

func inTables(path string) bool {
	db, err := sql.Open("sqlite", "file:"+escape(path)+"?mode=ro&immutable=1")
	if err != nil {
		return false
	}
	defer db.Close()
	var name string
	return db.QueryRow("SELECT name FROM sqlite_schema WHERE name IN ('crypto_account', 'mx_version')").Scan(&name) == nil
}

// escape makes a path fit for an SQLite URI.
func escape(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// stateFile is where mautrix-go's StateStore is.
func (p place) stateFile() string { return p.path + ".state.db" }

// openState opens the database of a StateStore, which any number of processes share. A
// write that another process holds up for long is put off; see stateStore.
func (p place) openState() (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+escape(p.stateFile())+
		"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=busy_timeout(250)&_pragma=synchronous(normal)")
}

// open opens the store, unless the caller gave an open one.
func (h *CryptoHelper) open(ctx context.Context) (*pawl.Store, error) {
	if h.given != nil {
		return h.given, nil
	}
	var err error
	if h.place.sqlite {
		h.engine, err = engine(sqlitekv.Open(h.place.path))
	} else {
		h.engine, err = engine(badgerkv.Open(h.place.path))
	}
	if err != nil {
		return nil, fmt.Errorf("failed to open the store: %w", err)
	}
	store, err := pawl.Open(ctx, h.engine, pawl.WithPassphrase(h.passphrase))
	if err != nil {
		return nil, fmt.Errorf("failed to open the store (the pickle key is its passphrase): %w", err)
	}
	return store, nil
}

// engine keeps a nil pointer from becoming a store.
func engine[S kv.Store](s S, err error) (kv.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

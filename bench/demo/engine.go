package demo

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// Engines that processes can share.
const (
	Badger = "badger"
	SQLite = "sqlite"
)

// openEngine opens the store in a directory that exists. On an error the store
// is nil.
func openEngine(ctx context.Context, engine, dir string) (kv.Store, error) {
	switch engine {
	case Badger:
		store, err := badgerkv.Open(filepath.Join(dir, "badger"), badgerkv.WithLogger(cli.Logger(ctx)))
		if err != nil {
			return nil, err
		}
		return store, nil
	case SQLite:
		store, err := sqlitekv.Open(filepath.Join(dir, "sqlite.db"), sqlitekv.WithLogger(cli.Logger(ctx)))
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	return nil, checkEngine(engine)
}

func checkEngine(engine string) error {
	if engine != Badger && engine != SQLite {
		return fmt.Errorf("demo: no engine %q: there are %s, %s", engine, Badger, SQLite)
	}
	return nil
}

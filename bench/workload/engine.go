package workload

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// Engines. BadgerClient is Badger that another process owns, which does nothing
// else.
const (
	Memory       = result.Memory
	Badger       = result.Badger
	BadgerClient = result.BadgerClient
	SQLite       = result.SQLite
)

// Engines returns the names of all engines.
func Engines() []string { return result.Engines() }

// engine is a store that counts its syncs.
type engine struct {
	kv.Store
	syncs func() (calls int64, took time.Duration)
}

// Unwrap implements kv.Wrapper.
func (e engine) Unwrap() kv.Store { return e.Store }

// openEngine opens the store in a directory that exists.
func openEngine(name, dir string) (engine, error) {
	switch name {
	case Memory:
		return engine{memkv.New(), func() (int64, time.Duration) { return 0, 0 }}, nil
	case Badger, BadgerClient:
		store, err := badgerkv.Open(filepath.Join(dir, "badger"))
		if err != nil {
			return engine{}, err
		}
		return engine{store, func() (int64, time.Duration) {
			s := store.Stats()
			return int64(s.Syncs), s.Syncing
		}}, nil
	case SQLite:
		counting := countSyncs()
		store, err := sqlitekv.Open(filepath.Join(dir, "sqlite.db"), sqlitekv.WithVFS(counting.name))
		if err != nil {
			counting.unregister()
			return engine{}, err
		}
		return engine{counted{store, counting}, counting.read}, nil
	}
	if open := others[name]; open != nil {
		store, err := open(dir)
		return engine{store, func() (int64, time.Duration) { return 0, 0 }}, err
	}
	return engine{}, fmt.Errorf("workload: no engine %q", name)
}

// others are engines whose stores are in a server.
var others = map[string]func(dir string) (kv.Store, error){}

// AddEngine adds an engine to those that a System may name, which opens the store that
// belongs to a directory in a server, as often as it is asked. Its syncs are not counted.
// It is called before anything runs, in Bob's processes too.
func AddEngine(name string, open func(dir string) (kv.Store, error)) { others[name] = open }

// counted is a store whose syncs are counted until it is closed.
type counted struct {
	*sqlitekv.Store
	counting *syncCount
}

func (c counted) Close() error {
	defer c.counting.unregister()
	return c.Store.Close()
}

// mergeTables lets Badger merge what it would merge later anyhow.
func mergeTables(ctx context.Context, e engine) error {
	if store, ok := e.Store.(*badgerkv.Store); ok {
		return store.Flatten(ctx)
	}
	return nil
}

// layout names the stores that a system can use: their engine, and how entries
// lie in them.
type layout struct{ engine, entries string }

func (s System) layout() layout {
	d, _ := design.Find(s.Design)
	l := layout{s.Engine, d.Layout}
	if l.engine == BadgerClient {
		l.engine = Badger
	}
	return l
}

// fillFor puts a file of entries into a store as a system lays them out.
func fillFor(ctx context.Context, s System, store kv.Store, entries string) error {
	if d, known := design.Find(s.Design); known && d.Layout != "" {
		store = d.Share(store, "")
	}
	return fill(ctx, store, entries)
}

// makeTemplate makes a store for a system.
func makeTemplate(ctx context.Context, s System, dir, entries string) error {
	e, err := openEngine(s.Engine, dir)
	if err != nil {
		return err
	}
	err = fillFor(ctx, s, e, entries)
	if err == nil {
		err = mergeTables(ctx, e)
	}
	return errors.Join(err, e.Close())
}

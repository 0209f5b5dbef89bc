package openings

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
)

// engine opens stores, each in a directory of its own.
type engine struct {
	name string
	open func(path string, wait time.Duration) (kv.Store, error) // for others
	base string                                                  // of the store in its directory
	key  string                                                  // of the key file, from the store on
	file []string
}

// wait is for others where there are none, longWait where there are.
const (
	wait     = 300 * time.Millisecond
	longWait = 30 * time.Second
)

var engines = []engine{
	{
		name: "badger", base: "store", key: "/pawl.key",
		open: func(path string, wait time.Duration) (kv.Store, error) {
			return store(badgerkv.Open(path, badgerkv.WithPatience(wait)))
		},
		file: []string{
			"/pawl.format", "/pawl.lock", "/pawl.sock", "/pawl.witness", "/pawl.key", "/pawl.key.lock",
			"/MANIFEST", "/KEYREGISTRY", "/DISCARD", "/LOCK", "/000001.sst", "/00001.mem",
		},
	},
	{
		name: "sqlite", base: "store.db", key: ".key",
		open: func(path string, wait time.Duration) (kv.Store, error) {
			return store(sqlitekv.Open(path, sqlitekv.WithWait(wait)))
		},
		file: []string{"", "-gate", "-turns", "-new", ".witness", ".key", ".key.lock", "-wal", "-shm", "-journal"},
	},
}

// store makes a nil of an engine's type one of kv.Store.
func store[S kv.Store](s S, err error) (kv.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (e engine) path(dir string) string { return filepath.Join(dir, e.base) }

// use opens a store with its account, which is made if new says so, and closes it.
func (e engine) use(path string, create bool) (err error) {
	s, err := e.open(path, wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	opened, err := keyfile.Open(context.Background(), s, path+e.key)
	if err != nil {
		return err
	}
	return account(opened, "A", create)
}

const user = "@alice:example.org"

// account opens an account, or makes it if create says so.
func account(s *pawl.Store, device matrix.DeviceID, create bool) (err error) {
	if create {
		_, err = s.OpenOrCreate(context.Background(), user, device)
		return err
	}
	_, err = s.Machine(context.Background(), user, device)
	return err
}

// kinds are those that an error of opening may have where a file is not as it was.
var kinds = []error{kv.ErrUnusable, kv.ErrCorrupt, kv.ErrForeign, pawl.ErrNoKey}

func isOfAKind(err error) bool {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return !errors.Is(err, kv.ErrUnavailable)
		}
	}
	return false
}

package pawlbot

import (
	"path/filepath"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// Engines are those that a client can have, by the kinds of clients.
var Engines = map[string]Engine{
	"pawl-badger": func(dir string) (kv.Store, error) { return badgerkv.Open(dir) },
	"pawl-sqlite": func(dir string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(dir, "device.db")) },
}

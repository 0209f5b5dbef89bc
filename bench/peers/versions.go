package main

import (
	"runtime"
	"runtime/debug"

	"github.com/pawlkv/pawl/bench/result"
)

// told are the modules whose versions matter to the figures.
var told = map[string]string{
	"maunium.net/go/mautrix":         "mautrix-go",
	"github.com/mattn/go-sqlite3":    "mattn/go-sqlite3",
	"github.com/ncruces/go-sqlite3":  "ncruces/go-sqlite3",
	"github.com/dgraph-io/badger/v4": "Badger",
	"filippo.io/edwards25519":        "filippo.io/edwards25519",
}

// versions are of what this program was built from.
func versions() []result.Version {
	out := []result.Version{{Name: "Go", Version: runtime.Version()}}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if name, ok := told[d.Path]; ok {
				out = append(out, result.Version{Name: name, Version: d.Version})
			}
		}
	}
	return append(out, libraries()...)
}

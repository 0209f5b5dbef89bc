// Package vectors holds what a port of Pawl to another language is tested with, as
// data: docs/port has what each file means. It is a package so that the suite of kv
// can embed its scripts.
package vectors

import (
	"embed"
	"io/fs"
)

//go:embed kv
var scripts embed.FS

// Scripts returns the scripts of the storage contract, a directory for each part of
// the suite kv/kvtest. docs/port/kv-scripts.md has their language.
func Scripts() fs.FS {
	sub, err := fs.Sub(scripts, "kv")
	if err != nil {
		panic(err) // "kv" is a path
	}
	return sub
}

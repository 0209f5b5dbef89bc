//go:build cgo && libpawl_sqlite

package main

import (
	"context"
	"log/slog"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

const flavour = "sqlite"

func openFlavour(_ context.Context, path string, log *slog.Logger) (kv.Store, error) {
	return sqlitekv.Open(path, sqlitekv.WithLogger(log))
}

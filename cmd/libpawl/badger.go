//go:build cgo && !libpawl_sqlite

package main

import (
	"context"
	"log/slog"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

const flavour = "badger"

func openFlavour(_ context.Context, path string, log *slog.Logger) (kv.Store, error) {
	return badgerkv.Open(path, badgerkv.WithLogger(log))
}

//go:build cgo

package main

import (
	"context"
	"log/slog"

	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// engines are those of this flavour, by their names.
var engines = map[string]calls.Engine{
	"memory": func(context.Context, string, *slog.Logger) (kv.Store, error) { return memkv.New(), nil },
	flavour:  openFlavour,
}

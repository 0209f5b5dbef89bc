package clients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/mautrixbot"
	"github.com/pawlkv/pawl/internal/proof/clients/pawlbot"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// kindVariable tells this program which client it is, if it is one.
const kindVariable = "PAWL_PROOF_CLIENT"

// programs are the clients that this program can be. Of the kinds that begin with
// "pawl" the rest is the engine.
var programs = map[string]func(func(bot.Event)) bot.Client{
	"mautrix":     mautrixbot.Open,
	"pawl-badger": pawlbot.On(func(dir string) (kv.Store, error) { return badgerkv.Open(dir) }),
	"pawl-sqlite": pawlbot.On(func(dir string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(dir, "device.db")) }),
}

func TestMain(m *testing.M) {
	kind := os.Getenv(kindVariable)
	if kind == "" {
		os.Exit(m.Run())
	}
	open, known := programs[kind]
	if !known {
		fmt.Fprintln(os.Stderr, "no client", kind)
		os.Exit(2)
	}
	if err := bot.Serve(context.Background(), os.Stdin, os.Stdout, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

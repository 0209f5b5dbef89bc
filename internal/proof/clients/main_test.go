package clients

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/mautrixbot"
	"github.com/pawlkv/pawl/internal/proof/clients/pawlbot"
)

// kindVariable tells this program which client it is, if it is one.
const kindVariable = "PAWL_PROOF_CLIENT"

// programOf returns the client of a kind, of those that this program can be.
func programOf(kind string) (open func(func(bot.Event)) bot.Client, known bool) {
	if kind == "mautrix" {
		return mautrixbot.Open, true
	}
	engine, known := pawlbot.Engines[kind]
	return pawlbot.On(engine), known
}

func TestMain(m *testing.M) {
	kind := os.Getenv(kindVariable)
	if kind == "" {
		status := m.Run()
		removeRaced()
		removeBuilt()
		os.Exit(status)
	}
	open, known := programOf(kind)
	if !known {
		fmt.Fprintln(os.Stderr, "no client", kind)
		os.Exit(2)
	}
	if err := bot.Serve(context.Background(), os.Stdin, os.Stdout, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// storedConfig says what to run beside one another, from programs that are
// built.
type storedConfig struct {
	programs string
	peer.Config
	only string
	json bool
}

func (c *storedConfig) flags(f *flag.FlagSet) {
	f.StringVar(&c.programs, "programs", "../../build/peers", "directory of the programs that 'make peers' built")
	f.IntVar(&c.Repeats, "repeats", 9, "with -stored: repetitions of each row")
	f.Float64Var(&c.Share, "share", 1, "with -stored: share of a full repetition")
	f.StringVar(&c.Dir, "dir", "", "with -stored: where the stores are made; default is the temporary directory")
	f.Uint64Var(&c.Seed, "seed", 1, "with -stored: seed of the messages")
}

// runStored measures and prints; standard error tells what is being done.
func runStored(ctx context.Context, w io.Writer, c storedConfig) error {
	// An interrupt ends the program that runs and deletes its store.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	c.Programs = peer.Find(ctx, c.programs, peer.Names()...)
	c.Syncs = true
	c.Wanted = func(r result.Row) bool { return strings.Contains(r.Workload+", "+r.System, c.only) }
	c.Step = func(done, total int, next string) { fmt.Fprintf(os.Stderr, "%d/%d %s\n", done, total, next) }
	report, err := peer.Measure(ctx, c.Config)
	if err != nil {
		return err
	}
	if c.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return writeStored(w, report)
}

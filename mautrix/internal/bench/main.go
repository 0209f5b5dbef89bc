// Command bench measures Pawl's helper beside mautrix-go's cryptohelper, and beside a
// pawl.Machine without a helper, on one fake homeserver that answers over HTTP:
//
//	go run -tags goolm ./internal/bench
//
// Each repetition is a process with a store of its own. Those that can be compared are run
// in turn, another one first each time, and what is reported is the median; a ratio is the
// median of the ratios of the rounds. With strace one repetition more counts the calls that
// make something durable.
//
// Built with cgo cryptohelper has the SQLite that it has by itself (mattn's, in C), and
// without it modernc's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && slices.Contains([]string{"list", "run"}, args[0]):
		return peer.Serve(ctx, os.Stdout, args, versions(), benches())
	case len(args) > 0 && args[0] == "bots":
		return bots(ctx, args[1:])
	}
	var c peer.Config
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&c.Repeats, "repeats", 9, "repetitions of each row")
	flags.Float64Var(&c.Share, "share", 1, "share of a full repetition")
	flags.StringVar(&c.Dir, "dir", "", "where the stores are made; default is the temporary directory")
	flags.StringVar(&only, "only", "", "measure what has this in its name")
	flags.BoolVar(&c.Syncs, "syncs", true, "count syncs, in a repetition more")
	count := flags.Int("bots", 200, "bots in one store whose memory is compared with that of one; 0: of none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New("usage: bench [flags]")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.Seed = 1
	c.Programs = peer.Find(ctx, filepath.Dir(self), filepath.Base(self))
	if missing := c.Programs[0].Missing; missing != "" {
		return errors.New(missing)
	}
	c.Wanted = func(r result.Row) bool { return strings.Contains(r.Workload+", "+r.System+", "+r.Engine, only) }
	c.Step = func(done, total int, next string) { fmt.Fprintf(os.Stderr, "%d/%d %s\n", done, total, next) }
	report, err := peer.Measure(ctx, c)
	if err != nil {
		return err
	}
	if err := write(os.Stdout, report); err != nil || *count == 0 {
		return err
	}
	return memory(ctx, os.Stdout, self, c.Dir, *count, c.Repeats)
}

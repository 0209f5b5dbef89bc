// Command peers measures Pawl's Olm beside goolm and libolm in one process, and
// vodozemac, if "make peers" has built it, in a process for each round.
//
//	go run -tags libolm .            a line for each operation
//	go run -tags libolm . -json      the same as JSON
//	go run .                         without libolm
//	go run . -stored                 the programs of "make peers", with their stores
//
// Built as a peer program ("make peers") it also lists and runs what README.md
// describes.
//
// Every operation is done in short rounds, the implementations in turn, and
// what is reported is the median over the rounds of the CPU time per operation,
// garbage collection included. The ratio to goolm is the median of the ratios
// of the rounds; the target is what Pawl must reach.
//
// What each side does is written beside its operations (ours.go, theirs.go).
// Except for the rows "state in hand", Pawl starts from encoded records and
// ends with encoded records, as it does without a cache. All take and give
// messages in base64. goolm and libolm work
// on states in memory; where an operation uses a state up, fresh copies are
// made outside the measured part.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
)

func main() {
	ctx := context.Background()
	if len(os.Args) > 1 && slices.Contains([]string{"list", "run", "hold"}, os.Args[1]) {
		exit(program(ctx, os.Args[1:]))
	}
	var c Config
	var s storedConfig
	stored := flag.Bool("stored", false, "run the peer programs, with their stores, beside one another")
	s.flags(flag.CommandLine)
	flag.IntVar(&c.Rounds, "rounds", 61, "rounds per operation")
	flag.DurationVar(&c.Batch, "batch", defaultBatch, "CPU time of one round, about")
	flag.StringVar(&c.Only, "only", "", "measure what has this in its name")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	if *stored {
		s.only, s.json = c.Only, *asJSON
		exit(runStored(ctx, os.Stdout, s))
	}
	c.Programs = s.programs
	results, err := Run(ctx, c)
	if err == nil {
		if *asJSON {
			err = writeJSON(os.Stdout, results)
		} else {
			err = writeTable(os.Stdout, results)
		}
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

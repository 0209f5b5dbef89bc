// Command peers measures Pawl's Olm beside goolm and libolm in one process.
//
//	go run -tags libolm .            a line for each operation
//	go run -tags libolm . -json      the same as JSON
//	go run .                         without libolm
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
	"flag"
	"fmt"
	"os"
)

func main() {
	var c Config
	flag.IntVar(&c.Rounds, "rounds", 61, "rounds per operation")
	flag.DurationVar(&c.Batch, "batch", defaultBatch, "CPU time of one round, about")
	flag.StringVar(&c.Only, "only", "", "measure operations whose name contains this")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	results, err := Run(c)
	if err == nil {
		if *asJSON {
			err = writeJSON(os.Stdout, results)
		} else {
			err = writeTable(os.Stdout, results)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

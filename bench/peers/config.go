package main

import "time"

// defaultBatch is short, so that a slow moment of the machine spoils few
// rounds, but long enough that the garbage of a round is collected within it:
// with 2 ms no collection falls into a round, and allocating costs nothing.
const defaultBatch = 10 * time.Millisecond

// maxBatch bounds how many states are prepared for one round.
const maxBatch = 4096

// Config says how to measure.
type Config struct {
	Rounds int           // at least 1
	Batch  time.Duration // CPU time of one round
	Only   string        // part of the names of the operations wanted
	// Programs is the directory of the peer programs; vodozemac is one.
	Programs string
}

// Result is one operation measured.
type Result struct {
	Operation string             `json:"operation"`
	NsPerOp   map[string]float64 `json:"ns_per_op"` // by implementation
	Ratio     float64            `json:"ratio"`     // ours by goolm's
	Target    float64            `json:"target"`    // at most
	Reached   bool               `json:"reached"`
	// ToVodozemac is ours by vodozemac's, 0 if it was not there.
	ToVodozemac float64 `json:"ratio_to_vodozemac,omitempty"`
}

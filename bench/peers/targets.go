package main

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// target is a ratio between two rows of one workload that Pawl must reach.
type target struct {
	workload string
	batch    int
	against  string // beginning of the peer's system
	engine   string // end of the peer's engine
	cpu      bool   // compare CPU time, at most; else messages per second, at least
	ratio    float64
}

// targets are those of the project. Pawl is on Badger and without a cache.
var targets = []target{
	{peer.WorkloadDecrypt, 1, "mautrix-go", "=FULL", false, 2.5},
	{peer.WorkloadDecrypt, 100, "mautrix-go", "=NORMAL", false, 5},
	{peer.WorkloadDecrypt, 100, "mautrix-go", "=FULL", false, 8},
	{peer.WorkloadDecrypt, 100, "matrix-sdk-crypto", "", false, 1},
	{peer.WorkloadOlm + ": " + string(encryptHeld), 0, "vodozemac", "", true, 1.5},
	{peer.WorkloadOlm + ": " + string(decryptHeld), 0, "vodozemac", "", true, 1.5},
}

// ratiosToReach says of each target whether it was reached.
func ratiosToReach(rows []result.Row) []string {
	var said []string
	for _, t := range targets {
		found := false
		for _, theirs := range rows {
			if !t.covers(theirs) || !strings.HasPrefix(theirs.System, t.against) || !strings.HasSuffix(theirs.Engine, t.engine) {
				continue
			}
			for _, ours := range rows {
				if t.covers(ours) && ours.System == "pawl" && ours.Params == theirs.Params &&
					(ours.Engine == "badger" && ours.Design == "none" || ours.Engine == "") {
					said = append(said, t.verdict(ours, theirs))
					found = true
				}
			}
		}
		if !found {
			said = append(said, fmt.Sprintf("%s, beside %s%s\tnot measured", t.name(), t.against, t.engine))
		}
	}
	return said
}

func (t target) name() string {
	if t.batch > 0 {
		return fmt.Sprintf("%s, batch %d", t.workload, t.batch)
	}
	return t.workload
}

func (t target) covers(row result.Row) bool {
	return row.Workload == t.workload && row.Params.Batch == t.batch && row.Missing == "" && len(row.Runs) > 0
}

func (t target) verdict(ours, theirs result.Row) string {
	var ratios []float64
	for i := range min(len(ours.Runs), len(theirs.Runs)) {
		ratios = append(ratios, t.measure(ours.Runs[i])/t.measure(theirs.Runs[i]))
	}
	ratio := median(ratios) // sorts
	what, bound, reached := "x the messages/s of", "at least", ratio >= t.ratio
	if t.cpu {
		what, bound, reached = "x the CPU time of", "at most", ratio <= t.ratio
	}
	verdict := "MISSED"
	if reached {
		verdict = "reached"
	}
	return fmt.Sprintf("%s: %.2f (%.2f to %.2f) %s %s\t%s %.1f\t%s", t.name(),
		ratio, ratios[0], ratios[len(ratios)-1], what, strings.TrimSpace(theirs.System+" "+theirs.Engine), bound, t.ratio, verdict)
}

// measure is of one repetition, so that what slowed it down is in both.
func (t target) measure(r result.Run) float64 {
	if t.cpu {
		return float64(r.CPU) / float64(r.Messages)
	}
	return float64(r.Messages) / r.Took.Seconds()
}

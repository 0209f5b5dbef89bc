package main

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// target is a ratio between two rows that Pawl must reach.
type target struct {
	workload string
	batch    int
	beside   string // workload of the other row; "" is the same
	against  string // beginning of the other's system
	engine   string // end of the other's engine
	what     measure
	ratio    float64
	engines  []string // Pawl's
}

// measure is what of two rows is compared.
type measure int

const (
	rate measure = iota // messages per second, at least
	took                // time of a message, at most
	cpu                 // CPU time of a message, at most
)

var (
	badger = []string{"badger"}
	both   = []string{"badger", "sqlite"}
	none   = []string{""} // without a store
)

// targets are those of the project. Pawl is without a cache.
var targets = []target{
	{peer.WorkloadDecrypt, 1, "", "mautrix-go", "=FULL", rate, 2.5, badger},
	{peer.WorkloadDecrypt, 100, "", "mautrix-go", "=NORMAL", rate, 5, badger},
	{peer.WorkloadDecrypt, 100, "", "mautrix-go", "=FULL", rate, 8, badger},
	{peer.WorkloadDecrypt, 100, "", "matrix-sdk-crypto", "", rate, 1, badger},
	{peer.WorkloadRoomKey, 1, "", "mautrix-go", "=FULL", rate, 2.5, both},
	{peer.WorkloadRoomKey, 100, "", "mautrix-go", "=NORMAL", rate, 5, both},
	{peer.WorkloadRoomKey, 100, "", "mautrix-go", "=FULL", rate, 8, both},
	{peer.WorkloadShare, 0, peer.WorkloadEncrypt, "pawl", "", took, 0.25, both},
	{peer.WorkloadShare, 0, "", "mautrix-go", "=FULL", took, 0.5, both},
	{peer.WorkloadClaim, 0, "", "matrix-sdk-crypto", "", took, 1, both},
	{peer.WorkloadMissing, 0, "", "matrix-sdk-crypto", "", took, 1, both},
	{peer.WorkloadRoomEncrypt, 0, "", bareSystem, "", took, 1.25, both},
	{peer.WorkloadRoomDecrypt, 0, "", bareSystem, "", took, 1.3, both},
	{peer.WorkloadOlm + ": " + string(encryptHeld), 0, "", "vodozemac", "", cpu, 1.5, none},
	{peer.WorkloadOlm + ": " + string(decryptHeld), 0, "", "vodozemac", "", cpu, 1.5, none},
}

// bareSystem is an engine without Pawl.
const bareSystem = "bare commit"

// ratiosToReach says of each target whether it was reached.
func ratiosToReach(rows []result.Row) []string {
	var said []string
	for _, t := range targets {
		found := false
		for _, engine := range t.engines {
			for _, ours := range rows {
				if !covers(ours, t.workload, t.batch) || ours.System != "pawl" || ours.Engine != engine || ours.Design == "validated" {
					continue
				}
				for _, theirs := range rows {
					if t.isBeside(theirs, ours) {
						said = append(said, t.verdict(ours, theirs))
						found = true
					}
				}
			}
		}
		if !found {
			said = append(said, fmt.Sprintf("%s, beside %s%s\tnot measured", t.name(), t.against, t.engine))
		}
	}
	return said
}

// isBeside: a row of Pawl or its engine is of the same engine and without a cache.
func (t target) isBeside(theirs, ours result.Row) bool {
	workload := t.workload
	if t.beside != "" {
		workload = t.beside
	}
	if !covers(theirs, workload, t.batch) || theirs.Params != ours.Params || !strings.HasPrefix(theirs.System, t.against) {
		return false
	}
	if t.against == "pawl" || t.against == bareSystem {
		return theirs.Engine == ours.Engine && theirs.Design != "validated"
	}
	return strings.HasSuffix(theirs.Engine, t.engine)
}

func (t target) name() string {
	if t.batch > 0 {
		return fmt.Sprintf("%s, batch %d", t.workload, t.batch)
	}
	return t.workload
}

func covers(row result.Row, workload string, batch int) bool {
	return row.Workload == workload && row.Params.Batch == batch && row.Missing == "" && len(row.Runs) > 0
}

func (t target) verdict(ours, theirs result.Row) string {
	var ratios []float64
	for i := range min(len(ours.Runs), len(theirs.Runs)) {
		ratios = append(ratios, t.of(ours.Runs[i])/t.of(theirs.Runs[i]))
	}
	ratio := median(ratios) // sorts
	words := map[measure]string{rate: "x the messages/s of", took: "x the time of", cpu: "x the CPU time of"}
	bound, reached := "at most", ratio <= t.ratio
	if t.what == rate {
		bound, reached = "at least", ratio >= t.ratio
	}
	verdict := "MISSED"
	if reached {
		verdict = "reached"
	}
	name := t.name()
	if ours.Engine != "" {
		name += ", " + ours.Engine
	}
	other := strings.TrimSpace(theirs.System + " " + theirs.Engine)
	if t.beside != "" {
		other = t.beside
	}
	return fmt.Sprintf("%s: %.2f (%.2f to %.2f) %s %s\t%s %.2f\t%s", name,
		ratio, ratios[0], ratios[len(ratios)-1], words[t.what], other, bound, t.ratio, verdict)
}

// of is of one repetition, so that what slowed it down is in both.
func (t target) of(r result.Run) float64 {
	switch t.what {
	case cpu:
		return float64(r.CPU) / float64(r.Messages)
	case took:
		return float64(r.Took) / float64(r.Messages)
	}
	return float64(r.Messages) / r.Took.Seconds()
}

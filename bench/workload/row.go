package workload

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/txn"
)

// rowOf returns what a system came to.
func rowOf(p *preparation, s *stage) result.Row {
	row := result.Row{
		Workload: p.Workload, Params: p.Params, System: "pawl", Design: s.system.Design, Engine: s.system.Engine,
		Durable: durable(s.system.Engine), Also: also(p.Workload),
	}
	if row.Missing = s.missing; s.missing != "" {
		return row
	}
	row.Latency, row.Cost, row.Split = latencyOf(s.outcomes), costOf(s.outcomes), splitOf(s.outcomes)
	row.Wrong, row.Notes = s.ledger.wrong, s.ledger.notes()
	for _, o := range s.outcomes {
		row.Runs = append(row.Runs, result.Run{Messages: o.messages, Took: o.took, CPU: o.used.CPU})
		row.Resident = max(row.Resident, o.resident)
	}
	return row
}

// also says what else a call does than its workload's name says.
func also(workload string) string {
	switch workload {
	case Sync:
		return "all that follows from a sync: keys uploaded for those that were used, queries for the devices that are new"
	case Share:
		return "the request with its bytes, and what each device was given, so that none is given it twice"
	case Room:
		return "which event was read under an index, so that no other is; a power failure may forget the latest of these"
	}
	return "a receipt, so that the same message has the same answer"
}

func durable(engine string) string {
	if engine == Memory {
		return "nothing: the store is in memory"
	}
	return "all that the call changed"
}

// notes tells what was said of what was lost, the most frequent first.
func (l *ledger) notes() []string {
	why := slices.SortedFunc(maps.Keys(l.errors), func(a, b string) int {
		if n := l.errors[b] - l.errors[a]; n != 0 {
			return n
		}
		if a < b {
			return -1
		}
		return 1
	})
	var notes []string
	for _, w := range why[:min(len(why), 3)] {
		notes = append(notes, fmt.Sprintf("%d %s", l.errors[w], w))
	}
	return notes
}

// Bounds of the histogram.
const (
	shortest = time.Microsecond
	longest  = 10 * time.Minute
	digits   = 3
)

func latencyOf(outcomes []outcome) result.Latency {
	h := hdrhistogram.New(int64(shortest), int64(longest), digits)
	counts := make([]int, len(result.Bounds)+1)
	for _, o := range outcomes {
		for _, d := range o.latencies {
			_ = h.RecordValue(int64(min(max(d, shortest), longest))) // within its bounds
			counts[result.Bin(d)]++
		}
	}
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return result.Latency{P50: at(50), P99: at(99), P999: at(99.9), Counts: counts}
}

// costOf returns the median of the runs, for a message.
func costOf(outcomes []outcome) result.Cost {
	each := func(f func(reading) float64) float64 {
		var values []float64
		for _, o := range outcomes {
			values = append(values, f(o.used)/float64(o.messages))
		}
		return median(values)
	}
	written := each(func(r reading) float64 { return float64(r.Written) })
	if slices.ContainsFunc(outcomes, func(o outcome) bool { return o.used.Written < 0 }) {
		written = -1
	}
	return result.Cost{
		CPU:       time.Duration(each(func(r reading) float64 { return float64(r.CPU) })),
		Allocs:    each(func(r reading) float64 { return float64(r.Allocs) }),
		Allocated: each(func(r reading) float64 { return float64(r.Allocated) }),
		Written:   written,
		Syncs:     each(func(r reading) float64 { return float64(r.Syncs) }),
		Conflicts: each(func(r reading) float64 { return float64(r.Conflicts) }),
		Retries:   each(func(r reading) float64 { return float64(r.Attempts - r.Transactions + r.Refused) }),
	}
}

// median returns the middle of the values, of an even number the mean of the
// two.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// splitOf returns what the steps of a message take on average. The rest is what
// is left of the calls' time, or of that of the transactions where calls of a
// process overlap.
func splitOf(outcomes []outcome) []result.Part {
	var used reading
	var whole time.Duration
	messages := 0
	for _, o := range outcomes {
		used, messages = used.plus(o.used), messages+o.messages
		if o.parallel {
			whole += o.used.Time
		} else {
			whole += sum(o.latencies)
		}
	}
	took := map[string]time.Duration{
		"read": used.Reading, "commit": max(used.Committing-used.Syncing, 0), "sync": used.Syncing,
		"open": used.Steps[txn.Opening], "decode": used.Steps[txn.Decoding], "ratchet": used.Steps[txn.Computing],
		"encode": used.Steps[txn.Encoding], "seal": used.Steps[txn.Sealing],
	}
	rest := whole
	for _, d := range took {
		rest -= d
	}
	took["rest"] = max(rest, 0)
	var parts []result.Part
	for _, name := range result.Parts {
		parts = append(parts, result.Part{Name: name, Time: took[name] / time.Duration(max(messages, 1))})
	}
	return parts
}

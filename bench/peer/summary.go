package peer

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

func (m *measuring) report() Report {
	var r Report
	for _, p := range m.Programs {
		for _, v := range p.Catalog.Versions {
			if !slices.Contains(r.Versions, v) {
				r.Versions = append(r.Versions, v)
			}
		}
	}
	for _, c := range slices.Concat(m.groups...) {
		r.Rows = append(r.Rows, c.row())
	}
	for _, p := range m.Programs {
		for _, row := range p.missing() {
			if m.Wanted == nil || m.Wanted(row) {
				r.Rows = append(r.Rows, row)
			}
		}
	}
	return r
}

// row sums up what came of a contestant.
func (c *contestant) row() result.Row {
	row := c.entry.Row
	if row.Missing != "" {
		return row
	}
	if c.failed != nil {
		row.Missing = fmt.Sprintf("failed: %v", c.failed)
		return row
	}
	var calls []time.Duration
	var costs []result.Cost
	for _, o := range c.outcomes {
		row.Runs = append(row.Runs, o.Run)
		calls = append(calls, o.Calls...)
		costs = append(costs, o.Cost)
		row.Resident = max(row.Resident, o.Resident)
		row.Wrong = row.Wrong.Plus(o.Wrong)
		for _, note := range o.Notes {
			if !slices.Contains(row.Notes, note) {
				row.Notes = append(row.Notes, note)
			}
		}
	}
	row.Latency = latency(calls)
	row.Cost = typical(costs)
	row.Cost.Syncs = c.syncs
	return row
}

func latency(calls []time.Duration) result.Latency {
	if len(calls) == 0 {
		return result.Latency{}
	}
	slices.Sort(calls)
	at := func(p float64) time.Duration {
		return calls[max(int(math.Ceil(p*float64(len(calls)))), 1)-1]
	}
	counts := make([]int, len(result.Bounds)+1)
	for _, call := range calls {
		counts[result.Bin(call)]++
	}
	return result.Latency{P50: at(0.5), P99: at(0.99), P999: at(0.999), Counts: counts}
}

// typical is the median of each cost.
func typical(costs []result.Cost) result.Cost {
	return result.Cost{
		CPU:       median(costs, func(c result.Cost) time.Duration { return c.CPU }),
		Allocs:    median(costs, func(c result.Cost) float64 { return c.Allocs }),
		Allocated: median(costs, func(c result.Cost) float64 { return c.Allocated }),
		Written:   median(costs, func(c result.Cost) float64 { return c.Written }),
		Syncs:     median(costs, func(c result.Cost) float64 { return c.Syncs }),
		Conflicts: median(costs, func(c result.Cost) float64 { return c.Conflicts }),
		Retries:   median(costs, func(c result.Cost) float64 { return c.Retries }),
	}
}

func median[S any, T float64 | time.Duration](of []S, value func(S) T) T {
	values := make([]T, len(of))
	for i, v := range of {
		values[i] = value(v)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

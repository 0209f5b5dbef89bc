package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// target is a ratio between two rows that the helper must reach.
type target struct {
	workload string
	batch    int
	beside   string // the other's system
	engine   string // and engine; "": the same
	atLeast  bool   // of messages/s; else the time of a message, at most
	ratio    float64
}

// targets are those of the project.
var targets = []target{
	{first, 0, theirs, full, false, 0.5},
	{fresh, 0, theirs, full, false, 0.5},
	{later, 0, bare, "", false, 1.25},
	{taking, 1, theirs, full, true, 2.5},
	{taking, atOnce, theirs, full, true, 8},
	{first, 0, machine, "", false, 1.15},
	{fresh, 0, machine, "", false, 1.15},
	{later, 0, machine, "", false, 1.15},
	{taking, 1, machine, "", false, 1.15},
	{taking, atOnce, machine, "", false, 1.15},
}

// write prints a table for each workload, and what of the targets was reached.
func write(w io.Writer, report peer.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	heading := ""
	for _, row := range report.Rows {
		if h := title(row.Workload, row.Params.Batch); h != heading {
			heading = h
			fmt.Fprintf(t, "\n%s\nsystem\tengine\tms a message\tp50 of a call\tp99\tCPU a message\tsyncs a message\n", h)
		}
		fmt.Fprintln(t, line(row))
	}
	fmt.Fprintln(t)
	for _, of := range targets {
		for _, said := range of.verdicts(report.Rows) {
			fmt.Fprintln(t, said)
		}
	}
	fmt.Fprintln(t)
	for _, v := range report.Versions {
		fmt.Fprintf(t, "%s\t%s\n", v.Name, v.Version)
	}
	return t.Flush()
}

func title(workload string, batch int) string {
	if batch > 0 {
		return fmt.Sprintf("%s, %d in a response", workload, batch)
	}
	return workload
}

func line(row result.Row) string {
	if row.Missing != "" {
		return fmt.Sprintf("%s\t%s\t%s", row.System, row.Engine, row.Missing)
	}
	syncs := "-"
	if row.Cost.Syncs >= 0 {
		syncs = fmt.Sprintf("%.2f", row.Cost.Syncs)
	}
	round := func(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
	return fmt.Sprintf("%s\t%s\t%.3f\t%v\t%v\t%v\t%s", row.System, row.Engine, median(each(row))*1000,
		round(row.Latency.P50), round(row.Latency.P99), round(row.Cost.CPU), syncs)
}

// each is how many seconds a message took in each round.
func each(row result.Row) (all []float64) {
	for _, r := range row.Runs {
		all = append(all, r.Took.Seconds()/float64(r.Messages))
	}
	return all
}

// verdicts are one for each engine of Pawl's.
func (t target) verdicts(rows []result.Row) (all []string) {
	find := func(system, engine string) []float64 {
		for _, r := range rows {
			if r.Workload == t.workload && r.Params.Batch == t.batch && r.System == system && r.Engine == engine && r.Missing == "" {
				return each(r)
			}
		}
		return nil
	}
	for _, e := range engines {
		engine := t.engine
		if engine == "" {
			engine = e.name
		}
		mine, other := find(ours, e.name), find(t.beside, engine)
		name := fmt.Sprintf("%s, %s, beside %s", title(t.workload, t.batch), e.name, t.beside)
		if len(mine) == 0 || len(mine) != len(other) {
			all = append(all, name+"\tnot measured")
			continue
		}
		all = append(all, name+"\t"+t.verdict(mine, other))
	}
	return all
}

// verdict compares round by round, so that what slowed one down is in both.
func (t target) verdict(mine, other []float64) string {
	ratios := make([]float64, len(mine))
	for i := range mine {
		if ratios[i] = mine[i] / other[i]; t.atLeast {
			ratios[i] = other[i] / mine[i]
		}
	}
	ratio := median(ratios) // sorts
	bound, what, reached := "at most", "the time", ratio <= t.ratio
	if t.atLeast {
		bound, what, reached = "at least", "the messages/s", ratio >= t.ratio
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f) x %s\t%s %.2f\t%s", ratio, ratios[0], ratios[len(ratios)-1], what, bound, t.ratio, verdict(reached))
}

func verdict(reached bool) string {
	if reached {
		return "reached"
	}
	return "MISSED"
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// writeStored prints a table for each workload, what the rows mean, and the
// ratios to reach.
func writeStored(w io.Writer, report peer.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	heading := ""
	var absent []string
	for _, row := range report.Rows {
		if row.Missing != "" && row.Params == (result.Params{}) {
			absent = append(absent, fmt.Sprintf("%s\t%s: %s", row.System, row.Workload, row.Missing))
			continue
		}
		if h := title(row); h != heading {
			heading = h
			fmt.Fprintf(t, "\n%s\nsystem\tengine\tmessages/s\tp50 call\tp99 call\tCPU/msg\tsyncs/msg\twedged\tlost\treused\t\n", h)
		}
		fmt.Fprintln(t, line(row))
	}
	fmt.Fprintln(t)
	for _, r := range ratiosToReach(report.Rows) {
		fmt.Fprintln(t, r)
	}
	fmt.Fprintln(t)
	for _, said := range absent {
		fmt.Fprintln(t, said)
	}
	fmt.Fprintln(t)
	for _, said := range meanings(report.Rows) {
		fmt.Fprintln(t, said)
	}
	for _, v := range report.Versions {
		fmt.Fprintf(t, "%s\t%s\n", v.Name, v.Version)
	}
	return t.Flush()
}

func title(row result.Row) string {
	var p []string
	for name, n := range map[string]int{"batch": row.Params.Batch, "peers": row.Params.Peers, "processes": row.Params.Processes} {
		if n > 0 {
			p = append(p, fmt.Sprintf("%s %d", name, n)) // at most one of them
		}
	}
	return strings.Join(append([]string{row.Workload}, p...), ", ")
}

func line(row result.Row) string {
	if row.Missing != "" {
		return fmt.Sprintf("%s\t%s\t%s", name(row), row.Engine, row.Missing)
	}
	var rates []float64
	for _, r := range row.Runs {
		rates = append(rates, float64(r.Messages)/r.Took.Seconds())
	}
	syncs := "-"
	if row.Cost.Syncs >= 0 {
		syncs = fmt.Sprintf("%.2f", row.Cost.Syncs)
	}
	round := func(d time.Duration) time.Duration {
		if d < 100*time.Microsecond {
			return d.Round(10 * time.Nanosecond)
		}
		return d.Round(time.Microsecond)
	}
	return fmt.Sprintf("%s\t%s\t%.0f\t%v\t%v\t%v\t%s\t%d\t%d\t%d\t", name(row), row.Engine, median(rates),
		round(row.Latency.P50), round(row.Latency.P99), round(row.Cost.CPU), syncs,
		row.Wrong.Wedged, row.Wrong.Lost, row.Wrong.Reused)
}

// name is the system with its design.
func name(row result.Row) string {
	if row.Design == "" {
		return row.System
	}
	return row.System + ", " + row.Design
}

// meanings are what the rows make durable and do besides, once for each system.
func meanings(rows []result.Row) []string {
	var said []string
	seen := map[string]bool{}
	for _, row := range rows {
		m := strings.TrimSpace(fmt.Sprintf("durable: %s. %s", row.Durable, row.Also))
		if row.Durable == "" {
			m = row.Also
		}
		m = fmt.Sprintf("%s %s: %s", row.System, row.Engine, m)
		if (row.Durable != "" || row.Also != "") && !seen[m] {
			seen[m] = true
			said = append(said, m)
		}
	}
	return said
}

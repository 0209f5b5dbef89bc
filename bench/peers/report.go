package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

func writeJSON(w io.Writer, results []Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(results)
}

func writeTable(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "operation, ns/op\tours\tgoolm\tlibolm\tvodozemac\tto vodozemac\tratio to goolm\ttarget\t")
	for _, r := range results {
		verdict := "reached"
		if !r.Reached {
			verdict = "MISSED"
		}
		toVodozemac := "-"
		if r.ToVodozemac > 0 {
			toVodozemac = fmt.Sprintf("%.2f", r.ToVodozemac)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%.2f\t<= %.2f\t%s\n", r.Operation,
			nanoseconds(r, "pawl"), nanoseconds(r, "goolm"), nanoseconds(r, "libolm"), nanoseconds(r, "vodozemac"),
			toVodozemac, r.Ratio, r.Target, verdict)
	}
	return t.Flush()
}

func nanoseconds(r Result, who string) string {
	ns, ok := r.NsPerOp[who]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.0f", ns)
}

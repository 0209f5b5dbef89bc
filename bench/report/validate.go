package report

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// Validate says whether the figures of a result agree with each other. Errors:
// ErrDocument.
func Validate(r result.Result) error {
	if r.Format != result.Format {
		return malformed("its format is %d, want %d", r.Format, result.Format)
	}
	seen := map[Key]bool{}
	for _, row := range r.Rows {
		k := KeyOf(row)
		if err := validateRow(row); err != nil {
			return malformed("%s: %w", k, err)
		}
		if seen[k] && row.Missing == "" {
			return malformed("%s: there twice", k)
		}
		seen[k] = true
	}
	return nil
}

func validateRow(row result.Row) error {
	if row.Workload == "" || row.System == "" {
		return malformed("workload or system is not named")
	}
	if row.Missing != "" {
		if len(row.Runs) > 0 || len(row.Split) > 0 || row.Wrong.Any() {
			return malformed("figures of what is missing")
		}
		return nil
	}
	if len(row.Runs) == 0 {
		return malformed("no runs, and not said to be missing")
	}
	for _, run := range row.Runs {
		if run.Messages < 1 || run.Took <= 0 {
			return malformed("a run of %d messages in %v", run.Messages, run.Took)
		}
	}
	if slices.ContainsFunc(row.Wrong.Faults(), func(f result.Fault) bool { return f.Count < 0 }) {
		return malformed("less than nothing went wrong")
	}
	if err := validateLatency(row.Latency); err != nil {
		return err
	}
	return validateSplit(row)
}

func validateLatency(l result.Latency) error {
	if l.P50 < 0 || l.P50 > l.P99 || l.P99 > l.P999 {
		return malformed("percentiles %v, %v, %v are not in order", l.P50, l.P99, l.P999)
	}
	if len(l.Counts) > 0 && len(l.Counts) != len(result.Bounds)+1 {
		return malformed("%d counts of latencies, want %d", len(l.Counts), len(result.Bounds)+1)
	}
	for _, n := range l.Counts {
		if n < 0 {
			return malformed("%d calls", n)
		}
	}
	return nil
}

// atOnce is how many calls of one process are under way at a time, at most: the
// parts of a message may take so many times what is left of the clock for it.
const atOnce = 64

// validateSplit: the parts are those that we know, each once, and add up to
// something that a message can take.
func validateSplit(row result.Row) error {
	if len(row.Split) == 0 {
		return nil
	}
	var sum time.Duration
	seen := map[string]bool{}
	for _, p := range row.Split {
		if !slices.Contains(result.Parts, p.Name) || seen[p.Name] {
			return malformed("part %q is unknown or there twice", p.Name)
		}
		if p.Time < 0 {
			return malformed("%s takes %v", p.Name, p.Time)
		}
		seen[p.Name] = true
		sum += p.Time
	}
	// A mean like the parts, not the median: one slow call moves both.
	whole := mean(row.Runs)
	switch processes := max(1, row.Params.Processes); {
	case sum <= 0:
		return malformed("the parts take no time")
	case sum > atOnce*time.Duration(processes)*whole:
		return malformed("the parts take %v of a message that takes %v", sum, whole)
	}
	return nil
}

func mean(runs []result.Run) time.Duration {
	var took time.Duration
	messages := 0
	for _, run := range runs {
		took, messages = took+run.Took, messages+run.Messages
	}
	return took / time.Duration(max(1, messages))
}

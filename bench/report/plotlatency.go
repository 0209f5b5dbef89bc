package report

import (
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// latencies shows how many calls took how long.
func latencies(r result.Result) []drawing {
	rows := telling(r, func(row result.Row) bool { return isOurs(row) && total(row.Latency.Counts) > 0 })
	if len(rows) == 0 {
		return nil
	}
	rows = rows[:min(len(rows), len(lineColours))]
	first, last := within(rows)
	c := chart{colours: lineColours, across: "a call takes less than", up: "% of the calls"}
	for i := first; i <= last; i++ {
		c.categories = append(c.categories, boundText(i, last))
	}
	for _, row := range rows {
		counts := row.Latency.Counts
		values := make([]float64, 0, last-first+1)
		for _, n := range counts[first : last+1] {
			values = append(values, 100*float64(n)/float64(total(counts)))
		}
		c.names, c.values = append(c.names, contestant(row)), append(c.values, values)
	}
	return []drawing{{Plot{
		Name: "latency", Title: "How long a call takes",
		Caption: "In " + GroupOf(rows[0]).String() + ", all runs together. Each point is the share of the calls that took less than what is written below it, and not less than what is " +
			"written before. The axis is logarithmic; bins with fewer than two calls of a thousand at either end are left out.",
	}, c.lines}}
}

// rare is the share of the calls that a bin must have to be drawn: the few
// slowest of thousands would stretch the axis, and the tables have them.
const rare = 0.002

// within returns the first and the last bin that matter to any of the rows, and
// one more on each side.
func within(rows []result.Row) (first, last int) {
	first = len(result.Bounds)
	for _, row := range rows {
		counts := row.Latency.Counts
		least := rare * float64(total(counts))
		for i, n := range counts {
			if float64(n) > least {
				first, last = min(first, i), max(last, i)
			}
		}
	}
	return max(0, first-1), min(last+1, len(result.Bounds))
}

// boundText names each fourth bound, three a decade: there is no room for more.
func boundText(i, last int) string {
	if i%4 != 0 || i == last || i == len(result.Bounds) {
		return ""
	}
	b := result.Bounds[i]
	switch {
	case b >= time.Second:
		return axisNumber(b.Seconds()) + " s"
	case b >= time.Millisecond:
		return axisNumber(float64(b)/1e6) + " ms"
	}
	return axisNumber(float64(b)/1e3) + " µs"
}

func total(counts []int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

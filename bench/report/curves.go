package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-analyze/charts"

	"github.com/pawlkv/pawl/bench/result"
)

// curves are figures of rows against one of their params.
type curves struct {
	at    func(result.Row) int    // where on the axis
	name  func(result.Row) string // which curve
	value func(result.Row) float64
}

// wander says how far the runs behind the points lay apart: a bend that is
// smaller than that says nothing.
func wander(m Measure, rows []result.Row) string {
	widest := 0.0
	for _, row := range rows {
		s := m.Of(row)
		widest = max(widest, s.High/s.Median-1, 1-s.Low/s.Median)
	}
	return fmt.Sprintf(" The middle half of the runs lies up to %.0f %% off the points: smaller bends say nothing.", 100*widest)
}

// chart puts the rows on curves, in the order in which the curves are first met.
// Two rows on one spot of one curve: the first counts.
func (c curves) chart(rows []result.Row) chart {
	var spots []int
	var drawn chart
	for _, row := range rows {
		if !slices.Contains(spots, c.at(row)) {
			spots = append(spots, c.at(row))
		}
		if name := c.name(row); !slices.Contains(drawn.names, name) && len(drawn.names) < len(lineColours) {
			drawn.names = append(drawn.names, name)
		}
	}
	slices.SortFunc(spots, cmp.Compare[int])
	for _, at := range spots {
		drawn.categories = append(drawn.categories, thousands(at))
	}
	for _, name := range drawn.names {
		values := make([]float64, len(spots))
		for i, at := range spots {
			values[i] = c.find(rows, name, at)
		}
		drawn.values = append(drawn.values, values)
	}
	drawn.colours = lineColours
	return drawn
}

func (c curves) find(rows []result.Row, name string, at int) float64 {
	i := slices.IndexFunc(rows, func(row result.Row) bool { return c.name(row) == name && c.at(row) == at })
	if i < 0 {
		return charts.GetNullValue()
	}
	return c.value(rows[i])
}

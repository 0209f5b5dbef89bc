package report

import (
	"slices"

	"github.com/pawlkv/pawl/bench/result"
)

// Plots draws what a result has the figures for.
func Plots(r result.Result) ([]Plot, error) {
	var plots []Plot
	for _, kind := range []func(result.Result) []drawing{splits, latencies, scaling, sizes, faults, besides} {
		for _, d := range kind(r) {
			svg, err := d.draw()
			if err != nil {
				return nil, err
			}
			d.Plot.svg = svg
			plots = append(plots, d.Plot)
		}
	}
	return plots, nil
}

// drawing is a plot that is not drawn yet.
type drawing struct {
	Plot
	draw func() (string, error)
}

// telling are the rows that the answer comes from, or else those of the first group
// with what is asked for.
func telling(r result.Result, has func(result.Row) bool) []result.Row {
	var group *Group
	if answers := Answers(r); len(answers) > 0 {
		group = &answers[0].Group
	}
	var best []result.Row
	for _, c := range comparisons(r.Rows) {
		rows := slices.DeleteFunc(slices.Clone(c.Rows), func(row result.Row) bool { return row.Missing != "" || !has(row) })
		if len(rows) > 0 && (best == nil || group != nil && c.Group == *group) {
			best = rows
		}
	}
	return best
}

// microseconds is the unit of plots of time.
func microseconds(ns float64) float64 { return ns / 1e3 }

package report

import (
	"github.com/pawlkv/pawl/bench/result"
)

// scaling shows throughput against processes: on separate and on the same
// sessions, on each engine.
func scaling(r result.Result) []drawing {
	var drawings []drawing
	for _, same := range []bool{false, true} {
		for _, engine := range []string{result.Badger, result.SQLite} {
			if d, enough := scalingOf(r, same, engine); enough {
				drawings = append(drawings, d)
			}
		}
	}
	return drawings
}

func scalingOf(r result.Result, same bool, engine string) (drawing, bool) {
	rows := scalingRows(r, same, engine)
	c := curves{
		at:    func(row result.Row) int { return row.Params.Processes },
		name:  nameWithFaults(rows),
		value: func(row result.Row) float64 { return Measure(Rate).Of(row).Median },
	}.chart(rows)
	c.across, c.up = "processes", "messages a second"
	name := "processes-" + engine
	if same {
		name += "-same"
	}
	return drawing{Plot{
		Name: name, Title: "Throughput of several processes, " + sharing(same) + ", on " + engineTitle(engine),
		Caption: "A design that is marked wrong lost messages, wedged sessions or used keys twice while it was that fast." + wander(Rate, rows),
	}, c.lines}, len(c.categories) > 1
}

// scalingRows are those of one plot. One process alone shares nothing: where it
// was not measured for itself, it is the beginning of the other plot too.
func scalingRows(r result.Result, same bool, engine string) []result.Row {
	var rows, alone []result.Row
	for _, row := range r.Rows {
		switch {
		case row.Missing != "" || row.Workload != result.Processes || row.Engine != engine:
		case row.Params.Same == same:
			rows = append(rows, row)
		case same && row.Params.Processes == 1:
			alone = append(alone, row)
		}
	}
	return append(rows, alone...)
}

// nameWithFaults names the curve of a row, and says of a design that went wrong
// anywhere on it that it did.
func nameWithFaults(rows []result.Row) func(result.Row) string {
	wrong := map[string]bool{}
	for _, row := range rows {
		wrong[systemTitle(row)] = wrong[systemTitle(row)] || row.Wrong.Any()
	}
	return func(row result.Row) string {
		if wrong[systemTitle(row)] {
			return systemTitle(row) + " (wrong)"
		}
		return systemTitle(row)
	}
}

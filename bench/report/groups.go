package report

import (
	"slices"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// comparison are the rows of one group: they were run in turn.
type comparison struct {
	Group
	Rows []result.Row
}

// comparisons returns the rows by group, groups and rows in the order in which
// they were first met. Rows that are missing whole workloads, whatever the
// params, come last, in groups of their own.
func comparisons(rows []result.Row) []comparison {
	var all []comparison
	for _, row := range rows {
		g := GroupOf(row)
		i := slices.IndexFunc(all, func(c comparison) bool { return c.Group == g })
		if i < 0 {
			all = append(all, comparison{Group: g})
			i = len(all) - 1
		}
		all[i].Rows = append(all[i].Rows, row)
	}
	return all
}

// base is the row that the others are compared with: on each engine Pawl without
// a cache, or else the first of Pawl's, or else the first with figures.
func (c comparison) base(row result.Row) (result.Row, bool) {
	for _, fits := range []func(result.Row) bool{
		func(r result.Row) bool { return isPawl(r, design.NameNone) && r.Engine == row.Engine },
		func(r result.Row) bool { return isPawl(r, design.NameNone) },
		func(r result.Row) bool { return r.System == pawlSystem && r.Missing == "" },
		func(r result.Row) bool { return r.Missing == "" },
	} {
		if i := slices.IndexFunc(c.Rows, fits); i >= 0 {
			return c.Rows[i], true
		}
	}
	return result.Row{}, false
}

// against is how many times the base's time a row takes, or "".
func (c comparison) against(row result.Row) string {
	base, found := c.base(row)
	if !found || row.Missing != "" {
		return ""
	}
	if KeyOf(base) == KeyOf(row) {
		return "1"
	}
	s := Measure(TimePerMessage).Ratio(row, base)
	switch {
	case s.N == 0:
		return ""
	case s.undecided():
		return "~1"
	}
	return digits(s.Median)
}

package report

import (
	"slices"
	"strings"

	"github.com/pawlkv/pawl/bench/result"
)

// besides shows Pawl beside other systems, one plot for each workload that both
// can do.
func besides(r result.Result) []drawing {
	var drawings []drawing
	for _, c := range comparisons(r.Rows) {
		rows := slices.DeleteFunc(slices.Clone(c.Rows), func(row result.Row) bool { return row.Missing != "" })
		ours := func(row result.Row) bool { return row.System == pawlSystem }
		theirs := func(row result.Row) bool { return row.System != pawlSystem }
		if slices.ContainsFunc(rows, ours) && slices.ContainsFunc(rows, theirs) && c.Params.Processes < 2 {
			drawings = append(drawings, beside(c.Group, rows))
		}
	}
	return drawings
}

func beside(g Group, rows []result.Row) drawing {
	c := chart{colours: lineColours, up: "microseconds a message"}
	values := make([]float64, len(rows))
	for i, row := range rows {
		c.categories = append(c.categories, contestant(row))
		values[i] = microseconds(Measure(TimePerMessage).Of(row).Median)
	}
	c.values = [][]float64{values}
	caption := "Less is better."
	if slices.ContainsFunc(rows, func(row result.Row) bool { return row.Durable != "" }) {
		caption = "Less is better, but only among those that have as much on disk when they return: the notes below the table say what."
	}
	return drawing{Plot{
		Name: "beside-" + fileName(g.String()), Title: "Beside other systems: " + g.String(),
		Caption: caption,
	}, c.bars}
}

// fileName turns words into a name that every file system takes.
func fileName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}

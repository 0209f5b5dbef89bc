package report

import (
	"cmp"
	"slices"

	"github.com/pawlkv/pawl/bench/result"
)

// sizes shows what a message costs in stores of growing size, on each engine.
func sizes(r result.Result) []drawing {
	var drawings []drawing
	for _, engine := range result.Engines() {
		if d, enough := sizesOf(r, engine); enough {
			drawings = append(drawings, d)
		}
	}
	return drawings
}

func sizesOf(r result.Result, engine string) (drawing, bool) {
	rows := slices.DeleteFunc(slices.Clone(r.Rows), func(row result.Row) bool {
		p := row.Params
		return !isOurs(row) || row.Engine != engine || row.Workload != result.Decrypt || p.Batch > 1 || p.Sessions == 0
	})
	c := curves{
		at: func(row result.Row) int { return row.Params.Sessions },
		name: func(row result.Row) string { // one session is hit uniformly
			return joined(systemTitle(row), cmp.Or(row.Params.Distribution, result.Uniform))
		},
		value: func(row result.Row) float64 { return microseconds(Measure(TimePerMessage).Of(row).Median) },
	}.chart(rows)
	c.across, c.up = "sessions in the store", "microseconds a message"
	return drawing{Plot{
		Name: "size-" + engine, Title: "What a message costs as the store grows, on " + engineTitle(engine),
		Caption: "Decrypting, one message a commit. Uniform: each session is as likely as another; zipf: few sessions get most of the messages. The steps of the axis are not equal.",
	}, c.lines}, len(c.categories) > 1
}

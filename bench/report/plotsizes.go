package report

import (
	"cmp"

	"github.com/pawlkv/pawl/bench/result"
)

// sizes shows what a message costs in stores of growing size, on each engine.
func sizes(r result.Result) []drawing {
	return perEngine(r, costs{
		name: "size", title: "What a message costs as the store grows, on ",
		of:      func(p result.Params) bool { return p.Sessions > 0 && p.PeerSessions == 0 },
		at:      func(p result.Params) int { return p.Sessions },
		curve:   func(p result.Params) string { return cmp.Or(p.Distribution, result.Uniform) }, // one session is hit uniformly
		across:  "sessions in the store",
		caption: "Uniform: each session is as likely as another; zipf: few sessions get most of the messages.",
	})
}

// crowds shows what a message costs as its peer has more sessions.
func crowds(r result.Result) []drawing {
	return perEngine(r, costs{
		name: "peer-sessions", title: "What a message costs as its peer has more sessions, on ",
		of:      func(p result.Params) bool { return p.PeerSessions > 0 },
		at:      func(p result.Params) int { return p.PeerSessions },
		curve:   func(result.Params) string { return "" },
		across:  "sessions of the peer",
		caption: "Each session has 39 skipped keys; the messages are in the newest.",
	})
}

// costs are what a message takes against one of the params, decrypting, with one
// message a commit and nothing acknowledged.
type costs struct {
	name, title string
	of          func(result.Params) bool   // which rows
	at          func(result.Params) int    // where on the axis
	curve       func(result.Params) string // which curve of a design
	across      string
	caption     string
}

func perEngine(r result.Result, c costs) []drawing {
	var drawings []drawing
	for _, engine := range result.Engines() {
		if d, enough := c.on(r, engine); enough {
			drawings = append(drawings, d)
		}
	}
	return drawings
}

func (c costs) on(r result.Result, engine string) (drawing, bool) {
	var rows []result.Row
	for _, row := range r.Rows {
		p := row.Params
		if isOurs(row) && row.Engine == engine && row.Workload == result.Decrypt && p.Batch <= 1 && p.Acknowledge == 0 && c.of(p) {
			rows = append(rows, row)
		}
	}
	drawn := curves{
		at:    func(row result.Row) int { return c.at(row.Params) },
		name:  func(row result.Row) string { return joined(systemTitle(row), c.curve(row.Params)) },
		value: func(row result.Row) float64 { return microseconds(Measure(TimePerMessage).Of(row).Median) },
	}.chart(rows)
	drawn.across, drawn.up = c.across, "microseconds a message"
	return drawing{Plot{
		Name: c.name + "-" + engine, Title: c.title + engineTitle(engine),
		Caption: "Decrypting, one message a commit. " + c.caption + " The steps of the axis are not equal." + wander(TimePerMessage, rows),
	}, drawn.lines}, len(drawn.categories) > 1
}
